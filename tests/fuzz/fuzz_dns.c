/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS over datagrams and over streams. The first octet says which, segments follow
 * (tests/fuzz/fixture_input.h). In a stream the length of a message is put in front of a segment that says
 * so, so that mutations get past the framing.
 */
#include <stdlib.h>

#include "parsers/dns_message.h"
#include "parsers/rows.h"
#include "tests/fuzz/fixture_input.h"

#define SET_STREAM 0x01
#define SET_FEW 0x02
#define HOW_FRAMED 0x10

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct fuzz {
	struct proto_sink sink; /* first */
	const struct proto_ops *ops;
	void *parser;
	uint64_t off[DIR_COUNT], ts_ns;
};

static void must(bool what)
{
	if (!what)
		abort();
}

static void on_txn(struct proto_sink *s, struct txn *t)
{
	const struct attr *a = txn_attr(t, "dns.answers");
	size_t bytes = 0;

	(void)s;
	must(t->event_name && t->attr_count <= TXN_ATTRS_MAX && t->end_ns >= t->start_ns);
	for (uint32_t i = 0; a && i < a->count; i++)
		bytes += a->strs[i].n;
	must(bytes <= 3 * DNS_TEXT_BYTES_MAX);
	txn_free(t);
}

static void on_role(struct proto_sink *s, enum role r)
{
	(void)s;
	must(r != ROLE_UNKNOWN);
}

static const struct proto_sink_ops sink_ops = {.txn = on_txn, .role = on_role};

static void feed(struct fuzz *f, uint8_t how, const uint8_t *p, size_t n)
{
	enum dir d = how & HOW_READ ? DIR_READ : DIR_WRITE;
	size_t head = how & HOW_FRAMED && !f->ops->datagram ? 2 : 0;
	/* of the exact size, so that reading past its end is seen */
	uint8_t *copy = malloc(head + n + !n);
	struct slice s = {copy, head + n, f->off[d], f->ts_ns, 1, how & HOW_CALL};
	struct parse_res r;

	must(copy != NULL);
	if (head) {
		copy[0] = 0;
		copy[1] = (uint8_t)n;
	}
	if (n)
		memcpy(copy + head, p, n);
	f->off[d] += s.n;
	f->ops->probe(d, copy, s.n);
	r = f->ops->feed(f->parser, d, &s, false);
	free(copy);
	must(r.status == PARSE_OK || r.status == PARSE_LOST);
	must(r.consumed <= s.n && (r.status == PARSE_LOST || r.consumed == s.n));
	if (r.status == PARSE_LOST)
		f->ops->resync(f->parser, d);
}

static void gap(struct fuzz *f, uint8_t how, size_t n)
{
	enum dir d = how & HOW_READ ? DIR_READ : DIR_WRITE;

	f->off[d] += n;
	if (f->ops->gap(f->parser, d, n, f->ts_ns).status == PARSE_LOST)
		f->ops->resync(f->parser, d);
}

static void run(const uint8_t *p, size_t n)
{
	struct fuzz f = {.sink.ops = &sink_ops};
	struct conn conn = {.seq = 1, .id = "1-1-1"};
	struct limits limits = limits_default;
	uint8_t set = n ? p[0] : 0;

	limits.pipeline = set & SET_FEW ? 2 : 100;
	f.ops = set & SET_STREAM ? &proto_dns_stream : &proto_dns;
	f.parser = f.ops->open(&(struct proto_open){&conn, &f.sink, &limits, false, NULL});
	must(f.parser != NULL);
	for (size_t i = 1, k; i + 1 < n; i += k) {
		uint8_t how = p[i++];

		k = p[i++];
		if (k > n - i)
			k = n - i;
		f.ts_ns += (uint64_t)(how & 0xf) * 1000000000;
		if (how & HOW_GAP)
			gap(&f, how, k);
		else
			feed(&f, how, p + i, k);
		f.ops->tick(f.parser, f.ts_ns);
	}
	f.ops->close(f.parser, f.ts_ns);
	txn_pool_drain();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct buf segments = {0};

	if (!input_is_fixture(p, n)) {
		run(p, n);
		return 0;
	}
	for (uint8_t set = 0; set <= SET_STREAM; set++) {
		buf_clear(&segments);
		buf_putc(&segments, set);
		input_segments(&segments, p, n);
		run(segments.p, segments.n);
	}
	buf_free(&segments);
	return 0;
}
