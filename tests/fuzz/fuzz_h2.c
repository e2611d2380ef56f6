/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/2 on both directions of a connection. The first octet of an input is the set-up, then segments
 * follow: an octet for what it is, one for its length, and the octets. A segment is bytes as they stand, a
 * gap, or a frame whose head is put in front with the right length, so that mutations get past the
 * framing. An input that looks like a fixture (tests/unit/proto_fixture.h) or like a recorded connection
 * (tests/fixtures/h2/recorded) is taken as one.
 */
#include <ctype.h>
#include <stdlib.h>

#include "core/buf.h"
#include "parsers/rows.h"

#define SET_LATE 0x01
#define SET_BODY 0x02
#define SET_FEW_STREAMS 0x04
#define SET_RUNNING 0x08

#define HOW_READ 0x80
#define HOW_GAP 0x40
#define HOW_FRAME 0x20 /* type in the low five bits; flags and stream are the first two octets */
#define HOW_CALL 0x10  /* without HOW_FRAME: a call begins */

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct fuzz {
	struct proto_sink sink; /* first */
	uint64_t settled[DIR_COUNT], fed[DIR_COUNT];
	void *parser;
	uint64_t ts_ns;
};

static void must(bool what)
{
	if (!what)
		abort();
}

static void on_txn(struct proto_sink *s, struct txn *t)
{
	(void)s;
	must(t->event_name && t->attr_count <= TXN_ATTRS_MAX && t->has_stream);
	must(t->end_ns >= t->start_ns);
	txn_free(t);
}

static void on_secret(struct proto_sink *s, enum dir d, uint64_t off, uint64_t n, uint8_t fill)
{
	struct fuzz *f = (struct fuzz *)s;

	must(fill == 0x2a || fill == 0xf9);
	must(n && off >= f->settled[d] && off + n <= f->fed[d]);
}

static void on_settled(struct proto_sink *s, enum dir d, uint64_t off)
{
	struct fuzz *f = (struct fuzz *)s;

	must(off >= f->settled[d] && off <= f->fed[d]);
	f->settled[d] = off;
}

static void on_role(struct proto_sink *s, enum role r)
{
	(void)s;
	must(r != ROLE_UNKNOWN);
}

static const struct proto_sink_ops sink_ops = {
	.txn = on_txn,
	.secret = on_secret,
	.settled = on_settled,
	.role = on_role,
};

static void feed(struct fuzz *f, enum dir d, const uint8_t *p, size_t n, bool call_start)
{
	/* an exact copy, so that reading past its end is seen */
	uint8_t *copy = malloc(n + !n);
	struct slice s = {copy, n, f->fed[d], f->ts_ns, 1, call_start};
	struct parse_res r;

	must(copy != NULL);
	if (n)
		memcpy(copy, p, n);
	f->fed[d] += n;
	proto_http2.probe(d, copy, n);
	r = proto_http2.feed(f->parser, d, &s, false);
	free(copy);
	must(r.status == PARSE_OK || r.status == PARSE_LOST);
	must(r.consumed <= n && (r.status == PARSE_LOST || r.consumed == n));
	if (r.status == PARSE_LOST)
		proto_http2.resync(f->parser, d);
}

static void gap(struct fuzz *f, enum dir d, size_t n)
{
	f->fed[d] += n;
	proto_http2.gap(f->parser, d, n, f->ts_ns);
}

/* Flags, then a small stream number, then the payload. */
static void feed_frame(struct fuzz *f, uint8_t how, const uint8_t *p, size_t n)
{
	uint8_t frame[9 + 255] = {0};

	if (n < 2)
		return;
	frame[2] = (uint8_t)(n - 2);
	frame[3] = how & 0x1f;
	frame[4] = p[0];
	frame[8] = p[1];
	memcpy(frame + 9, p + 2, n - 2);
	feed(f, how & HOW_READ ? DIR_READ : DIR_WRITE, frame, 9 + n - 2, false);
}

static void begin(struct fuzz *f, struct limits *limits, uint8_t set)
{
	static const struct conn conn = {.seq = 1, .id = "1-1-1"};

	*f = (struct fuzz){.sink.ops = &sink_ops};
	*limits = limits_default;
	limits->body_bytes = set & SET_BODY ? 64 : 0;
	limits->streams = set & SET_FEW_STREAMS ? 3 : 100;
	limits->early = limits->rpc_messages = set & SET_RUNNING;
	limits->header_bytes = 1000;
	limits->headers = 30;
	limits->continuation_frames = 4;
	f->parser = proto_http2.open(
		&(struct proto_open){&conn, &f->sink, limits, set & SET_LATE, NULL});
	must(f->parser != NULL);
}

static void end(struct fuzz *f)
{
	proto_http2.close(f->parser, f->ts_ns);
	txn_pool_drain();
}

static void run(const uint8_t *p, size_t n)
{
	struct limits limits;
	struct fuzz f;

	begin(&f, &limits, n ? p[0] : 0);
	for (size_t i = 1, k; i + 1 < n; i += k) {
		uint8_t how = p[i++];
		enum dir d = how & HOW_READ ? DIR_READ : DIR_WRITE;

		k = p[i++];
		if (k > n - i)
			k = n - i;
		f.ts_ns += 100000000;
		if (how & HOW_FRAME)
			feed_frame(&f, how, p + i, k);
		else if (how & HOW_GAP)
			gap(&f, d, k);
		else
			feed(&f, d, p + i, k, how & HOW_CALL);
		proto_http2.tick(f.parser, f.ts_ns);
	}
	end(&f);
}

/* Calls as recorded: '>' or '<', a length of four octets, the octets; joined where a call is none of them. */
static void run_calls(const uint8_t *p, size_t n)
{
	struct limits limits;
	struct fuzz f;
	size_t k;

	begin(&f, &limits, SET_RUNNING | SET_BODY);
	for (size_t i = 0; n - i > 5; i += 5 + k) {
		k = (size_t)p[i + 3] << 8 | p[i + 4];
		if (k > n - i - 5)
			k = n - i - 5;
		if (p[i] != '>' && p[i] != '<') {
			end(&f);
			begin(&f, &limits, SET_LATE);
		}
		f.ts_ns += 1000;
		feed(&f, p[i] == '>' ? DIR_WRITE : DIR_READ, p + i + 5, k, true);
		proto_http2.tick(f.parser, f.ts_ns);
	}
	end(&f);
}

static int hex(uint8_t c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

static size_t put_hex(uint8_t *out, size_t cap, const uint8_t *p, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i + 1 < n && p[i] != '#' && k < cap; i++)
		if (hex(p[i]) >= 0 && hex(p[i + 1]) >= 0) {
			out[k++] = (uint8_t)(hex(p[i]) << 4 | hex(p[i + 1]));
			i++;
		}
	return k;
}

static size_t put_text(uint8_t *out, size_t cap, const uint8_t *p, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n && k < cap; i++) {
		if (p[i] != '\\' || i + 1 == n) {
			out[k++] = p[i];
			continue;
		}
		i++;
		if (p[i] == 'x' && i + 2 < n && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
			out[k++] = (uint8_t)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
			i += 2;
		} else {
			out[k++] = p[i] == 'r' ? '\r' : p[i] == 'n' ? '\n' : p[i];
		}
	}
	return k;
}

static void from_fixture(struct buf *out, const uint8_t *p, size_t n)
{
	buf_putc(out, memmem(p, n, ".late", 5) ? SET_LATE | SET_BODY : SET_BODY | SET_RUNNING);
	while (n) {
		const uint8_t *lf = memchr(p, '\n', n);
		size_t line = lf ? (size_t)(lf - p) : n, k = 0;
		uint8_t octets[255], how = p[0] == '<' ? HOW_READ : 0;

		if (line >= 3 && memcmp(p, "---", 3) == 0)
			return;
		if (line > 2 && (p[0] == '>' || p[0] == '<')) {
			if (p[1] == ':')
				k = put_hex(octets, sizeof(octets), p + 2, line - 2);
			else
				k = put_text(octets, sizeof(octets), p + 2, line - 2);
			buf_putc(out, how | (p[1] == '~' ? HOW_GAP : HOW_CALL));
			buf_putc(out, (uint8_t)k);
			buf_put(out, octets, k);
		}
		p += line + !!lf;
		n -= line + !!lf;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf segments = {0};

	if (n > 1 && p[0] && strchr("#><.", p[0]) && (p[1] == ' ' || p[1] == ':')) {
		from_fixture(&segments, p, n);
		run(segments.p, segments.n);
	} else if (n > 1 && p[0] && strchr("><", p[0]) && !p[1]) {
		run_calls(p, n);
	} else {
		run(p, n);
	}
	buf_free(&segments);
	return 0;
}
