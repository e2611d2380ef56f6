/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which bytes begin HTTP/2: the preface, chains of frames; not other protocols, not noise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "parsers/h2_frame.h"
#include "tests/unit/h2_talk.h"

#define PROBE(bytes) h2_probe(DIR_READ, (const uint8_t *)(bytes), sizeof(bytes) - 1)

#define SETTINGS_0 "\0\0\0\4\0\0\0\0\0"
#define SETTINGS_ACK "\0\0\0\4\1\0\0\0\0"
#define WINDOW "\0\0\4\x8\0\0\0\0\0\0\0\x40\0"
#define HEADERS_HEAD "\0\0\x3\1\5\0\0\0\1"

static void the_preface_in_any_portion(void **state)
{
	(void)state;
	for (size_t n = 0; n < H2_PREFACE_BYTES; n++)
		assert_int_equal(h2_probe(DIR_WRITE, (const uint8_t *)H2_PREFACE, n), PROBE_MORE);
	assert_int_equal(PROBE(H2_PREFACE), PROBE_YES);
	assert_int_equal(PROBE(H2_PREFACE SETTINGS_0), PROBE_YES);
	assert_int_equal(PROBE("PRI * HTTP/2.0\r\n\r\nXX"), PROBE_NO);
	assert_int_equal(PROBE("PRI * HTTP/1.1\r\n"), PROBE_NO);
}

static void frames_that_fill_a_call(void **state)
{
	(void)state;
	assert_int_equal(PROBE(SETTINGS_0), PROBE_YES);
	assert_int_equal(PROBE(WINDOW), PROBE_YES);
	assert_int_equal(PROBE(HEADERS_HEAD "\x82\x84\x87"), PROBE_YES);
	assert_int_equal(PROBE(HEADERS_HEAD "\x82\x84\x87" WINDOW), PROBE_YES);
	assert_int_equal(PROBE(SETTINGS_0 SETTINGS_ACK HEADERS_HEAD), PROBE_YES);
}

static void undecided_as_long_as_it_may_be(void **state)
{
	static const char two[] = WINDOW HEADERS_HEAD "\x82\x84\x87";

	(void)state;
	for (size_t n = 0; n < sizeof(WINDOW) - 1; n++)
		assert_int_equal(h2_probe(DIR_READ, (const uint8_t *)two, n), PROBE_MORE);
	for (size_t n = sizeof(WINDOW); n < sizeof(WINDOW) + 8; n++)
		assert_int_equal(h2_probe(DIR_READ, (const uint8_t *)two, n), PROBE_MORE);
	/* one head of a long frame says little */
	assert_int_equal(PROBE("\0\x40\0\0\0\0\0\0\1 and some data"), PROBE_MORE);
}

/* Each breaks one rule of RFC 9113 section 6 or of what senders do. */
static void implausible_frames(void **state)
{
	(void)state;
	assert_int_equal(PROBE("\0\x40\1\0\0\0\0\0\1"), PROBE_NO);  /* 16385 octets */
	assert_int_equal(PROBE("\0\0\1\0\0\0\0\0\0x"), PROBE_NO);   /* DATA on stream 0 */
	assert_int_equal(PROBE("\0\0\1\x0b\0\0\0\0\0x"), PROBE_NO); /* unknown type */
	assert_int_equal(PROBE("\0\0\0\4\0\0\0\0\1"), PROBE_NO);    /* SETTINGS on a stream */
	assert_int_equal(PROBE("\0\0\6\4\1\0\0\0\0\0\1\0\0\0\0"), PROBE_NO); /* an ACK that says */
	assert_int_equal(PROBE("\0\0\6\4\0\0\0\0\0\0\2\0\0\0\2"), PROBE_NO); /* ENABLE_PUSH 2 */
	assert_int_equal(PROBE("\0\0\4\x8\0\0\0\0\0\0\0\0\0"), PROBE_NO);    /* increment 0 */
	assert_int_equal(PROBE("\0\0\4\3\0\0\0\0\1\0\0\0\x20"), PROBE_NO);   /* no such error */
	assert_int_equal(PROBE("\0\0\x8\6\0\0\0\0\1"), PROBE_NO);	     /* PING on a stream */
	assert_int_equal(PROBE("\0\0\1\0\x10\0\0\0\1x"), PROBE_NO);	     /* undefined flag */
	assert_int_equal(PROBE("\0\0\1\0\0\x80\0\0\1x"), PROBE_NO);	     /* reserved bit */
	assert_int_equal(PROBE("\0\0\1\1\4\0\0\0\1\x80"), PROBE_NO);	     /* HPACK index 0 */
	assert_int_equal(PROBE("\0\0\3\1\0\0\0\0\1\x82\x84\x87" WINDOW),
			 PROBE_NO); /* CONTINUATION must follow */
	assert_int_equal(PROBE("\0\0\5\5\4\0\0\0\1\0\0\0\3\x82"), PROBE_NO); /* odd promise */
}

static void other_protocols(void **state)
{
	(void)state;
	assert_int_equal(PROBE("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), PROBE_NO);
	assert_int_equal(PROBE("P"), PROBE_MORE);
	assert_int_equal(PROBE("POST / HTTP/1.1\r\n"), PROBE_NO);
	assert_int_equal(PROBE("HTTP/1.1 200 OK\r\n"), PROBE_NO);
	assert_int_equal(PROBE("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), PROBE_NO);
	assert_int_equal(PROBE("\x17\x03\x03\x00\x20 application data"), PROBE_NO);
	assert_int_equal(PROBE("\x81\x05hello"), PROBE_NO); /* WebSocket */
	assert_int_equal(PROBE("\x81\x85\1\2\3\4hello"), PROBE_NO);
	assert_int_equal(PROBE("\0\x1d\x12\x34\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1"),
			 PROBE_NO);				/* DNS over TCP */
	assert_int_equal(PROBE("\0\0\0\0\x05hello"), PROBE_NO); /* a bare gRPC message */
	assert_int_equal(PROBE("\x4a\0\0\0\x0a"
			       "8.0.31\0"),
			 PROBE_NO); /* MySQL greeting */
	assert_int_equal(PROBE("\0\0\0\x08\x04\xd2\x16\x2f"),
			 PROBE_MORE); /* PostgreSQL SSLRequest */
	assert_int_equal(PROBE("*1\r\n$4\r\nPING\r\n"), PROBE_NO);
}

static uint64_t xorshift(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void fill(uint64_t *x, uint8_t *p, size_t n, uint8_t mask)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)xorshift(x) & mask;
}

/*
 * Noise of any length at the start of a call, and everywhere in a megabyte as the search for a boundary
 * looks at it. Small octets make likelier frames than even noise does. No false start is accepted.
 */
static void noise_is_no_http2(void **state)
{
	static const uint8_t masks[] = {0xff, 0x7f, 0x1f};
	static uint8_t noise[1 << 20];
	uint64_t x = 88172645463325252u;
	struct h2_chain chain;

	(void)state;
	for (size_t m = 0; m < sizeof(masks); m++) {
		for (int i = 0; i < 400000; i++) {
			size_t n = 1 + xorshift(&x) % 64;

			fill(&x, noise, n, masks[m]);
			noise[0] &= i & 1 ? 0 : 0xff;
			assert_int_not_equal(h2_probe(DIR_READ, noise, n), PROBE_YES);
		}
		fill(&x, noise, sizeof(noise), masks[m]);
		for (size_t i = 0; i < sizeof(noise); i++) {
			chain = h2_chain_follow(noise + i, sizeof(noise) - i);
			assert_false(h2_chain_proven(&chain, false));
		}
	}
}

/* Every call of a real conversation, from its first byte on. */
static void every_call_of_a_conversation(void **state)
{
	const struct talk_cfg cfg = {.streams = 200,
				     .concurrent = 30,
				     .seed = 8,
				     .body_max = 5000,
				     .header_max = 60,
				     .padding = true,
				     .resets = true};
	struct talk t;

	(void)state;
	talk_make(&t, &cfg);
	for (size_t i = 0; i < t.calls_n; i++)
		assert_int_equal(h2_probe(DIR_READ, t.bytes.p + t.calls[i].at, t.calls[i].n),
				 PROBE_YES);
	talk_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_preface_in_any_portion),
		cmocka_unit_test(frames_that_fill_a_call),
		cmocka_unit_test(undecided_as_long_as_it_may_be),
		cmocka_unit_test(implausible_frames),
		cmocka_unit_test(other_protocols),
		cmocka_unit_test(noise_is_no_http2),
		cmocka_unit_test(every_call_of_a_conversation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
