/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Conversations from fixtures, from the upgrade on; then frames that must not be, and bombs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/attr_names.h"
#include "parsers/rows.h"
#include "parsers/websocket.h"
#include "tests/unit/proto_fixture.h"

#define BOMB_BYTES ((size_t)8 << 20)

struct stage {
	struct proto_sink sink; /* first */
	struct conn conn;
	struct limits limits;
	void *parser;
	struct txn *last; /* owned */
	unsigned int txns;
};

static void on_txn(struct proto_sink *s, struct txn *t)
{
	struct stage *g = (struct stage *)s;

	txn_free(g->last);
	g->last = t;
	g->txns++;
}

static void on_role(struct proto_sink *s, enum role r)
{
	(void)s;
	assert_int_not_equal(r, ROLE_UNKNOWN);
}

static const struct proto_sink_ops sink_ops = {.txn = on_txn, .role = on_role};

/* `extensions`: of the response that opened it; NULL: no exchange was seen. */
static void open_stage(struct stage *g, const char *extensions)
{
	struct txn *from = NULL;
	struct header h = {.name = STR("Sec-WebSocket-Extensions")};

	*g = (struct stage){.sink.ops = &sink_ops, .limits = limits_default};
	if (extensions) {
		from = txn_new(&g->conn);
		from->role = ROLE_CLIENT;
		h.value = str_from(extensions);
		txn_headers(from, A_RESPONSE_HEADERS, &h, 1);
	}
	g->parser = proto_websocket.open(
		&(struct proto_open){&g->conn, &g->sink, &g->limits, false, from});
	assert_non_null(g->parser);
	txn_free(from);
}

static enum parse_status feed(struct stage *g, const void *p, size_t n)
{
	struct slice s = {p, n, 0, 1, 1, true};

	return proto_websocket.feed(g->parser, DIR_READ, &s, false).status;
}

static void close_stage(struct stage *g)
{
	proto_websocket.close(g->parser, 2);
	txn_free(g->last);
}

static void test_frames_that_must_not_be(void **state)
{
	static const struct {
		const char *p;
		size_t n;
		enum parse_status status;
	} rows[] = {
		{"\x81\0", 2, PARSE_OK},
		{"\x83\0", 2, PARSE_LOST}, /* reserved opcodes */
		{"\x87\0", 2, PARSE_LOST},
		{"\x8b\0", 2, PARSE_LOST},
		{"\x8f\0", 2, PARSE_LOST},
		{"\xa1\0", 2, PARSE_LOST}, /* reserved bits */
		{"\x91\0", 2, PARSE_LOST},
		{"\xc1\0", 2, PARSE_LOST}, /* compressed, which was not agreed on */
		{"\x80\0", 2, PARSE_LOST}, /* a continuation of nothing */
		{"\x01\0\x01\0", 4, PARSE_LOST},
		{"\x01\0\x80\0", 4, PARSE_OK},
		{"\x09\0", 2, PARSE_LOST}, /* a control frame in fragments */
		{"\x89\x7e\0\x7e", 4, PARSE_LOST},
		{"\x89\x7e\0\x7d", 4, PARSE_OK},
		{"\x82\x7f\x80\0\0\0\0\0\0\0", 10, PARSE_LOST},
		{"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10, PARSE_OK},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stage g;

		open_stage(&g, "");
		if (feed(&g, rows[i].p, rows[i].n) != rows[i].status)
			fail_msg("row %zu", i);
		close_stage(&g);
	}
}

/* The lengths of fragments and holes add up to more than there are numbers for. */
static void test_endless(void **state)
{
	static const char head[] = "\0\x7f\x7f\xff\xff\xff\xff\xff\xff\xff";
	struct stage g;

	(void)state;
	open_stage(&g, "");
	assert_int_equal(feed(&g, "\x02\0", 2), PARSE_OK);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(feed(&g, head, 10), PARSE_OK);
		assert_int_equal(proto_websocket.gap(g.parser, DIR_READ, INT64_MAX, 1).status,
				 PARSE_OK);
	}
	assert_int_equal(feed(&g, "\x80\0", 2), PARSE_OK);
	assert_int_equal(txn_attr(g.last, A_WS_SIZE)->num, INT64_MAX);
	assert_true(g.last->flags & TXN_LOST_RESPONSE);
	close_stage(&g);
}

/* The upgrade was not seen: who masks is the client, what is compressed stays so. */
static void test_unknown_upgrade(void **state)
{
	struct stage g;

	(void)state;
	open_stage(&g, NULL);
	assert_int_equal(feed(&g, "\xc1\x82\0\0\0\0\1\2", 8), PARSE_OK);
	assert_int_equal(g.last->role, ROLE_SERVER);
	assert_int_equal(g.last->flags, TXN_LATE);
	assert_int_equal(g.last->request_body_bytes, 2);
	assert_int_equal(txn_attr(g.last, A_WS_COMPRESSED_SIZE)->num, 2);
	assert_null(txn_attr(g.last, A_WS_SIZE));
	close_stage(&g);
}

/* The whole of `n` zeros as one message, without the four octets that are not sent. */
static void put_zeros(struct buf *b, size_t n)
{
	uint8_t *in = calloc(1, n), *out = malloc(n / 100);
	z_stream z = {.next_in = in, .avail_in = (uInt)n, .next_out = out};

	assert_true(in && out);
	z.avail_out = (uInt)(n / 100);
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
	buf_put(b, "\xc2\x7f", 2);
	buf_put_be(b, z.total_out - 4, 8);
	buf_put(b, out, z.total_out - 4);
	deflateEnd(&z);
	free(in);
	free(out);
}

static void test_bomb(void **state)
{
	struct stage g;
	struct buf b = {0};

	(void)state;
	open_stage(&g, "permessage-deflate");
	g.limits.body_bytes = 1000;
	put_zeros(&b, 1 << 20);
	assert_int_equal(feed(&g, b.p, b.n), PARSE_OK);
	assert_int_equal(g.last->flags, 0);
	assert_int_equal(txn_attr(g.last, A_WS_SIZE)->num, 1 << 20);
	assert_int_equal(txn_attr(g.last, A_WS_CONTENT_BASE64)->str.n, 1000);
	buf_clear(&b);
	put_zeros(&b, BOMB_BYTES);
	assert_int_equal(feed(&g, b.p, b.n), PARSE_OK);
	assert_int_equal(g.last->flags, TXN_LIMIT);
	assert_null(txn_attr(g.last, A_WS_SIZE));
	/* what refers to it is not known, and said to be so */
	assert_int_equal(feed(&g, "\xc1\x05\xf2\0\x11\0\0", 7), PARSE_OK);
	assert_int_equal(g.last->flags, TXN_LOST_RESPONSE);
	assert_int_equal(g.txns, 3);
	buf_free(&b);
	close_stage(&g);
}

/* Kept text ends at a character's end. */
static void test_cut_text(void **state)
{
	static const struct {
		size_t keep;
		const char *text;
	} rows[] = {{1, "a"},
		    {2, "a"},
		    {3, "a\xc3\xa4"},
		    {5, "a\xc3\xa4"},
		    {6, "a\xc3\xa4\xe2\x82\xac"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stage g;

		open_stage(&g, "");
		g.limits.body_bytes = rows[i].keep;
		feed(&g,
		     "\x81\x07"
		     "a\xc3\xa4\xe2\x82\xac!",
		     9);
		assert_true(str_eq(txn_attr(g.last, A_WS_CONTENT)->str, str_from(rows[i].text)));
		close_stage(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_that_must_not_be),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_unknown_upgrade),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_cut_text),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	return failed + fixture_main(&proto_http1, "tests/fixtures/websocket");
}
