/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a recording out of nothing, as a server sees its clients:
 *
 *   make_recording FILE http1|h2|grpc|dns TRANSACTIONS CONNECTIONS HEADERS BODY_BYTES
 *
 * Connections take turns. HEADERS are those of each message beyond the usual few. DNS is on plain UDP sockets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "capture/recording.h"
#include "core/buf.h"

#define CALL_BYTES (128u << 10) /* an application's write */
#define FRAME_BYTES 16384	/* RFC 9113 section 4.2: the least that every peer takes */
#define HEADERS_MAX 600
#define TXN_NS 10000

enum kind {
	HTTP1,
	H2,
	GRPC,
	DNS,
};

struct peer {
	uint64_t off[2];
	uint32_t stream;
	nghttp2_hd_deflater *deflater[2];
};

struct maker {
	struct recording *out;
	enum kind kind;
	unsigned long txns, conns, headers, body;
	uint64_t now_ns, call;
	struct peer *peers;
	struct buf msg, rec;
	char names[HEADERS_MAX][16];
	int err;
};

static const uint64_t start_ns = 10000000;

static void put_event(struct maker *m, struct ev_hdr *h, uint16_t type, size_t len)
{
	h->ts_ns = m->now_ns;
	h->start_ns = start_ns;
	h->tgid = h->tid = 4711;
	h->type = type;
	h->len = (uint32_t)len;
	if (!m->err)
		m->err = recording_put(m->out, h);
}

/* One call of the application: m->msg in one direction, in records as the kernel side makes them. */
static void put_call(struct maker *m, unsigned long conn, int dir)
{
	struct peer *p = &m->peers[conn];
	uint16_t part = 0;

	m->call++;
	for (size_t at = 0, n; at < m->msg.n; at += n, part++) {
		struct ev_data d = {.conn = 0x1000 + conn * 64,
				    .gen = conn + 1,
				    .call = m->call,
				    .off = p->off[dir],
				    .sock = conn + 1,
				    .dir = (uint8_t)dir,
				    .part = part};

		n = m->msg.n - at < EV_PART_MAX_BYTES ? m->msg.n - at : EV_PART_MAX_BYTES;
		d.want = d.got = (uint32_t)n;
		d.hdr.flags = EV_DATA_CACHED | EV_DATA_FROM_START;
		if (m->kind == DNS) {
			d.conn = d.sock;
			d.gen = 0;
			d.hdr.flags = EV_DATA_PLAIN | EV_DATA_DGRAM | EV_DATA_FROM_START;
		}
		buf_clear(&m->rec);
		buf_put(&m->rec, &d, sizeof(d));
		buf_put(&m->rec, m->msg.p + at, n);
		put_event(m, (struct ev_hdr *)(void *)m->rec.p, EV_DATA, sizeof(d) + n);
		p->off[dir] += n;
	}
	buf_clear(&m->msg);
}

static void put_preamble(struct maker *m)
{
	_Alignas(8) char room[sizeof(struct ev_lib) + sizeof("openssl")] = {0};
	struct ev_lib *lib = (struct ev_lib *)(void *)room;
	struct ev_clock clock = {.mono_ns = m->now_ns, .real_ns = 1767323045000000000};

	put_event(m, &clock.hdr, EV_CLOCK, sizeof(clock));
	memcpy(lib->name, "openssl", sizeof("openssl"));
	put_event(m, &lib->hdr, EV_LIB, offsetof(struct ev_lib, name) + sizeof("openssl"));
	for (unsigned long c = 0; c < m->conns; c++) {
		struct ev_sock s = {.hdr.flags = EV_SOCK_TLS,
				    .conn = 0x1000 + c * 64,
				    .gen = c + 1,
				    .sock = c + 1,
				    .fd = (int32_t)(10 + c % 1000),
				    .family = 2,
				    .type = 1,
				    .protocol = 6,
				    .lport = 443,
				    .rport = (uint16_t)(20000 + c),
				    .accepted = 1,
				    .laddr = {127, 0, 0, 1},
				    .raddr = {10, 0, (uint8_t)(c >> 8), (uint8_t)c}};

		if (m->kind == DNS) {
			s.conn = s.gen = 0;
			s.type = 2;
			s.protocol = 17;
			s.lport = 53;
			s.accepted = 0;
		}
		put_event(m, &s.hdr, EV_SOCK, sizeof(s));
	}
}

static void put_body(struct maker *m, unsigned long conn, size_t left)
{
	while (left) {
		size_t n = left < CALL_BYTES - m->msg.n ? left : CALL_BYTES - m->msg.n;

		buf_reserve(&m->msg, n);
		memset(m->msg.p + m->msg.n, 'x', n);
		m->msg.n += n;
		left -= n;
		if (m->msg.n == CALL_BYTES)
			put_call(m, conn, 0);
	}
}

static void http1(struct maker *m, unsigned long i, unsigned long conn)
{
	buf_printf(&m->msg,
		   "GET /items/%lu?page=1 HTTP/1.1\r\nHost: api.example.com\r\n"
		   "User-Agent: bench/1.0\r\nAccept: */*\r\n",
		   i);
	for (unsigned long k = 0; k < m->headers; k++)
		buf_printf(&m->msg, "%s: value-%lu\r\n", m->names[k], k);
	buf_puts(&m->msg, "\r\n");
	put_call(m, conn, 1);
	m->now_ns += TXN_NS / 2;
	buf_printf(
		&m->msg,
		"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 23 Nov 2026 09:51:39 GMT\r\n"
		"Content-Type: application/octet-stream\r\nContent-Length: %lu\r\n"
		"Connection: keep-alive\r\n",
		m->body);
	for (unsigned long k = 0; k < m->headers; k++)
		buf_printf(&m->msg, "%s: value-%lu\r\n", m->names[k], k);
	buf_puts(&m->msg, "\r\n");
	put_body(m, conn, m->body);
	put_call(m, conn, 0);
}

static void frame(struct buf *b, size_t n, uint8_t type, uint8_t flags, uint32_t stream)
{
	buf_put_be(b, n, 3);
	buf_putc(b, type);
	buf_putc(b, flags);
	buf_put_be(b, stream, 4);
}

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
			    strlen(value), NGHTTP2_NV_FLAG_NONE};
}

/* A header section in HEADERS and CONTINUATION frames (RFC 9113 section 6.10). */
static void section(struct maker *m, struct peer *p, int dir, nghttp2_nv *fields, size_t n,
		    bool end)
{
	static uint8_t block[1 << 17];
	nghttp2_hd_deflater *d = p->deflater[dir];
	ssize_t left;
	uint8_t type = 1, flags = end ? 1 : 0;
	const uint8_t *at = block;

	for (unsigned long k = 0; k < m->headers; k++)
		fields[n++] = nv(m->names[k], "value");
	left = nghttp2_hd_deflate_hd(d, block, sizeof(block), fields, n);
	if (left < 0) {
		m->err = -1;
		return;
	}
	while (left > 0) {
		size_t k = left < FRAME_BYTES ? (size_t)left : FRAME_BYTES;

		left -= (ssize_t)k;
		frame(&m->msg, k, type, flags | (left ? 0 : 4), p->stream);
		buf_put(&m->msg, at, k);
		at += k;
		type = 9;
		flags = 0;
	}
}

static void h2_data(struct maker *m, unsigned long conn, struct peer *p, bool end)
{
	size_t left = m->body;
	bool first = m->kind == GRPC;

	do {
		size_t n = left < FRAME_BYTES - 5 ? left : FRAME_BYTES - 5;

		left -= n;
		frame(&m->msg, n + (first ? 5 : 0), 0, end && !left, p->stream);
		if (first) { /* one message: not compressed, its length */
			buf_putc(&m->msg, 0);
			buf_put_be(&m->msg, m->body, 4);
		}
		first = false;
		buf_reserve(&m->msg, n);
		memset(m->msg.p + m->msg.n, 'x', n);
		m->msg.n += n;
		if (m->msg.n + FRAME_BYTES > CALL_BYTES)
			put_call(m, conn, 0);
	} while (left);
}

static void h2(struct maker *m, unsigned long i, unsigned long conn)
{
	nghttp2_nv fields[HEADERS_MAX + 16];
	struct peer *p = &m->peers[conn];
	bool grpc = m->kind == GRPC;
	char path[64];
	size_t n = 0;

	if (!p->stream) {
		nghttp2_hd_deflate_new(&p->deflater[0], 4096);
		nghttp2_hd_deflate_new(&p->deflater[1], 4096);
		buf_puts(&m->msg, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
		frame(&m->msg, 0, 4, 0, 0);
		put_call(m, conn, 1);
		frame(&m->msg, 0, 4, 0, 0);
		put_call(m, conn, 0);
		p->stream = 1;
	}
	snprintf(path, sizeof(path), grpc ? "/shop.Items/Get" : "/items/%lu?page=1", i);
	fields[n++] = nv(":method", grpc ? "POST" : "GET");
	fields[n++] = nv(":scheme", "https");
	fields[n++] = nv(":authority", "api.example.com");
	fields[n++] = nv(":path", path);
	fields[n++] = nv("user-agent", "bench/1.0");
	if (grpc) {
		fields[n++] = nv("te", "trailers");
		fields[n++] = nv("content-type", "application/grpc");
	}
	section(m, p, 1, fields, n, !grpc);
	if (grpc) {
		frame(&m->msg, 5 + 10, 0, 1, p->stream);
		buf_put(&m->msg, "\0\0\0\0\012\012\010question", 15);
	}
	put_call(m, conn, 1);
	m->now_ns += TXN_NS / 2;
	n = 0;
	fields[n++] = nv(":status", "200");
	fields[n++] = nv("server", "nginx/1.22.1");
	fields[n++] = nv("content-type", grpc ? "application/grpc" : "application/octet-stream");
	section(m, p, 0, fields, n, false);
	h2_data(m, conn, p, !grpc);
	if (grpc) {
		fields[0] = nv("grpc-status", "0");
		section(m, p, 0, fields, 1, true);
	}
	put_call(m, conn, 0);
	p->stream += 2;
}

/* RFC 1035 section 4.1: a question and its answer with one address. */
static void dns(struct maker *m, unsigned long i, unsigned long conn)
{
	static const uint8_t question[] = "\3api\7example\3com\0\0\1\0\1"; /* A, IN */
	static const uint8_t answer[] = "\300\14\0\1\0\1\0\0\0\74\0\4\12\1\2\3";

	for (int dir = 1; dir >= 0; dir--) {
		buf_put_be(&m->msg, i & 0xffff, 2);
		buf_put_be(&m->msg, dir ? 0x0100 : 0x8180, 2);
		buf_put_be(&m->msg, 1, 2);
		buf_put_be(&m->msg, !dir, 2);
		buf_put_be(&m->msg, 0, 4);
		buf_put(&m->msg, question, sizeof(question) - 1);
		if (!dir)
			buf_put(&m->msg, answer, sizeof(answer) - 1);
		put_call(m, conn, dir);
		m->now_ns += TXN_NS / 4;
	}
}

static enum kind kind_of(const char *name)
{
	static const char *const names[] = {"http1", "h2", "grpc", "dns"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return (enum kind)i;
	exit(2);
}

int main(int argc, char **argv)
{
	struct maker m = {.now_ns = 1000000000};

	if (argc != 7)
		return 2;
	m.kind = kind_of(argv[2]);
	m.txns = strtoul(argv[3], NULL, 10);
	m.conns = strtoul(argv[4], NULL, 10);
	m.headers = strtoul(argv[5], NULL, 10);
	m.body = strtoul(argv[6], NULL, 10);
	m.peers = calloc(m.conns, sizeof(*m.peers));
	if (!m.peers || m.headers > HEADERS_MAX || recording_create(&m.out, argv[1]))
		return 1;
	for (int k = 0; k < HEADERS_MAX; k++)
		snprintf(m.names[k], sizeof(m.names[k]), "x-bench-%d", k);
	put_preamble(&m);
	for (unsigned long i = 0; i < m.txns; i++) {
		if (m.kind == HTTP1)
			http1(&m, i, i % m.conns);
		else if (m.kind == DNS)
			dns(&m, i, i % m.conns);
		else
			h2(&m, i, i % m.conns);
		m.now_ns += TXN_NS / 2;
	}
	for (unsigned long c = 0; c < m.conns; c++)
		for (int d = 0; d < 2; d++)
			if (m.peers[c].deflater[d])
				nghttp2_hd_deflate_del(m.peers[c].deflater[d]);
	free(m.peers);
	buf_free(&m.msg);
	buf_free(&m.rec);
	return recording_close(m.out) || m.err;
}
