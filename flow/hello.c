/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "flow/hello.h"

#include <stdio.h>

#include "core/cursor.h"

/* RFC 8446 sections 5.1 and 4: records, and messages in them. */
enum {
	RECORD_CHANGE_CIPHER_SPEC = 20,
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	RECORD_BYTES_MAX = 1 << 14,
	MESSAGE_CLIENT_HELLO = 1,
	MESSAGE_SERVER_HELLO = 2,
	MESSAGE_HEAD_BYTES = 4,
	RANDOM_BYTES = 32,
	TLS_1_3 = 0x0304,
};

/* The registry of extensions: RFC 6066, 7301, 5077, 8446. */
enum {
	EXT_SERVER_NAME = 0,
	EXT_ALPN = 16,
	EXT_SESSION_TICKET = 35,
	EXT_PRE_SHARED_KEY = 41,
	EXT_SUPPORTED_VERSIONS = 43,
};

/* The random of a ServerHello that is a HelloRetryRequest (RFC 8446 section 4.1.3). */
static const uint8_t retry_random[RANDOM_BYTES] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
	0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
	0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

struct server_hello {
	const uint8_t *random, *session;
	uint16_t version, cipher;
	uint8_t session_n;
	bool psk;
	struct str alpn;
};

static struct str version_name(uint16_t v)
{
	switch (v) {
	case 0x0301:
		return STR("1.0");
	case 0x0302:
		return STR("1.1");
	case 0x0303:
		return STR("1.2");
	case TLS_1_3:
		return STR("1.3");
	default:
		return STR_NONE;
	}
}

/* What a person may be shown, or nothing. */
static struct str printable(const uint8_t *p, size_t n)
{
	if (!p || !n || n > HELLO_NAME_BYTES)
		return STR_NONE;
	for (size_t i = 0; i < n; i++)
		if (p[i] <= ' ' || p[i] >= 0x7f)
			return STR_NONE;
	return (struct str){(const char *)p, n};
}

static struct str keep(char *text, struct str s)
{
	if (!s.n)
		return STR_NONE;
	memcpy(text, s.p, s.n);
	return (struct str){text, s.n};
}

/* The body of the next extension. False at the end, which must be that of the message, or when malformed. */
static bool next_extension(struct cursor *all, uint16_t *type, struct cursor *body)
{
	if (!cursor_left(all))
		return false;
	*type = cursor_u16(all);
	*body = cursor_sub(all, cursor_u16(all));
	return cursor_ok(all);
}

/* Extensions end the hello; before TLS 1.3 there may be none at all. */
static struct cursor extensions(struct cursor *c)
{
	struct cursor all = *c;

	if (cursor_left(c)) {
		all = cursor_sub(c, cursor_u16(c));
		if (cursor_left(c))
			c->failed = all.failed = true;
	}
	return all;
}

/* RFC 6066 section 3: the one of type host_name. */
static struct str server_name(struct cursor *c)
{
	struct cursor list = cursor_sub(c, cursor_u16(c));
	struct str name = STR_NONE;

	while (cursor_left(&list)) {
		uint8_t type = cursor_u8(&list);
		size_t n = cursor_u16(&list);
		const uint8_t *p = cursor_bytes(&list, n);

		if (p && type == 0 && !name.n)
			name = printable(p, n);
	}
	if (!cursor_ok(&list) || cursor_left(c))
		c->failed = true;
	return c->failed ? STR_NONE : name;
}

/* RFC 7301 section 3.1: a server's list has exactly one name. */
static struct str chosen_protocol(struct cursor *c)
{
	struct cursor list = cursor_sub(c, cursor_u16(c));
	size_t n = cursor_u8(&list);
	const uint8_t *p = cursor_bytes(&list, n);

	if (!p || cursor_left(&list) || cursor_left(c))
		c->failed = true;
	return c->failed ? STR_NONE : printable(p, n);
}

/* RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2. Nothing is kept of one that is malformed. */
static void client_hello(struct hello_reader *r, struct cursor c)
{
	const uint8_t *session;
	struct str sni = STR_NONE;
	struct cursor all, body;
	bool ticket = false, good = true;
	size_t session_n, n;
	uint16_t type;

	cursor_skip(&c, 2 + RANDOM_BYTES);
	session_n = cursor_u8(&c);
	session = cursor_bytes(&c, session_n);
	n = cursor_u16(&c);
	good = session_n <= HELLO_SESSION_BYTES && n >= 2 && n % 2 == 0;
	cursor_skip(&c, n);
	n = cursor_u8(&c);
	good &= n >= 1;
	cursor_skip(&c, n);
	all = extensions(&c);
	while (good && next_extension(&all, &type, &body)) {
		if (type == EXT_SERVER_NAME)
			sni = server_name(&body);
		else if (type == EXT_SESSION_TICKET)
			ticket = cursor_left(&body) != 0;
		good = cursor_ok(&body);
	}
	if (!good || !cursor_ok(&c) || !cursor_ok(&all))
		return;
	if (session_n)
		memcpy(r->session, session, session_n);
	r->session_n = (uint8_t)session_n;
	r->ticket = ticket;
	r->sni = keep(r->sni_text, sni);
}

static bool read_server_hello(struct server_hello *h, struct cursor c)
{
	struct cursor all, body;
	uint16_t type;

	h->version = cursor_u16(&c);
	h->random = cursor_bytes(&c, RANDOM_BYTES);
	h->session_n = cursor_u8(&c);
	h->session = cursor_bytes(&c, h->session_n);
	h->cipher = cursor_u16(&c);
	cursor_skip(&c, 1); /* compression */
	if (h->session_n > HELLO_SESSION_BYTES)
		return false;
	all = extensions(&c);
	while (next_extension(&all, &type, &body)) {
		if (type == EXT_SUPPORTED_VERSIONS)
			h->version = cursor_u16(&body);
		else if (type == EXT_PRE_SHARED_KEY)
			h->psk = cursor_skip(&body, 2);
		else if (type == EXT_ALPN)
			h->alpn = chosen_protocol(&body);
		if (!cursor_ok(&body))
			return false;
	}
	return cursor_ok(&c) && cursor_ok(&all);
}

/*
 * TLS 1.3: the server took one of the keys offered, which those of earlier sessions are (RFC 8446 section 4.2.11).
 * Before: it sent the client's session id back, with a ticket, too (RFC 5246 section 7.4.1.3, RFC 5077
 * section 3.4); of a ticket without an id the hellos do not tell.
 */
static enum tls_resumed resumed(const struct hello_reader *r, enum dir d,
				const struct server_hello *h)
{
	if (h->version >= TLS_1_3)
		return h->psk ? TLS_RESUMED_YES : TLS_RESUMED_NO;
	if (r->stream[dir_other(d)].said != MESSAGE_CLIENT_HELLO)
		return TLS_RESUMED_UNKNOWN;
	if (!r->session_n)
		return r->ticket ? TLS_RESUMED_UNKNOWN : TLS_RESUMED_NO;
	return h->session_n == r->session_n && memcmp(h->session, r->session, r->session_n) == 0
		       ? TLS_RESUMED_YES
		       : TLS_RESUMED_NO;
}

/* False: a HelloRetryRequest, another hello follows. */
static bool server_hello(struct hello_reader *r, enum dir d, struct cursor c)
{
	struct server_hello h = {0};

	if (!read_server_hello(&h, c))
		return true;
	if (memcmp(h.random, retry_random, sizeof(retry_random)) == 0)
		return false;
	r->version = version_name(h.version);
	if (!r->version.n)
		return true;
	r->cipher = cipher_suite_name(h.cipher);
	if (!r->cipher.n) {
		snprintf(r->cipher_text, sizeof(r->cipher_text), "0x%04X", h.cipher);
		r->cipher = str_from(r->cipher_text);
	}
	r->resumed = resumed(r, d, &h);
	if (h.version < TLS_1_3)
		r->alpn = keep(r->alpn_text, h.alpn);
	return true;
}

static void stop(struct hello_stream *s)
{
	s->over = true;
	buf_free(&s->msg);
}

/* The message is whole. A side says one hello, but for a server that asks for another one. */
static void message(struct hello_reader *r, enum dir d)
{
	struct hello_stream *s = &r->stream[d];
	struct cursor body = cursor_init(s->msg.p, s->msg.n);
	uint8_t type = cursor_u8(&body), other = r->stream[dir_other(d)].said;
	bool last = true;

	cursor_u24(&body);
	if (type == MESSAGE_CLIENT_HELLO && other != type) {
		s->said = type;
		client_hello(r, body);
	} else if (type == MESSAGE_SERVER_HELLO && other != type) {
		s->said = type;
		last = server_hello(r, d, body);
	}
	if (last)
		stop(s);
	else
		buf_clear(&s->msg);
}

/* How many bytes the message that is begun still wants, at least. */
static size_t wanted(const struct hello_stream *s)
{
	struct cursor c = cursor_init(s->msg.p, s->msg.n);

	if (s->msg.n < MESSAGE_HEAD_BYTES)
		return MESSAGE_HEAD_BYTES - s->msg.n;
	cursor_skip(&c, 1);
	return cursor_u24(&c) + MESSAGE_HEAD_BYTES - s->msg.n;
}

/* Bytes of a handshake record: up to the end of a message, or of its header. */
static size_t handshake(struct hello_reader *r, enum dir d, const uint8_t *p, size_t n)
{
	struct hello_stream *s = &r->stream[d];
	size_t want = wanted(s);

	if (n > want)
		n = want;
	if (s->msg.n + want > HELLO_MESSAGE_BYTES || buf_put(&s->msg, p, n) < 0) {
		stop(s);
		return n;
	}
	if (s->msg.n >= MESSAGE_HEAD_BYTES && wanted(s) == 0)
		message(r, d);
	return n;
}

/* A record's header, RFC 8446 section 5.1: one of the handshake is not empty, and none of them is too long. */
static void record(struct hello_stream *s)
{
	struct cursor c = cursor_init(s->head, sizeof(s->head));
	uint8_t type = cursor_u8(&c), major = cursor_u8(&c);

	cursor_skip(&c, 1);
	s->left = cursor_u16(&c);
	s->head_n = 0;
	if (type < RECORD_CHANGE_CIPHER_SPEC || type > RECORD_HANDSHAKE || major != 3 || !s->left ||
	    s->left > RECORD_BYTES_MAX)
		stop(s);
	/* nothing stands between the parts of a message (RFC 8446 section 5.1) */
	else if (type != RECORD_HANDSHAKE && s->msg.n)
		stop(s);
	else
		s->head[0] = type;
}

void hello_feed(struct hello_reader *r, enum dir d, uint64_t off, const uint8_t *p, size_t n)
{
	struct hello_stream *s = &r->stream[d];

	if (off != s->off)
		stop(s);
	s->off += n;
	while (n && !s->over) {
		size_t k = 1;

		if (s->left) {
			k = n < s->left ? n : s->left;
			if (s->head[0] == RECORD_HANDSHAKE)
				k = handshake(r, d, p, k);
			s->left -= (uint32_t)k;
		} else {
			s->head[s->head_n++] = *p;
			if (s->head_n == sizeof(s->head))
				record(s);
		}
		p += k;
		n -= k;
	}
}

void hello_stop(struct hello_reader *r)
{
	for (int d = 0; d < DIR_COUNT; d++)
		stop(&r->stream[d]);
}

size_t hello_held(const struct hello_reader *r)
{
	return r->stream[0].msg.cap + r->stream[1].msg.cap;
}
