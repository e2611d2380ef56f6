/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bodies that are shown as they come: what is told of each call, for HTTP/1 and HTTP/2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/attr_names.h"
#include "parsers/rows.h"
#include "tests/unit/proto_run.h"

#define PIECES_MAX 16
#define HEAD1 "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
/* SETTINGS; :status: 200 and content-type: text/event-stream on stream 1 */
#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define HEAD2 "\0\0\x15\1\4\0\0\0\1\x88\x0f\x10\x11text/event-stream"

struct said {
	struct run_cfg cfg;
	struct piece pieces[PIECES_MAX];
	size_t count;
	struct run run;
};

static void say(struct said *s, enum dir d, const char *p, size_t n)
{
	assert_true(s->count < PIECES_MAX);
	s->pieces[s->count] = (struct piece){.dir = d,
					     .p = (const uint8_t *)p,
					     .n = n,
					     .call = (unsigned int)s->count + 1,
					     .ts_ns = s->count + 1,
					     .call_start = true};
	s->count++;
}

#define SAY(s, d, text) say(s, d, text, sizeof(text) - 1)

static void begin(struct said *s, const struct proto_ops *ops)
{
	*s = (struct said){.cfg = {.ops = ops, .limits = limits_default}};
	s->cfg.conn = (struct conn){.seq = 1, .id = "1-1-1"};
	s->cfg.limits.early = true;
	s->cfg.limits.body_bytes = 8;
}

/* Runs it; the transactions in the order in which they came, from the second on: the first one is the start. */
static const struct txn *run_after_start(struct said *s)
{
	run_pieces(&s->run, &s->cfg, s->pieces, s->count);
	assert_string_equal(s->run.fault, "");
	assert_non_null(s->run.txns);
	assert_string_equal(s->run.txns->event_name, "http.exchange");
	assert_true(s->run.txns->flags & TXN_EARLY);
	return s->run.txns->next;
}

/* `t` is a piece of the body: where it stands, and what of it is kept. */
static const struct txn *check_piece(const struct txn *t, int64_t at, int64_t size,
				     const char *kept)
{
	const struct attr *body, *type;

	assert_non_null(t);
	assert_string_equal(t->event_name, "http.response.body.chunk");
	assert_true(t->flags & TXN_EARLY);
	assert_int_equal(t->outcome, OUTCOME_OK);
	assert_true(str_eq(t->verb, STR("GET")) && str_eq(t->status, STR("200")));
	assert_int_equal(txn_attr(t, A_CHUNK_OFFSET)->num, at);
	assert_int_equal(txn_attr(t, A_CHUNK_SIZE)->num, size);
	assert_int_equal(t->response_body_bytes, size);
	body = txn_attr(t, A_RESPONSE_BODY_BASE64);
	assert_int_equal(body->str.n, strlen(kept));
	assert_memory_equal(body->str.p, kept, body->str.n);
	type = txn_attr(t, A_RESPONSE_HEADERS);
	assert_int_equal(type->count, 1);
	assert_true(str_eq(type->headers[0].value, STR("text/event-stream")));
	return t->next;
}

/* The exchange itself, at last. */
static void check_whole(const struct txn *t, int64_t size)
{
	assert_non_null(t);
	assert_string_equal(t->event_name, "http.exchange");
	assert_false(t->flags & TXN_EARLY);
	assert_int_equal(txn_attr(t, A_HTTP_RESPONSE_BODY_SIZE)->num, size);
	assert_null(t->next);
}

static void chunks_of_http1(void **state)
{
	struct said s;
	const struct txn *t;

	(void)state;
	begin(&s, &proto_http1);
	SAY(&s, DIR_WRITE, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
	SAY(&s, DIR_READ, HEAD1 "Transfer-Encoding: chunked\r\n\r\n");
	SAY(&s, DIR_READ, "4\r\none\n\r\n");
	SAY(&s, DIR_READ, "e\r\ntwo of");
	SAY(&s, DIR_READ, " three..\r\n1\r\n!\r\n");
	SAY(&s, DIR_READ, "0\r\n\r\n");
	t = run_after_start(&s);
	assert_int_equal(t->start_ns, 3);
	t = check_piece(t, 0, 4, "one\n");
	t = check_piece(t, 4, 6, "two of");
	t = check_piece(t, 10, 8, " three..");
	t = check_piece(t, 18, 1, "!");
	check_whole(t, 19);
	run_free(&s.run);
}

static void of_a_long_piece_its_beginning(void **state)
{
	struct said s;
	const struct txn *t;

	(void)state;
	begin(&s, &proto_http1);
	SAY(&s, DIR_WRITE, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
	SAY(&s, DIR_READ, HEAD1 "Content-Length: 14\r\n\r\nabcdefghijk");
	SAY(&s, DIR_READ, "lmn");
	t = run_after_start(&s);
	t = check_piece(t, 0, 11, "abcdefgh");
	t = check_piece(t, 11, 3, "lmn");
	check_whole(t, 14);
	run_free(&s.run);
}

static void what_comes_at_once_has_no_pieces(void **state)
{
	struct said s;

	(void)state;
	begin(&s, &proto_http1);
	SAY(&s, DIR_WRITE, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
	SAY(&s, DIR_READ, HEAD1 "Content-Length: 3\r\n\r\nabc");
	check_whole(run_after_start(&s), 3);
	run_free(&s.run);

	begin(&s, &proto_http2);
	SAY(&s, DIR_WRITE, SETTINGS "\0\0\3\1\5\0\0\0\1\x82\x84\x87");
	SAY(&s, DIR_READ,
	    SETTINGS HEAD2 "\0\0\3\0\1\0\0\0\1"
			   "abc");
	check_whole(run_after_start(&s), 3);
	run_free(&s.run);
}

static void frames_of_http2(void **state)
{
	struct said s;
	const struct txn *t;

	(void)state;
	begin(&s, &proto_http2);
	SAY(&s, DIR_WRITE, SETTINGS "\0\0\3\1\5\0\0\0\1\x82\x84\x87");
	SAY(&s, DIR_READ, SETTINGS HEAD2);
	SAY(&s, DIR_READ, "\0\0\4\0\0\0\0\0\1one\n");
	SAY(&s, DIR_READ, "\0\0\xe\0\0\0\0\0\1two of");
	SAY(&s, DIR_READ, " three..\0\0\1\0\0\0\0\0\1!");
	SAY(&s, DIR_READ, "\0\0\0\0\1\0\0\0\1");
	t = run_after_start(&s);
	assert_int_equal(t->stream_id, 1);
	assert_int_equal(t->start_ns, 3);
	t = check_piece(t, 0, 4, "one\n");
	t = check_piece(t, 4, 6, "two of");
	t = check_piece(t, 10, 8, " three..");
	t = check_piece(t, 18, 1, "!");
	check_whole(t, 19);
	run_free(&s.run);
}

/* A part of what was compressed cannot be read alone, so it is said what it is. */
static void codings_are_named(void **state)
{
	struct said s;
	const struct txn *t;

	(void)state;
	begin(&s, &proto_http1);
	SAY(&s, DIR_WRITE, "GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
	SAY(&s, DIR_READ, HEAD1 "Content-Encoding: br\r\nTransfer-Encoding: chunked\r\n\r\n");
	SAY(&s, DIR_READ, "3\r\nabc\r\n");
	t = run_after_start(&s);
	assert_true(str_eq(txn_attr(t, A_RESPONSE_BODY_CODING)->str, STR("br")));
	check_piece(t, 0, 3, "abc");
	run_free(&s.run);
}

/* Bodies of requests alike, and none without a limit for bodies. */
static void uploads(void **state)
{
	struct said s;
	const struct txn *t;

	(void)state;
	begin(&s, &proto_http1);
	for (int twice = 0; twice < 2; twice++) {
		s.count = 0;
		SAY(&s, DIR_WRITE, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc");
		SAY(&s, DIR_WRITE, "def");
		SAY(&s, DIR_READ, "HTTP/1.1 204 No Content\r\n\r\n");
		t = run_after_start(&s);
		if (!twice) {
			assert_string_equal(t->event_name, "http.request.body.chunk");
			assert_int_equal(t->request_body_bytes, 3);
			assert_true(str_eq(txn_attr(t, A_REQUEST_BODY_BASE64)->str, STR("abc")));
			t = t->next;
			assert_true(str_eq(txn_attr(t, A_REQUEST_BODY_BASE64)->str, STR("def")));
			t = t->next;
		}
		assert_null(t->next);
		run_free(&s.run);
		s.run = (struct run){0};
		s.cfg.limits.body_bytes = 0;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_of_http1),
		cmocka_unit_test(of_a_long_piece_its_beginning),
		cmocka_unit_test(what_comes_at_once_has_no_pieces),
		cmocka_unit_test(frames_of_http2),
		cmocka_unit_test(codings_are_named),
		cmocka_unit_test(uploads),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	txn_pool_drain();
	return failed;
}
