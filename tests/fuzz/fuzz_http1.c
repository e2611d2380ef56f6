/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/1 on both directions of a connection. The input is a row of segments: an octet that says direction
 * (0x80), gap (0x40) and last chance (0x20), an octet for the length (255: all the rest), then the octets.
 * An input that looks like a fixture (tests/unit/proto_fixture.h) is taken as one, a line a segment. What
 * the parser leaves is offered again with the next segment of its direction, as flow/ does it.
 */
#include <stdlib.h>

#include "core/buf.h"
#include "parsers/rows.h"

#define HOW_READ 0x80
#define HOW_GAP 0x40
#define HOW_LAST 0x20
#define TO_THE_END 255

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct fuzz_sink {
	struct proto_sink sink; /* first */
	uint64_t settled[DIR_COUNT], fed[DIR_COUNT];
};

static void must(bool what)
{
	if (!what)
		abort();
}

static void on_txn(struct proto_sink *s, struct txn *t)
{
	(void)s;
	must(t->event_name && t->attr_count <= TXN_ATTRS_MAX);
	txn_free(t);
}

static void on_secret(struct proto_sink *s, enum dir d, uint64_t off, uint64_t n, uint8_t fill)
{
	struct fuzz_sink *f = (struct fuzz_sink *)s;

	must(fill == '*' && n && off >= f->settled[d] && off + n <= f->fed[d]);
}

static void on_settled(struct proto_sink *s, enum dir d, uint64_t off)
{
	struct fuzz_sink *f = (struct fuzz_sink *)s;

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

/* One direction: its position, and what waits. */
struct lane {
	uint64_t off;
	struct buf waiting;
};

/* False when the parser is done. */
static bool feed(struct fuzz_sink *f, void *st, struct lane *l, enum dir d, uint64_t ts_ns,
		 bool last)
{
	/* an exact copy, so that reading past its end is seen */
	uint8_t *copy = malloc(l->waiting.n + !l->waiting.n);
	struct slice s = {copy, l->waiting.n, l->off, ts_ns, 1, true};
	struct parse_res r;

	must(copy != NULL);
	if (l->waiting.n)
		memcpy(copy, l->waiting.p, l->waiting.n);
	f->fed[d] = l->off + l->waiting.n;
	r = proto_http1.feed(st, d, &s, last);
	free(copy);
	must(r.consumed <= l->waiting.n);
	must(r.status != PARSE_OK || r.consumed == l->waiting.n);
	must(r.status != PARSE_WAIT || !last);
	if (r.status == PARSE_LOST) {
		proto_http1.resync(st, d);
		r.consumed = l->waiting.n;
	}
	l->off += r.consumed;
	buf_consume(&l->waiting, r.consumed);
	return r.status != PARSE_UPGRADE;
}

/* The octets of a fixture's line, with the commonest escapes; more than a segment holds is cut off. */
static void put_line(struct buf *out, const uint8_t *p, size_t n, uint8_t how)
{
	size_t at = out->n + 1, length;

	buf_putc(out, how);
	buf_putc(out, 0);
	for (size_t i = 0; i < n && out->n - at < TO_THE_END; i++) {
		bool escape = p[i] == '\\' && i + 1 < n;

		i += escape;
		buf_putc(out, !escape ? p[i] : p[i] == 'r' ? '\r' : p[i] == 'n' ? '\n' : p[i]);
	}
	length = out->n - at - 1;
	must(buf_ok(out));
	out->p[at] = (uint8_t)length;
}

static void from_fixture(struct buf *out, const uint8_t *p, size_t n)
{
	while (n) {
		const uint8_t *lf = memchr(p, '\n', n);
		size_t line = lf ? (size_t)(lf - p) : n;
		uint8_t how = p[0] == '<' ? HOW_READ : 0;

		if (line >= 3 && memcmp(p, "---", 3) == 0)
			return;
		if (line >= 2 && (p[0] == '>' || p[0] == '<') && p[1] == '~')
			put_line(out, p + 2, line - 2, how | HOW_GAP);
		else if (line >= 2 && (p[0] == '>' || p[0] == '<'))
			put_line(out, p + 2, line - 2, how);
		else if (line >= 6 && memcmp(p, "expire", 6) == 0)
			put_line(out, p, 0, HOW_LAST), put_line(out, p, 0, HOW_LAST | HOW_READ);
		p += line + !!lf;
		n -= line + !!lf;
	}
}

static void run(const uint8_t *p, size_t n)
{
	struct fuzz_sink f = {.sink.ops = &sink_ops};
	struct conn conn = {.seq = 1, .id = "1-1-1"};
	struct limits limits = limits_default;
	struct lane lanes[DIR_COUNT] = {0};
	bool on = true;
	uint64_t ts_ns = 0;
	void *st;

	limits.body_bytes = n & 1 ? 64 : 0;
	limits.header_bytes = n & 2 ? 128 : 4096;
	limits.headers = 8;
	limits.pipeline = 4;
	st = proto_http1.open(&(struct proto_open){&conn, &f.sink, &limits, n & 4, NULL});
	must(st != NULL);
	while (n > 1 && on) {
		uint8_t how = p[0];
		enum dir d = how & HOW_READ ? DIR_READ : DIR_WRITE;
		struct lane *l = &lanes[d];
		size_t k = p[1];

		p += 2;
		n -= 2;
		ts_ns++;
		if (k == TO_THE_END || k > n)
			k = n;
		if (how & HOW_GAP) {
			on = !l->waiting.n || feed(&f, st, l, d, ts_ns, true);
			f.fed[d] = l->off + k;
			if (on && k && proto_http1.gap(st, d, k, ts_ns).status == PARSE_LOST)
				proto_http1.resync(st, d);
			l->off += k;
			continue;
		}
		must(buf_put(&l->waiting, p, k) == 0);
		p += k;
		n -= k;
		on = feed(&f, st, l, d, ts_ns, how & HOW_LAST);
	}
	proto_http1.close(st, ts_ns);
	buf_free(&lanes[0].waiting);
	buf_free(&lanes[1].waiting);
	txn_pool_drain();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf segments = {0};

	if (n && strchr("#><.", p[0] ? p[0] : ' ')) {
		from_fixture(&segments, p, n);
		run(segments.p, segments.n);
	} else {
		run(p, n);
	}
	buf_free(&segments);
	return 0;
}
