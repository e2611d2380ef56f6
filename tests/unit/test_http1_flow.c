/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP/1 in its place behind flow/: what waits, what is masked, what is found again. */
#include "tests/unit/flow_stage.h"

#include "parsers/rows.h"

static const struct proto_ops *const rows[] = {&proto_http1, NULL};

static int setup(void **state)
{
	struct harness *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	harness_open(h, &(struct flow_cfg){.chunks = true, .rows = rows, .limits = limits_default});
	harness_sock(h, HARNESS_CONN, 1, HARNESS_SOCK, 443);
	*state = h;
	return 0;
}

#define HTTP(fn) cmocka_unit_test_setup_teardown(fn, setup, stage_teardown)
#define GET "GET / HTTP/1.1\r\nHost: h\r\n\r\n"		  /* 27 octets */
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" /* 38 octets */

static void secrets_are_masked_though_they_come_in_pieces(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "GET /?sig=abc HTTP/1.1\r\nAuthorization: Bear");
	CHECK(h, ""); /* waits until the section is complete */
	SAY(h, W, 43, "er s3cret\r\n\r\n");
	SAY(h, R, 0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n\r\n");
	CHECK(h, "data 4242-1000-1 > @0 \"GET /?sig=*** HTTP/1.1\\x0d\\nAuthorization: Bear\"\n"
		 "data 4242-1000-1 > @43 \"er ******\\x0d\\n\\x0d\\n\"\n"
		 "data 4242-1000-1 < @0 \"HTTP/1.1 200 OK\\x0d\\nContent-Length: 2\\x0d\\n"
		 "Set-Cookie: a=*\\x0d\\n\\x0d\\n\"\n");
	SAY(h, R, 55, "ok");
	CHECK(h, "data 4242-1000-1 < @55 \"ok\"\n"
		 "txn 4242-1000-1 nested GET /?sig=abc 200\n");
}

static void content_is_not_held_back(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n");
	harness_clear(h);
	SAY(h, W, 38, "abc");
	CHECK(h, "data 4242-1000-1 > @38 \"abc\"\n");
}

static void half_a_secret_before_a_gap_is_masked(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "GET / HTTP/1.1\r\nX-Api-Key: abc");
	harness_clear(h);
	DATA(h, .dir = W, .off = 30, .text = "def\r\n\r\n", .more = 10, PROVEN);
	SAY(h, W, 47, "ghi\r\n\r\n");
	harness_finish(h);
	assert_null(strstr(harness_out(h), "abc"));
	assert_null(strstr(harness_out(h), "def"));
	assert_null(strstr(harness_out(h), "ghi"));
}

static void response_waits_for_its_request(void **state)
{
	struct harness *h = *state;

	SAY(h, R, 0, OK);
	SAY(h, W, 0, GET);
	harness_finish(h);
	assert_non_null(strstr(harness_out(h), "GET https://h/ 200\n"));
}

static void response_whose_request_never_comes_goes_out_alone(void **state)
{
	struct harness *h = *state;

	DATA(h, .dir = R, .off = 0, .text = OK, .sock = HARNESS_SOCK, .flags = EV_DATA_NESTED);
	CHECK(h, "");
	harness_tick(h, h->now_ms + WAIT_PEER_MS + 1);
	CHECK(h,
	      "data 4242-1000-1 < @0 \"HTTP/1.1 200 OK\\x0d\\nContent-Length: 0\\x0d\\n\\x0d\\n\"\n"
	      "txn 4242-1000-1 nested   200 late no-request\n");
}

static void truncated_call_keeps_the_message(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, GET);
	DATA(h, .dir = R, .off = 0, .text = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc",
	     .more = 997, PROVEN);
	SAY(h, W, 27, GET);
	SAY(h, R, 1041, OK);
	harness_finish(h);
	assert_non_null(strstr(harness_out(h), "GET https://h/ 200 lost-response lost 997\n"));
	assert_non_null(strstr(harness_out(h), "GET https://h/ 200\n"));
}

static void resyncs_at_the_next_message(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, GET);
	SAY(h, R, 0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense");
	SAY(h, W, 27, GET);
	SAY(h, R, 56, OK);
	harness_finish(h);
	assert_non_null(strstr(harness_out(h), "GET https://h/ 200\n"));
	assert_int_equal(stats_of(h).resyncs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HTTP(secrets_are_masked_though_they_come_in_pieces),
		HTTP(content_is_not_held_back),
		HTTP(half_a_secret_before_a_gap_is_masked),
		HTTP(response_waits_for_its_request),
		HTTP(response_whose_request_never_comes_goes_out_alone),
		HTTP(truncated_call_keeps_the_message),
		HTTP(resyncs_at_the_next_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
