/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * WebSocket (RFC 6455) after the upgrade of HTTP/1 or on a stream of HTTP/2: takes both directions apart into frames, a transaction
 * for each message and each control frame. A frame head has no mark by which it could be found again, so a
 * direction that lost its step stays lost; octets lost in a payload cost no more than that message.
 */
#include "parsers/websocket.h"

#include <errno.h>
#include <stdlib.h>

#include "core/attr_names.h"
#include "core/cursor.h"
#include "parsers/rows.h"

#define HEAD_MIN 2
#define HEAD_MAX 14
#define UNMASK_BYTES 4096

#define FIN 0x80
#define RSV1 0x40 /* the message is compressed (RFC 7692 section 6) */
#define RSV_OTHERS 0x30
#define OPCODE 0x0f
#define MASKED 0x80
#define LENGTH 0x7f

struct ws_dir {
	uint8_t head[HEAD_MAX], have; /* of the frame; all of it there when have == head_bytes() */
	bool in_payload;
	uint64_t length, at; /* of the payload */
	struct ws_message message, control;
	struct ws_codec codec;
	uint64_t frame_ts_ns;
	uint32_t frame_tid;
};

struct ws {
	const struct conn *conn;
	struct proto_sink *sink;
	const struct limits *limits;
	struct str target; /* owned: where the upgrade went */
	bool late;	   /* what asked for the upgrade was not seen whole */
	int client;	   /* the direction of the client's frames, or -1 */
	struct ws_dir dir[DIR_COUNT];
};

static enum probe_res ws_probe(enum dir d, const uint8_t *p, size_t n)
{
	(void)d, (void)p, (void)n;
	return PROBE_NO;
}

static bool is_control(uint8_t opcode)
{
	return opcode & 8;
}

static size_t head_bytes(const struct ws_dir *wd)
{
	size_t n = HEAD_MIN;

	if (wd->have < HEAD_MIN)
		return n;
	if ((wd->head[1] & LENGTH) == 126)
		n += 2;
	else if ((wd->head[1] & LENGTH) == 127)
		n += 8;
	return n + (wd->head[1] & MASKED ? 4 : 0);
}

/* RFC 6455 section 5.2 and 5.5: may this frame stand here? */
static bool head_valid(const struct ws_dir *wd)
{
	uint8_t opcode = wd->head[0] & OPCODE;
	bool compressed = wd->head[0] & RSV1;

	if (wd->head[0] & RSV_OTHERS || wd->length >> 63)
		return false;
	if (compressed && (wd->codec.kind == WS_PLAIN || opcode == WS_CONTINUATION))
		return false;
	if (is_control(opcode))
		return opcode <= WS_PONG && wd->head[0] & FIN && !compressed &&
		       wd->length <= WS_CONTROL_BYTES_MAX;
	return opcode <= WS_BINARY && wd->message.open == (opcode == WS_CONTINUATION);
}

/* Only a client masks (RFC 6455 section 5.1). */
static void learn_client(struct ws *w, enum dir d)
{
	bool masked = w->dir[d].head[1] & MASKED;

	if (w->client >= 0)
		return;
	w->client = masked ? (int)d : (int)dir_other(d);
	w->sink->ops->role(w->sink, w->client == DIR_WRITE ? ROLE_CLIENT : ROLE_SERVER);
}

static struct ws_message *current(struct ws_dir *wd)
{
	return is_control(wd->head[0] & OPCODE) ? &wd->control : &wd->message;
}

static bool begin_frame(struct ws *w, enum dir d)
{
	struct ws_dir *wd = &w->dir[d];
	struct cursor c = cursor_init(wd->head, wd->have);
	uint8_t first = cursor_u8(&c), opcode = first & OPCODE;
	struct ws_message *m = current(wd);

	wd->length = cursor_u8(&c) & LENGTH;
	if (wd->length == 126)
		wd->length = cursor_u16(&c);
	else if (wd->length == 127)
		wd->length = cursor_u64(&c);
	if (!head_valid(wd))
		return false;
	learn_client(w, d);
	wd->at = 0;
	wd->in_payload = true;
	if (opcode == WS_CONTINUATION)
		return true;
	ws_message_begin(m, &wd->codec, (enum ws_opcode)opcode, first & RSV1,
			 opcode == WS_CLOSE ? WS_CONTROL_BYTES_MAX : w->limits->body_bytes);
	m->start_ns = wd->frame_ts_ns;
	m->end_ns = wd->frame_ts_ns;
	m->tid = wd->frame_tid;
	return true;
}

static void emit(struct ws *w, enum dir d, struct ws_message *m, bool whole)
{
	bool of_client = w->client == (int)d;
	struct txn *t;

	ws_message_end(m, &w->dir[d].codec, whole);
	t = txn_new(w->conn);
	if (!t)
		return;
	t->event_name = "websocket.message";
	t->proto_name = "websocket";
	t->role = w->client == DIR_WRITE ? ROLE_CLIENT : ROLE_SERVER;
	t->start_ns = m->start_ns;
	t->end_ns = m->end_ns;
	t->tid = m->tid;
	if (w->target.n) {
		t->target = arena_str(&t->arena, w->target.p, w->target.n);
		txn_str(t, A_URL_FULL, t->target);
	}
	ws_describe(t, m, &w->dir[d].codec, of_client);
	if (of_client)
		t->request_end_ns = whole ? m->end_ns : 0;
	else
		t->response_start_ns = m->start_ns;
	if (w->late)
		t->flags |= TXN_LATE;
	if (!whole) {
		t->outcome = OUTCOME_ABORTED;
		t->flags |= of_client ? TXN_CUT_REQUEST : TXN_NO_RESPONSE;
	}
	w->sink->ops->txn(w->sink, t);
}

static void end_frame(struct ws *w, enum dir d, uint64_t ts_ns)
{
	struct ws_dir *wd = &w->dir[d];
	struct ws_message *m = current(wd);

	m->end_ns = ts_ns;
	if (wd->head[0] & FIN)
		emit(w, d, m, true);
	wd->have = 0;
	wd->in_payload = false;
}

/* The direction is out of step, or over: what was begun is told as far as it came. */
static void cut(struct ws *w, enum dir d)
{
	struct ws_dir *wd = &w->dir[d];

	if (wd->control.open)
		emit(w, d, &wd->control, false);
	if (wd->message.open)
		emit(w, d, &wd->message, false);
	wd->have = 0;
	wd->in_payload = false;
	wd->codec.stale = true;
}

static bool take_head(struct ws_dir *wd, struct cursor *c, const struct slice *s)
{
	while (wd->have < head_bytes(wd) && cursor_left(c)) {
		if (!wd->have) {
			wd->frame_ts_ns = s->ts_ns;
			wd->frame_tid = s->tid;
		}
		wd->head[wd->have++] = cursor_u8(c);
	}
	return wd->have == head_bytes(wd);
}

static void put(struct ws_dir *wd, const uint8_t *p, size_t n)
{
	const uint8_t *mask = wd->head + wd->have - 4;
	uint8_t plain[UNMASK_BYTES];

	if (!(wd->head[1] & MASKED)) {
		ws_message_bytes(current(wd), &wd->codec, p, n);
		return;
	}
	for (size_t i = 0, k; i < n; i += k) {
		k = n - i < sizeof(plain) ? n - i : sizeof(plain);
		for (size_t j = 0; j < k; j++)
			plain[j] = p[i + j] ^ mask[(wd->at + i + j) & 3];
		ws_message_bytes(current(wd), &wd->codec, plain, k);
	}
}

/* True when the payload is over. */
static bool take_payload(struct ws_dir *wd, struct cursor *c, uint64_t ts_ns)
{
	uint64_t left = wd->length - wd->at;
	size_t n = cursor_left(c) < left ? cursor_left(c) : (size_t)left;

	if (n) {
		put(wd, cursor_bytes(c, n), n);
		wd->at += n;
		current(wd)->end_ns = ts_ns;
	}
	return wd->at == wd->length;
}

static struct parse_res ws_feed(void *state, enum dir d, const struct slice *s, bool expired)
{
	struct ws *w = state;
	struct ws_dir *wd = &w->dir[d];
	struct cursor c = cursor_init(s->p, s->n);
	struct parse_res res = {.status = PARSE_OK};

	(void)expired;
	for (;;) {
		if (!wd->in_payload) {
			if (!take_head(wd, &c, s))
				break;
			if (!begin_frame(w, d)) {
				cut(w, d);
				res.status = PARSE_LOST;
				break;
			}
		}
		if (!take_payload(wd, &c, s->ts_ns))
			break;
		end_frame(w, d, s->ts_ns);
	}
	res.consumed = cursor_offset(&c);
	return res;
}

static struct parse_res ws_gap(void *state, enum dir d, uint64_t lost, uint64_t ts_ns)
{
	struct ws *w = state;
	struct ws_dir *wd = &w->dir[d];
	uint64_t left = wd->length - wd->at, here = lost < left ? lost : left;

	if (!wd->in_payload) {
		cut(w, d);
		return (struct parse_res){.status = PARSE_LOST};
	}
	ws_message_lost(current(wd), &wd->codec, here);
	current(wd)->end_ns = ts_ns;
	wd->at += here;
	if (wd->at == wd->length)
		end_frame(w, d, ts_ns);
	if (lost == here)
		return (struct parse_res){.status = PARSE_OK};
	cut(w, d);
	return (struct parse_res){.status = PARSE_LOST};
}

static void ws_resync(void *state, enum dir d)
{
	cut(state, d);
}

static void ws_close(void *state, uint64_t now_ns)
{
	struct ws *w = state;

	(void)now_ns;
	for (int d = 0; d < DIR_COUNT; d++) {
		cut(w, (enum dir)d);
		buf_free(&w->dir[d].message.content);
		buf_free(&w->dir[d].control.content);
		ws_codec_free(&w->dir[d].codec);
	}
	free((char *)w->target.p);
	free(w);
}

static int copy_target(struct ws *w, const struct txn *upgrade)
{
	const struct attr *url = txn_attr(upgrade, A_URL_FULL);
	struct str from = url && url->type == ATTR_STR ? url->str : upgrade->target;
	char *p;

	if (!from.n)
		return 0;
	p = malloc(from.n);
	if (!p)
		return -ENOMEM;
	memcpy(p, from.p, from.n);
	w->target = (struct str){p, from.n};
	return 0;
}

static void *ws_open(const struct proto_open *o)
{
	const struct txn *from = o->upgraded_from;
	enum role role = from ? from->role : ROLE_UNKNOWN;
	struct ws *w = calloc(1, sizeof(*w));
	struct ws_codec codecs[DIR_COUNT] = {0};

	if (!w)
		return NULL;
	w->conn = o->conn;
	w->sink = o->sink;
	w->limits = o->limits;
	w->late = !from || from->flags & (TXN_NO_REQUEST | TXN_LOST_REQUEST);
	w->client = role == ROLE_UNKNOWN ? -1 : role == ROLE_CLIENT ? DIR_WRITE : DIR_READ;
	ws_negotiated(codecs, role == ROLE_UNKNOWN ? NULL : from,
		      w->client == DIR_READ ? DIR_READ : DIR_WRITE);
	for (int d = 0; d < DIR_COUNT; d++)
		w->dir[d].codec = codecs[d];
	if (from && copy_target(w, from)) {
		free(w);
		return NULL;
	}
	return w;
}

const struct proto_ops proto_websocket = {
	.name = "websocket",
	.probe = ws_probe,
	.open = ws_open,
	.feed = ws_feed,
	.gap = ws_gap,
	.resync = ws_resync,
	.close = ws_close,
};
