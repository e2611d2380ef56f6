/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP/1: what begins a message, and that no traffic makes the parser keep more than it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/buf.h"
#include "parsers/http1_txn.h"
#include "parsers/rows.h"

static enum probe_res probe(const char *p, size_t n)
{
	/* an exact copy, so that reading past its end is seen */
	uint8_t *exact = malloc(n + !n);
	enum probe_res res;

	assert_non_null(exact);
	memcpy(exact, p, n);
	res = proto_http1.probe(DIR_READ, exact, n);
	free(exact);
	return res;
}

static void test_probe(void **state)
{
#define ROW(text, res)                      \
	{                                   \
		text, sizeof(text) - 1, res \
	}
	static const struct {
		const char *p;
		size_t n;
		enum probe_res res;
	} rows[] = {
		ROW("GET / HTTP/1.1\r\n", PROBE_YES),
		ROW("GET / HTTP/1.0\n", PROBE_YES),
		ROW("M-SEARCH * HTTP/1.1\r\n", PROBE_YES),
		ROW("VERSION-CONTROL /a HTTP/1.1\r\n", PROBE_YES),
		ROW("get /lower HTTP/1.1\r\n", PROBE_YES),
		ROW("GET  /a b\tHTTP/1.1 \r\n", PROBE_YES),
		ROW("\r\n\r\nGET / HTTP/1.1\r\n", PROBE_YES),
		ROW("CONNECT h:443 HTTP/1.1\r\n", PROBE_YES),
		ROW("HTTP/1.1 200 OK", PROBE_YES),
		ROW("HTTP/1.0 404\r\n", PROBE_YES),
		ROW("", PROBE_MORE),
		ROW("\r\n", PROBE_MORE),
		ROW("H", PROBE_MORE),
		ROW("HTTP/1.1 20", PROBE_MORE),
		ROW("HEAD", PROBE_MORE),
		ROW("GET /path", PROBE_MORE),
		ROW("GET / HTTP/1.1", PROBE_MORE),
		/* the HTTP/2 preface, TLS, SSH, SMTP, RTSP, other versions and binary */
		ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", PROBE_NO),
		ROW("\x16\x03\x01\x02\x00\x01", PROBE_NO),
		ROW("SSH-2.0-OpenSSH_9.2\r\n", PROBE_NO),
		ROW("EHLO example.com\r\n", PROBE_NO),
		ROW("SETUP rtsp://h/ RTSP/1.0\r\n", PROBE_NO),
		ROW("GET /\r\n", PROBE_NO),
		ROW("GET HTTP/1.1\r\n", PROBE_NO),
		ROW("HTTP/2 200\r\n", PROBE_NO),
		ROW("HTTP/1.1 2x0", PROBE_NO),
		ROW("HTTP/1.1 2000", PROBE_NO),
		ROW("GET /\x01 HTTP/1.1\r\n", PROBE_NO),
		ROW("{\"json\": 1}", PROBE_NO),
		ROW("AMETHODLONGERTHANANYONEWOULDEVERUSEIT / HTTP/1.1\r\n", PROBE_NO),
		ROW("\x00\x00\x00", PROBE_NO),
	};
#undef ROW

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (probe(rows[i].p, rows[i].n) != rows[i].res)
			fail_msg("%s", rows[i].p);
		/* more bytes never turn NO into something else, nor is a beginning of YES a NO */
		for (size_t n = 0; n < rows[i].n; n++)
			if (probe(rows[i].p, n) == PROBE_NO && rows[i].res != PROBE_NO)
				fail_msg("the first %zu of %s", n, rows[i].p);
	}
}

/* A long target is believed before its end; flow/ looks at 4096 octets only. */
static void test_probe_long_target(void **state)
{
	char p[2048];

	(void)state;
	memset(p, 'a', sizeof(p));
	memcpy(p, "GET /", 5);
	assert_int_equal(probe(p, 200), PROBE_MORE);
	assert_int_equal(probe(p, sizeof(p)), PROBE_YES);
	memcpy(p, "word ", 5);
	assert_int_equal(probe(p, sizeof(p)), PROBE_MORE);
}

struct test_sink {
	struct proto_sink sink; /* first */
	size_t txns, limited, alone;
	size_t arena_bytes; /* of the last transaction */
};

static void on_txn(struct proto_sink *s, struct txn *t)
{
	struct test_sink *k = (struct test_sink *)s;

	k->txns++;
	k->limited += (t->flags & TXN_LIMIT) != 0;
	k->alone += (t->flags & TXN_NO_REQUEST) != 0;
	k->arena_bytes = t->arena.used_bytes;
	txn_free(t);
}

static void on_secret(struct proto_sink *s, enum dir d, uint64_t off, uint64_t n, uint8_t fill)
{
	(void)s, (void)d, (void)off, (void)n, (void)fill;
}

static void on_settled(struct proto_sink *s, enum dir d, uint64_t off)
{
	(void)s, (void)d, (void)off;
}

static void on_role(struct proto_sink *s, enum role r)
{
	(void)s, (void)r;
}

static const struct proto_sink_ops sink_ops = {
	.txn = on_txn,
	.secret = on_secret,
	.settled = on_settled,
	.role = on_role,
};

struct stage {
	struct test_sink k;
	struct conn conn;
	struct limits limits;
	void *parser;
	uint64_t off[DIR_COUNT];
};

static void open_stage(struct stage *g)
{
	struct proto_open o = {.conn = &g->conn, .sink = &g->k.sink, .limits = &g->limits};

	*g = (struct stage){.k.sink.ops = &sink_ops, .conn.id = "1-1-1", .limits = limits_default};
	g->parser = proto_http1.open(&o);
	assert_non_null(g->parser);
}

static void close_stage(struct stage *g)
{
	proto_http1.close(g->parser, 1);
	txn_pool_drain();
}

static enum parse_status feed(struct stage *g, enum dir d, const void *p, size_t n)
{
	struct slice s = {.p = p, .n = n, .off = g->off[d], .ts_ns = 1, .tid = 1};
	struct parse_res r = proto_http1.feed(g->parser, d, &s, true);

	g->off[d] += r.consumed;
	return r.status;
}

#define FEED(g, d, text) assert_int_equal(feed((g), (d), (text), sizeof(text) - 1), PARSE_OK)

/* As many requests as one likes, none answered: those over the limit leave, with the oldest first. */
static void test_pipeline_of_requests(void **state)
{
	struct stage g;

	(void)state;
	open_stage(&g);
	for (int i = 0; i < 5000; i++)
		FEED(&g, DIR_WRITE, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_int_equal(g.k.txns, 4000);
	assert_int_equal(g.k.limited, 4000);
	for (int i = 0; i < 5000; i++)
		FEED(&g, DIR_READ, "HTTP/1.1 204 No Content\r\n\r\n");
	assert_int_equal(g.k.txns, 9000);
	assert_int_equal(g.k.alone, 4000);
	close_stage(&g);
}

/* Few of them, but large. */
static void test_pipeline_of_bytes(void **state)
{
	static const char first[] = "GET / HTTP/1.1\r\nX: ";
	const size_t n = 250000;
	char *p = malloc(n);
	struct stage g;

	(void)state;
	assert_non_null(p);
	memset(p, 'x', n);
	memcpy(p, first, sizeof(first) - 1);
	memcpy(p + n - 4, "\r\n\r\n", 4);
	open_stage(&g);
	for (int i = 0; i < 200; i++)
		assert_int_equal(feed(&g, DIR_WRITE, p, n), PARSE_OK);
	assert_true((200 - g.k.txns) * n <= HTTP1_PENDING_BYTES + 2 * n);
	assert_int_equal(g.k.limited, g.k.txns);
	close_stage(&g);
	free(p);
}

/* Interim responses without end leave nothing behind but their first codes. */
static void test_interim_flood(void **state)
{
	struct stage g;

	(void)state;
	open_stage(&g);
	FEED(&g, DIR_WRITE, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	for (int i = 0; i < 100000; i++)
		FEED(&g, DIR_READ, "HTTP/1.1 102 Processing\r\nX-Padding: 0123456789\r\n\r\n");
	FEED(&g, DIR_READ, "HTTP/1.1 204 No Content\r\n\r\n");
	assert_int_equal(g.k.txns, 1);
	assert_int_equal(g.k.limited, 1);
	assert_true(g.k.arena_bytes < 64 << 10);
	close_stage(&g);
}

/* A section that never ends is cut at its limit, and costs no more than that. */
static void test_endless_section(void **state)
{
	char line[1024];
	struct stage g;

	(void)state;
	memset(line, 'a', sizeof(line));
	memcpy(line, "Name: ", 6);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	open_stage(&g);
	FEED(&g, DIR_WRITE, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < 4096; i++)
		assert_int_equal(feed(&g, DIR_WRITE, line, sizeof(line)), PARSE_OK);
	assert_int_equal(g.k.txns, 0);
	close_stage(&g);
	assert_int_equal(g.k.txns, 1);
	assert_int_equal(g.k.limited, 1);
	assert_true(g.k.arena_bytes < 4 * limits_default.header_bytes);
}

/* Content is counted, not kept; --body keeps its beginning. */
static void test_long_content(void **state)
{
	static const uint8_t block[1 << 16];
	struct stage g;

	(void)state;
	open_stage(&g);
	g.limits.body_bytes = 10000;
	FEED(&g, DIR_WRITE, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	FEED(&g, DIR_READ, "HTTP/1.1 200 OK\r\n\r\n");
	for (int i = 0; i < 4096; i++)
		assert_int_equal(feed(&g, DIR_READ, block, sizeof(block)), PARSE_OK);
	close_stage(&g);
	assert_int_equal(g.k.txns, 1);
	assert_int_equal(g.k.limited, 0);
	assert_true(g.k.arena_bytes < 64 << 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe),
		cmocka_unit_test(test_probe_long_target),
		cmocka_unit_test(test_pipeline_of_requests),
		cmocka_unit_test(test_pipeline_of_bytes),
		cmocka_unit_test(test_interim_flood),
		cmocka_unit_test(test_endless_section),
		cmocka_unit_test(test_long_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
