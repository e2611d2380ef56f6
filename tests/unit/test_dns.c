/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages over datagrams and streams from fixtures; then what a table says better. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "core/attr_names.h"
#include "parsers/dns_message.h"
#include "parsers/dns_rdata.h"
#include "parsers/rows.h"
#include "tests/unit/proto_fixture.h"

#define QUESTION "\1x\0\0\1\0\1"

static void expect_rdata(uint16_t type, const void *data, size_t n, const char *text)
{
	struct buf b = {0};

	dns_rdata_text(&b, cursor_init(data, n), type, n);
	buf_putc(&b, '\0');
	assert_string_equal((char *)b.p, text);
	buf_free(&b);
}

#define RDATA(type, data, text) expect_rdata(type, data, sizeof(data) - 1, text)

static void test_rdata(void **state)
{
	(void)state;
	RDATA(1, "\xc0\0\2\1", "192.0.2.1");
	RDATA(2, "\2ns\4test\0", "ns.test.");
	RDATA(6, "\2ns\0\1m\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\xff\xff\xff\xff",
	      "ns. m. 1 2 3 4 4294967295");
	RDATA(15, "\0\12\0", "10 .");
	RDATA(16, "\3a\"b\0\2\\\1", "\"a\\\"b\" \"\" \"\\\\\\001\"");
	RDATA(33, "\0\1\0\2\1\xbb\1h\0", "1 2 443 h.");
	RDATA(35, "\0\144\0\12\1u\7E2U+sip\5!^.$!\0", "100 10 \"u\" \"E2U+sip\" \"!^.$!\" .");
	RDATA(43, "\xec\x45\5\1\x2b\xb1", "60485 5 1 2bb1");
	RDATA(48, "\1\1\3\5\1\2\3\4", "257 3 5 AQIDBA==");
	RDATA(46, "\0\1\5\3\0\1\x51\x80\x3e\x7f\x46\x1b\x3e\x57\xb9\x1b\xa5\x2d\1e\0\xff",
	      "A 5 3 86400 20030324175331 20030222175331 42285 e. /w==");
	/* RFC 4034 section 4.3 */
	RDATA(47,
	      "\4host\7example\3com\0"
	      "\0\6\x40\1\0\0\0\3"
	      "\4\x1b\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x20",
	      "host.example.com. A MX RRSIG NSEC TYPE1234");
	/* the first of RFC 5155 appendix A */
	RDATA(50,
	      "\1\1\0\14\4\xaa\xbb\xcc\xdd"
	      "\24\x17\x4e\xb2\x40\x9f\xe2\x8b\xcb\x48\x87\xa1\x83\x6f\x95\x7f\x0a\x84\x25\xe2\x7b"
	      "\0\7\x22\1\0\0\0\2\x90",
	      "1 1 12 aabbccdd 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR NS SOA MX RRSIG DNSKEY "
	      "NSEC3PARAM");
	RDATA(51, "\1\0\0\0\0", "1 0 0 -");
	RDATA(53, "\3\1\1\xab\xcd", "3 1 1 abcd");
	RDATA(61, "\1\2", "AQI=");
	/* RFC 7477 section 2.1.1.2.1 and its example */
	RDATA(62, "\0\0\0\x42\0\3\0\4\x60\0\0\x08", "66 3 A NS AAAA");
	RDATA(63, "\x78\x5d\xf3\xd8\1\1\xc6\x80", "2019423192 1 1 c680");
	RDATA(52, "\3\1\1\xab\xcd", "3 1 1 abcd");
	RDATA(257, "\0\5issueca.test;x", "0 issue \"ca.test;x\"");
}

/* RFC 9460 appendix D.2 */
static void test_svcb(void **state)
{
	(void)state;
	RDATA(65, "\0\0\3foo\7example\3com\0", "0 foo.example.com.");
	RDATA(64, "\0\1\0", "1 .");
	RDATA(64, "\0\20\3foo\0\0\3\0\2\0\65", "16 foo. port=53");
	RDATA(64, "\0\1\3foo\0\2\x9b\0\11hello\xd2qoo", "1 foo. key667=\"hello\\210qoo\"");
	RDATA(64, "\0\1\3foo\0\0\6\0\20\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1",
	      "1 foo. ipv6hint=2001:db8::1");
	RDATA(64, "\0\20\3foo\0\0\0\0\4\0\1\0\4\0\1\0\11\2h2\5h3-19\0\4\0\4\xc0\0\2\1",
	      "16 foo. mandatory=alpn,ipv4hint alpn=\"h2,h3-19\" ipv4hint=192.0.2.1");
	RDATA(64, "\0\20\3foo\0\0\1\0\14\10f\\oo,bar\2h2",
	      "16 foo. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"");
	RDATA(65, "\0\1\0\0\2\0\0\0\5\0\2\xff\xff", "1 . no-default-alpn ech=//8=");
}

/* What is not as its type says is shown as it stands (RFC 3597 section 5). */
static void test_generic(void **state)
{
	(void)state;
	RDATA(65280, "\xc0\0\2\1", "\\# 4 c0000201");
	RDATA(65280, "", "\\# 0");
	RDATA(1, "\xc0\0\2", "\\# 3 c00002");
	RDATA(1, "\xc0\0\2\1\0", "\\# 5 c000020100");
	RDATA(16, "", "\\# 0");
	RDATA(16, "\5ab", "\\# 3 056162");
	RDATA(2, "\xc0\0", "\\# 2 c000");
	RDATA(64, "\0\1\0\0\3\0\1\0", "\\# 8 0001000003000100");
	RDATA(64, "\0\1\0\0\4\0\5\xc0\0\2\1\0", "\\# 12 00010000040005c000020100");
	RDATA(47, "\0\0\7\x40", "\\# 4 00000740");
}

static void test_options(void **state)
{
	static const struct {
		uint16_t code;
		const char *data;
		size_t n;
		const char *text;
	} rows[] = {
		{8, "\0\1\30\0\xc0\0\2", 7, "client-subnet 192.0.2.0/24/0"},
		{8, "\0\2\40\20\x20\1\xd\xb8", 8, "client-subnet 2001:db8::/32/16"},
		{8, "\0\0\0\0", 4, "client-subnet /0/0"},
		{8, "\0\1\30\0\1\2\3\4\5", 9, "client-subnet \\# 000118000102030405"},
		{10, "\1\2", 2, "cookie 0102"},
		{15, "\0\6no", 4, "error 6 \"no\""},
		{3, "ns1", 3, "nsid 6e7331"},
		{11, "", 0, "tcp-keepalive"},
		{11, "\1\54", 2, "tcp-keepalive 30000ms"},
		{12, "\0\0\0", 3, "padding 3"},
		{65001, "\1\2", 2, "option65001 0102"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b = {0};

		dns_option_text(&b, rows[i].code, cursor_init(rows[i].data, rows[i].n));
		buf_putc(&b, '\0');
		if (rows[i].code != 8 || rows[i].n != 9)
			assert_string_equal((char *)b.p, rows[i].text);
		buf_free(&b);
	}
}

/* As a body of DNS over HTTPS: the envelope stays what it was, attributes come. */
static void test_describe(void **state)
{
	static const uint8_t query[] = "\0\0\1\0\0\1\0\0\0\0\0\0" QUESTION;
	static const uint8_t response[] =
		"\0\0\x81\x80\0\1\0\1\0\0\0\0" QUESTION "\xc0\xc\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1";
	struct conn conn = {.seq = 1};
	struct txn *t = txn_new(&conn);

	(void)state;
	t->verb = STR("POST");
	assert_int_equal(dns_describe(t, query, sizeof(query) - 1), 0);
	assert_int_equal(dns_describe(t, response, sizeof(response) - 1), 0);
	assert_int_equal(dns_describe(t, response, 11), -EBADMSG);
	assert_true(str_eq(t->verb, STR("POST")));
	assert_true(str_eq(txn_attr(t, A_DNS_QUESTION_NAME)->str, STR("x")));
	assert_true(str_eq(txn_attr(t, A_DNS_RESPONSE_CODE)->str, STR("NOERROR")));
	assert_true(str_eq(txn_attr(t, A_DNS_RESOLVED_IP)->strs[0], STR("127.0.0.1")));
	assert_int_equal(t->attr_count, 7);
	assert_int_equal(t->flags, 0);
	txn_free(t);
}

/* Many records whose names unfold: the text is bounded, and the limit stated. */
static void test_amplification(void **state)
{
	struct conn conn = {.seq = 1};
	struct txn *t = txn_new(&conn);
	struct buf b = {0};
	const struct attr *a;
	size_t bytes = 0;

	(void)state;
	buf_put(&b, "\0\0\x81\x80\0\1\x0f\0\0\0\0\0", 12);
	for (int label = 0; label < 3; label++) {
		buf_putc(&b, 63);
		for (int i = 0; i < 63; i++)
			buf_putc(&b, 1); /* four characters each */
	}
	buf_put(&b, "\0\0\2\0\1", 5);
	for (int i = 0; i < 0x0f00; i++)
		buf_put(&b, "\xc0\xc\0\2\0\1\0\0\0\0\0\2\xc0\xc", 14);
	assert_int_equal(dns_describe(t, b.p, b.n), 0);
	assert_true(t->flags & TXN_LIMIT);
	a = txn_attr(t, A_DNS_ANSWERS);
	for (uint32_t i = 0; i < a->count; i++)
		bytes += a->strs[i].n;
	assert_in_range(bytes, DNS_TEXT_BYTES_MAX, DNS_TEXT_BYTES_MAX + 1100);
	buf_free(&b);
	txn_free(t);
}

/* A pointer that leads to a pointer and so on, as far back as a message goes. */
static void test_pointer_chain(void **state)
{
	uint8_t message[4096] = {0};
	struct dns_name name;
	struct cursor c = cursor_init(message, sizeof(message));

	(void)state;
	for (size_t i = 2; i + 1 < sizeof(message); i += 2) {
		message[i] = (uint8_t)(0xc0 | (i - 2) >> 8);
		message[i + 1] = (uint8_t)(i - 2);
	}
	cursor_seek(&c, 100);
	assert_true(dns_name_read(&c, &name));
	assert_int_equal(cursor_offset(&c), 102);
	cursor_seek(&c, 4000);
	assert_false(dns_name_read(&c, &name));
}

static void expect_probe(const struct proto_ops *row, const char *p, size_t n, enum probe_res res)
{
	enum probe_res got = row->probe(DIR_WRITE, (const uint8_t *)p, n);

	if (got != res)
		fail_msg("%s: %zu octets: %d instead of %d", row->name, n, got, res);
}

static void test_probe(void **state)
{
	static const char query[] = "\0\23\1\1\1\0\0\1\0\0\0\0\0\0" QUESTION;
	static const char *const others[] = {
		"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"\x16\3\1\1\1\1\1\1\3\3\1\1\1\1\1\1\1\1\1\1\1",
		"* OK IMAP4rev1 server is ready for you",
	};
	size_t n = sizeof(query) - 1;
	char changed[sizeof(query)];

	(void)state;
	for (size_t i = 1; i < n; i++)
		expect_probe(&proto_dns_stream, query, i, PROBE_MORE);
	expect_probe(&proto_dns_stream, query, n, PROBE_YES);
	expect_probe(&proto_dns, query + 2, n - 2, PROBE_YES);
	expect_probe(&proto_dns, query + 2, n - 3, PROBE_NO);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		expect_probe(&proto_dns_stream, others[i], strlen(others[i]), PROBE_NO);
		expect_probe(&proto_dns, others[i], strlen(others[i]), PROBE_NO);
	}
	expect_probe(&proto_dns_stream, "\0\0\6\4\0\0\0\0\0\0\3\0\0\0\x64", 15, PROBE_NO);
	expect_probe(&proto_dns_stream, "\0", 1, PROBE_MORE);
	/* opcode, reserved bit, code of a query, two questions, an answer in a query, a class */
	for (size_t i = 0; i < 6; i++) {
		static const uint8_t at[] = {4, 5, 5, 7, 9, 20};
		static const uint8_t to[] = {0x79, 0x40, 0x03, 2, 1, 9};

		memcpy(changed, query, sizeof(query));
		changed[at[i]] = (char)to[i];
		expect_probe(&proto_dns_stream, changed, n, PROBE_NO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rdata),	      cmocka_unit_test(test_svcb),
		cmocka_unit_test(test_generic),	      cmocka_unit_test(test_options),
		cmocka_unit_test(test_describe),      cmocka_unit_test(test_amplification),
		cmocka_unit_test(test_pointer_chain), cmocka_unit_test(test_probe),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	failed += fixture_main(&proto_dns, "tests/fixtures/dns/udp");
	return failed + fixture_main(&proto_dns_stream, "tests/fixtures/dns/tcp");
}
