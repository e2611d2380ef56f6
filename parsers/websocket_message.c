/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages: put together from fragments, inflated within bounds, described. */
#include "core/attr_names.h"
#include "parsers/websocket.h"

#define OUT_BYTES 4096
#define BETWEEN_BLOCKS 128 /* in z_stream.data_type: no block of deflate is begun and not over */

void ws_codec_free(struct ws_codec *z)
{
	if (z->open)
		inflateEnd(&z->z);
	z->open = false;
}

static void add(uint64_t *sum, uint64_t n)
{
	*sum = *sum > (uint64_t)INT64_MAX - n ? (uint64_t)INT64_MAX : *sum + n;
}

static void keep(struct ws_message *m, const uint8_t *p, size_t n)
{
	size_t room = m->content.limit - m->content.n;

	add(&m->size, n);
	/* what follows a hole would read as if it followed what stands before it */
	if (m->content.limit && !m->lost_bytes && room)
		buf_put(&m->content, p, n < room ? n : room);
}

/* From here on this message, and those that refer to it, cannot be read. */
static void give_up(struct ws_message *m, struct ws_codec *z)
{
	m->not_inflated = true;
	z->stale = true;
}

static bool is_bomb(const struct ws_message *m)
{
	return m->size > WS_INFLATED_MAX ||
	       (m->size > WS_INFLATED_FREE && m->size / WS_INFLATED_RATIO > m->wire_bytes);
}

static void inflate_bytes(struct ws_message *m, struct ws_codec *z, const uint8_t *p, size_t n)
{
	uint8_t out[OUT_BYTES];
	int res = Z_OK;

	z->z.next_in = (Bytef *)p;
	z->z.avail_in = (uInt)n;
	do {
		z->z.next_out = out;
		z->z.avail_out = sizeof(out);
		res = inflate(&z->z, Z_SYNC_FLUSH);
		keep(m, out, sizeof(out) - z->z.avail_out);
		/* a final block may stand amid a message (RFC 7692 section 7.2.3.4); the window goes on */
		if (res == Z_STREAM_END)
			res = inflateResetKeep(&z->z);
		m->bomb = is_bomb(m);
	} while (res == Z_OK && !m->bomb && (z->z.avail_in || !z->z.avail_out));
	m->broken = res != Z_OK && res != Z_BUF_ERROR;
	if (m->bomb || m->broken)
		give_up(m, z);
}

/* Makes the inflater ready for a message; false without memory. */
static bool begin_inflating(struct ws_codec *z)
{
	if (!z->open) {
		z->open = inflateInit2(&z->z, -MAX_WBITS) == Z_OK;
		return z->open;
	}
	if (z->takeover)
		return true;
	z->stale = false;
	return inflateReset(&z->z) == Z_OK;
}

void ws_message_begin(struct ws_message *m, struct ws_codec *z, enum ws_opcode opcode,
		      bool compressed, size_t keep_bytes)
{
	struct buf content = m->content;

	buf_clear(&content);
	content.limit = keep_bytes;
	*m = (struct ws_message){
		.open = true, .opcode = opcode, .compressed = compressed, .content = content};
	if (compressed && (z->kind != WS_DEFLATE || !begin_inflating(z) || z->stale))
		m->not_inflated = true;
}

void ws_message_bytes(struct ws_message *m, struct ws_codec *z, const uint8_t *p, size_t n)
{
	if (!n)
		return;
	add(&m->wire_bytes, n);
	if (!m->compressed)
		keep(m, p, n);
	else if (!m->not_inflated)
		inflate_bytes(m, z, p, n);
}

void ws_message_lost(struct ws_message *m, struct ws_codec *z, uint64_t n)
{
	add(&m->wire_bytes, n);
	add(&m->lost_bytes, n);
	if (m->compressed)
		give_up(m, z);
	else
		add(&m->size, n);
}

void ws_message_end(struct ws_message *m, struct ws_codec *z, bool whole)
{
	/* the sender took these four octets away (RFC 7692 section 7.2.1) */
	static const uint8_t tail[] = {0, 0, 0xff, 0xff};
	size_t kept = m->content.n;

	if (!whole && m->compressed)
		give_up(m, z);
	if (m->compressed && !m->not_inflated) {
		inflate_bytes(m, z, tail, sizeof(tail));
		if (!m->not_inflated && !(z->z.data_type & BETWEEN_BLOCKS)) {
			m->broken = true;
			give_up(m, z);
		}
		if (m->broken && m->content.n > kept)
			m->content.n = kept; /* the tail was read as data */
	}
	m->open = false;
}

struct str ws_opcode_name(enum ws_opcode opcode)
{
	switch (opcode) {
	case WS_TEXT:
		return STR("text");
	case WS_BINARY:
		return STR("binary");
	case WS_CLOSE:
		return STR("close");
	case WS_PING:
		return STR("ping");
	case WS_PONG:
		return STR("pong");
	case WS_CONTINUATION:
		break;
	}
	return STR("continuation");
}

/* RFC 6455 section 7.4.1 */
static enum outcome close_outcome(unsigned int code)
{
	if (code == 1000 || code == 1001)
		return OUTCOME_OK;
	if (code >= 1011 && code <= 1014)
		return OUTCOME_SERVER_ERROR;
	return code >= 3000 ? OUTCOME_UNKNOWN : OUTCOME_CLIENT_ERROR;
}

static void describe_close(struct txn *t, const struct ws_message *m)
{
	const struct buf *b = &m->content;
	unsigned int code;

	if (b->n < 2) /* RFC 6455 section 7.1.5: no code was given */
		return;
	code = (unsigned int)b->p[0] << 8 | b->p[1];
	t->status = arena_printf(&t->arena, "%u", code);
	t->outcome = close_outcome(code);
	txn_int(t, A_WS_CLOSE_CODE, code);
	if (b->n > 2)
		txn_str(t, A_WS_CLOSE_REASON, arena_str(&t->arena, b->p + 2, b->n - 2));
	if (t->outcome != OUTCOME_OK && t->outcome != OUTCOME_UNKNOWN)
		txn_str(t, A_ERROR_TYPE, t->status);
}

/* Kept text ends at a character's end: octets of the last one when it is not there whole. */
static size_t unfinished(const struct buf *b)
{
	size_t back = 0, length;
	uint8_t c;

	while (back < b->n && back < 3 && (b->p[b->n - 1 - back] & 0xc0) == 0x80)
		back++;
	if (back == b->n)
		return 0;
	c = b->p[b->n - 1 - back];
	length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
	return length > back + 1 ? back + 1 : 0;
}

static void describe_content(struct txn *t, const struct ws_message *m)
{
	size_t n = m->content.n;

	if (!n || m->opcode == WS_CLOSE)
		return;
	if (m->opcode != WS_TEXT) {
		txn_bytes(t, A_WS_CONTENT_BASE64, arena_str(&t->arena, m->content.p, n));
		return;
	}
	if (n < m->size || m->not_inflated || m->lost_bytes)
		n -= unfinished(&m->content);
	txn_str(t, A_WS_CONTENT, arena_str(&t->arena, m->content.p, n));
}

static void describe_faults(struct txn *t, const struct ws_message *m, const struct ws_codec *z,
			    unsigned int lost)
{
	struct str *why;

	if (m->lost_bytes)
		t->flags |= lost;
	if (m->bomb)
		t->flags |= TXN_LIMIT;
	if (m->broken) {
		t->flags |= TXN_AMBIGUOUS;
		why = arena_alloc(&t->arena, sizeof(*why));
		if (why) {
			*why = STR("deflate-data");
			txn_strs(t, A_AMBIGUITY, why, 1);
		}
	}
	/* what it refers to came before: lost on the way, or before anybody looked */
	if (m->not_inflated && !m->bomb && !m->broken)
		t->flags |= z->kind == WS_NOT_KNOWN ? TXN_LATE : lost;
}

void ws_describe(struct txn *t, const struct ws_message *m, const struct ws_codec *z,
		 bool of_client)
{
	t->verb = ws_opcode_name(m->opcode);
	t->outcome = OUTCOME_OK;
	t->lost_bytes = m->lost_bytes;
	*(of_client ? &t->request_body_bytes : &t->response_body_bytes) = m->wire_bytes;
	txn_str(t, A_WS_OPCODE, t->verb);
	if (!m->not_inflated)
		txn_int(t, A_WS_SIZE, (int64_t)m->size);
	if (m->compressed)
		txn_int(t, A_WS_COMPRESSED_SIZE, (int64_t)m->wire_bytes);
	if (m->opcode == WS_CLOSE)
		describe_close(t, m);
	describe_content(t, m);
	describe_faults(t, m, z, of_client ? TXN_LOST_REQUEST : TXN_LOST_RESPONSE);
}
