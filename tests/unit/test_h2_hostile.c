/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a hostile peer can send costs bounded memory and time: each test sends far more than the limits and
 * looks at what the transactions hold. The counts are such that anything quadratic would be noticed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/attr_names.h"
#include "parsers/h2.h"
#include "parsers/rows.h"

#define GET "\x82\x84\x87"

struct stage {
	struct proto_sink sink; /* first */
	struct limits limits;
	void *parser;
	struct buf bytes; /* to be fed */
	uint64_t off[DIR_COUNT], settled[DIR_COUNT];
	uint64_t txns, aborted, limited, no_request, now_ns;
	uint64_t met[LIMIT_KINDS];
	size_t held_bytes, largest_bytes; /* arenas of all and of the largest transaction */
	uint32_t most_headers;
};

static struct stage *stage_of(struct proto_sink *s)
{
	return (struct stage *)s;
}

static void on_txn(struct proto_sink *sink, struct txn *t)
{
	struct stage *s = stage_of(sink);
	const struct attr *a = txn_attr(t, A_REQUEST_HEADERS);

	s->txns++;
	s->aborted += t->outcome == OUTCOME_ABORTED;
	s->limited += (t->flags & TXN_LIMIT) != 0;
	s->no_request += (t->flags & TXN_NO_REQUEST) != 0;
	s->held_bytes += t->arena.used_bytes;
	if (t->arena.used_bytes > s->largest_bytes)
		s->largest_bytes = t->arena.used_bytes;
	if (a && a->count > s->most_headers)
		s->most_headers = a->count;
	txn_free(t);
}

static void on_secret(struct proto_sink *sink, enum dir d, uint64_t off, uint64_t n, uint8_t fill)
{
	(void)n;
	(void)fill;
	assert_true(off >= stage_of(sink)->settled[d]);
}

static void on_settled(struct proto_sink *sink, enum dir d, uint64_t off)
{
	stage_of(sink)->settled[d] = off;
}

static void on_role(struct proto_sink *sink, enum role r)
{
	(void)sink;
	(void)r;
}

static void on_limit(struct proto_sink *sink, enum limit_kind k)
{
	stage_of(sink)->met[k]++;
}

static const struct proto_sink_ops ops = {
	.txn = on_txn,
	.secret = on_secret,
	.settled = on_settled,
	.role = on_role,
	.limit = on_limit,
};

static void open_stage(struct stage *s)
{
	static const struct conn conn = {.seq = 1, .id = "1-1-1"};
	struct proto_open o = {.conn = &conn, .sink = &s->sink, .limits = &s->limits};

	*s = (struct stage){.sink = {&ops}, .limits = limits_default};
	s->parser = proto_http2.open(&o);
	assert_non_null(s->parser);
	buf_put(&s->bytes, H2_PREFACE, H2_PREFACE_BYTES);
}

static void close_stage(struct stage *s)
{
	proto_http2.close(s->parser, s->now_ns);
	buf_free(&s->bytes);
	txn_pool_drain();
}

static void frame(struct stage *s, uint8_t type, uint8_t flags, uint32_t stream, const void *p,
		  size_t n)
{
	buf_put_be(&s->bytes, n, 3);
	buf_putc(&s->bytes, type);
	buf_putc(&s->bytes, flags);
	buf_put_be(&s->bytes, stream, 4);
	assert_int_equal(buf_put(&s->bytes, p, n), 0);
}

static void send(struct stage *s, enum dir d)
{
	struct slice b = {.p = s->bytes.p,
			  .n = s->bytes.n,
			  .off = s->off[d],
			  .ts_ns = ++s->now_ns,
			  .call_start = true};

	assert_int_equal(proto_http2.feed(s->parser, d, &b, false).status, PARSE_OK);
	s->off[d] += b.n;
	buf_clear(&s->bytes);
}

static void endless_continuation(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s);
	frame(&s, H2_HEADERS, H2_END_STREAM, 1, GET, 3);
	for (int i = 0; i < 1000000; i++) {
		frame(&s, H2_CONTINUATION, 0, 1, "\0\1a\1b", i % 2 ? 5 : 0);
		if (i % 1000 == 0)
			send(&s, DIR_WRITE);
	}
	send(&s, DIR_WRITE);
	/* nothing is held back any more: chunks flow on */
	assert_int_equal(s.settled[DIR_WRITE], s.off[DIR_WRITE]);
	frame(&s, H2_CONTINUATION, H2_END_HEADERS, 1, "", 0);
	send(&s, DIR_WRITE);
	close_stage(&s);
	assert_int_equal(s.txns, 1);
	assert_int_equal(s.limited, 1);
	assert_int_equal(s.met[LIMIT_CONTINUATIONS], 1);
	assert_true(s.largest_bytes < 8192);
}

/* Few large CONTINUATIONs: limits->header_bytes ends it. */
static void endless_block(void **state)
{
	static char junk[16000];
	struct stage s;

	(void)state;
	open_stage(&s);
	memset(junk, 0x82, sizeof(junk));
	frame(&s, H2_HEADERS, H2_END_STREAM, 1, GET, 3);
	for (int i = 0; i < 200; i++)
		frame(&s, H2_CONTINUATION, i == 199 ? H2_END_HEADERS : 0, 1, junk, sizeof(junk));
	send(&s, DIR_WRITE);
	assert_int_equal(s.settled[DIR_WRITE], s.off[DIR_WRITE]);
	close_stage(&s);
	assert_int_equal(s.limited, 1);
	assert_int_equal(s.met[LIMIT_HEADER_BYTES], 1);
	assert_int_equal(s.most_headers, 0);
}

/* One octet each for an entry of 60,000: 4 GB when taken at its word. */
static void hpack_bomb(void **state)
{
	static uint8_t block[60000 + 70000];
	size_t n = 0;
	struct stage s;

	(void)state;
	open_stage(&s);
	memcpy(block, GET "\x40\1b\x7f\xe1\xd3\3", 10);
	n = 10;
	memset(block + n, 'x', 60000);
	n += 60000;
	memset(block + n, 0xbe, 65000);
	n += 65000;
	frame(&s, H2_HEADERS, H2_END_STREAM, 1, block, 16000);
	for (size_t at = 16000; at < n; at += 16000) {
		size_t k = n - at < 16000 ? n - at : 16000;

		frame(&s, H2_CONTINUATION, at + k == n ? H2_END_HEADERS : 0, 1, block + at, k);
	}
	send(&s, DIR_WRITE);
	close_stage(&s);
	assert_int_equal(s.txns, 1);
	assert_int_equal(s.limited, 1);
	assert_int_equal(s.met[LIMIT_HEADER_BYTES], 1);
	assert_in_range(s.most_headers, 4, 8);
	assert_true(s.largest_bytes < 4 * limits_default.header_bytes);
}

static void endless_field_names(void **state)
{
	struct stage s;
	char name[8];

	(void)state;
	open_stage(&s);
	for (uint32_t id = 1; id < 200; id += 2) {
		struct buf block = {0};

		buf_put(&block, GET, 3);
		for (int i = 0; i < 1200; i++) {
			snprintf(name, sizeof(name), "x%05x",
				 (unsigned int)(id * 1200 + i) & 0xfffff);
			buf_put(&block, "\x40\6", 2);
			buf_put(&block, name, 6);
			buf_putc(&block, 0);
		}
		frame(&s, H2_HEADERS, H2_END_STREAM | H2_END_HEADERS, id, block.p, block.n);
		buf_free(&block);
		send(&s, DIR_WRITE);
	}
	close_stage(&s);
	assert_int_equal(s.txns, 100);
	assert_int_equal(s.limited, 100);
	assert_int_equal(s.met[LIMIT_HEADERS], 100);
	assert_int_equal(s.most_headers, limits_default.headers);
}

/* CVE-2023-44487 */
static void rapid_reset(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s);
	for (uint32_t i = 0; i < 200000; i++) {
		frame(&s, H2_HEADERS, H2_END_STREAM | H2_END_HEADERS, 2 * i + 1, GET, 3);
		frame(&s, H2_RST_STREAM, 0, 2 * i + 1, "\0\0\0\x8", 4);
		if (i % 1000 == 0)
			send(&s, DIR_WRITE);
	}
	send(&s, DIR_WRITE);
	close_stage(&s);
	assert_int_equal(s.txns, 200000);
	assert_int_equal(s.aborted, 200000);
}

static void streams_without_end(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s);
	for (uint32_t i = 0; i < 50000; i++) {
		frame(&s, H2_HEADERS, H2_END_HEADERS, 2 * i + 1, GET, 3);
		send(&s, DIR_WRITE);
	}
	assert_int_equal(s.txns, 50000 - limits_default.streams);
	assert_int_equal(s.limited, s.txns);
	assert_int_equal(s.met[LIMIT_STREAMS], s.txns);
	/* what comes for the evicted is not taken for something new */
	for (uint32_t i = 0; i < 40000; i++)
		frame(&s, H2_HEADERS, H2_END_STREAM | H2_END_HEADERS, 2 * i + 1, "\x88", 1);
	send(&s, DIR_READ);
	assert_int_equal(s.txns, 50000 - limits_default.streams);
	close_stage(&s);
	assert_int_equal(s.txns, 50000);
	assert_int_equal(s.no_request, 0);
}

/* Every live stream with as many header octets and as much body as it may keep. */
static void streams_full_of_fields(void **state)
{
	static uint8_t block[16000];
	struct stage s;

	(void)state;
	open_stage(&s);
	s.limits.body_bytes = 1 << 20;
	memcpy(block, GET "\0\1b\x7f\x99\x74", 9);
	memset(block + 9, 'x', 15000);
	for (uint32_t i = 0; i < 4000; i++) {
		frame(&s, H2_HEADERS, H2_END_HEADERS, 2 * i + 1, block, 9 + 15000);
		frame(&s, H2_DATA, 0, 2 * i + 1, block, sizeof(block));
		send(&s, DIR_WRITE);
	}
	close_stage(&s);
	assert_int_equal(s.txns, 4000);
	assert_true(s.limited > 0);
	assert_int_equal(s.met[LIMIT_KEPT_BYTES], s.limited);
	assert_true(s.held_bytes < H2_KEPT_BYTES * 3 + (size_t)4000 * 3 * 4096);
}

/* Header sections again and again on one stream, as 1xx and as trailers. */
static void sections_without_end(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s);
	frame(&s, H2_HEADERS, H2_END_STREAM | H2_END_HEADERS, 1, GET, 3);
	send(&s, DIR_WRITE);
	for (int i = 0; i < 100000; i++)
		frame(&s, H2_HEADERS, H2_END_HEADERS, 1,
		      "\x08\3"
		      "103\0\1a\1b",
		      10);
	frame(&s, H2_HEADERS, H2_END_HEADERS, 1, "\x88", 1);
	for (int i = 0; i < 100000; i++)
		frame(&s, H2_HEADERS, H2_END_HEADERS, 1, "\0\1a\1b", 5);
	send(&s, DIR_READ);
	close_stage(&s);
	assert_int_equal(s.txns, 1);
	assert_int_equal(s.limited, 1);
	assert_true(s.met[LIMIT_INTERIM] + s.met[LIMIT_HEADERS] > 0);
	assert_true(s.largest_bytes < 1 << 20);
}

static void empty_frames_without_end(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s);
	frame(&s, H2_HEADERS, H2_END_HEADERS, 1, GET, 3);
	for (int i = 0; i < 1000000; i++) {
		frame(&s, H2_DATA, 0, 1, "", 0);
		frame(&s, H2_SETTINGS, 0, 0, "", 0);
	}
	send(&s, DIR_WRITE);
	close_stage(&s);
	assert_int_equal(s.txns, 1);
}

/* Encoders that say their tables are large, and small again, as often as they like. */
static void tables_without_end(void **state)
{
	struct stage s;

	(void)state;
	open_stage(&s);
	for (uint32_t i = 0; i < 9999; i++) {
		/* 1 GiB, a field of 1,000 octets; 4096; 64 KiB, which is just what is kept */
		static const char *const sizes[] = {"\x3f\xe1\xff\xff\xff\x03", "\x3f\xe1\x1f",
						    "\x3f\xe1\xff\x03"};
		const char *size = sizes[i % 3];
		struct buf block = {0};

		buf_puts(&block, size);
		buf_put(&block, GET "\x40\1b\x7f\xe9\6", 9);
		for (int k = 0; k < 1000; k++)
			buf_putc(&block, (uint8_t)('a' + i % 26));
		frame(&s, H2_HEADERS, H2_END_STREAM | H2_END_HEADERS, 2 * i + 1, block.p, block.n);
		frame(&s, H2_RST_STREAM, 0, 2 * i + 1, "\0\0\0\x8", 4);
		buf_free(&block);
		send(&s, DIR_WRITE);
	}
	close_stage(&s);
	assert_int_equal(s.txns, 9999);
	assert_int_equal(s.limited, 0);
	/* of each time that it was too large: an encoder's word, whatever SETTINGS allow */
	assert_int_equal(s.met[LIMIT_HPACK_TABLE], 3333);
}

/* More than the receiver allows cannot be a frame: out of step, looked for again, and counted. */
static void frames_too_long(void **state)
{
	static const uint8_t rest[9 + 16385] = {[1] = 0x40, [2] = 0x01, [8] = 1};
	struct stage s;

	(void)state;
	open_stage(&s);
	frame(&s, H2_HEADERS, H2_END_HEADERS, 1, GET, 3);
	send(&s, DIR_WRITE);
	for (int i = 0; i < 1000; i++) {
		struct slice b = {.p = rest,
				  .n = sizeof(rest),
				  .off = s.off[DIR_WRITE],
				  .ts_ns = ++s.now_ns,
				  .call_start = true};
		struct parse_res res = proto_http2.feed(s.parser, DIR_WRITE, &b, false);

		if (res.status == PARSE_LOST)
			proto_http2.resync(s.parser, DIR_WRITE);
		s.off[DIR_WRITE] += b.n;
		assert_true(s.settled[DIR_WRITE] + 2 * H2_SEARCH_BYTES >= s.off[DIR_WRITE]);
	}
	close_stage(&s);
	assert_int_equal(s.txns, 1);
	assert_int_equal(s.met[LIMIT_FRAME_BYTES], 1);
}

/* Nothing but what may begin a frame, and never is one: what is held stays small. */
static void no_frame_ever(void **state)
{
	static uint8_t zeros[16384];
	struct stage s;
	struct parse_res res;

	(void)state;
	open_stage(&s);
	buf_clear(&s.bytes);
	proto_http2.resync(s.parser, DIR_WRITE);
	for (int i = 0; i < 500; i++) {
		struct slice b = {.p = zeros,
				  .n = sizeof(zeros),
				  .off = s.off[DIR_WRITE],
				  .ts_ns = ++s.now_ns};

		zeros[i % sizeof(zeros)] = (uint8_t)i;
		res = proto_http2.feed(s.parser, DIR_WRITE, &b, false);
		assert_int_equal(res.consumed, b.n);
		s.off[DIR_WRITE] += b.n;
		assert_true(s.settled[DIR_WRITE] + H2_SEARCH_BYTES + sizeof(zeros) >=
			    s.off[DIR_WRITE]);
	}
	close_stage(&s);
	assert_int_equal(s.txns, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endless_continuation),
		cmocka_unit_test(endless_block),
		cmocka_unit_test(hpack_bomb),
		cmocka_unit_test(endless_field_names),
		cmocka_unit_test(rapid_reset),
		cmocka_unit_test(streams_without_end),
		cmocka_unit_test(streams_full_of_fields),
		cmocka_unit_test(sections_without_end),
		cmocka_unit_test(empty_frames_without_end),
		cmocka_unit_test(tables_without_end),
		cmocka_unit_test(frames_too_long),
		cmocka_unit_test(no_frame_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
