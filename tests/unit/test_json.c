/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON lines: every line is read back by an independent parser (jansson, which refuses invalid UTF-8 and
 * duplicate keys), golden lines are compared byte by byte, and the schema of docs/ holds for all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/attr_names.h"
#include "tests/unit/sample.h"

#define GOLDEN "tests/fixtures/json/exchange.jsonl"
#define REPLACEMENT "\xef\xbf\xbd"

static int setup(void **state)
{
	struct sample *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	sample_bare(s);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct sample *s = *state;

	sample_free(s);
	free(s);
	return 0;
}

/* One line, one object, no key twice. */
static json_t *parse(const char *line)
{
	size_t n = strlen(line);
	json_error_t error;
	json_t *o;

	assert_true(n > 0);
	assert_ptr_equal(strchr(line, '\n'), line + n - 1);
	o = json_loads(line, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	if (!o)
		fail_msg("%s at %d: %s", error.text, error.position, line);
	assert_true(json_is_object(o));
	return o;
}

static json_t *written(struct sample *s)
{
	char *line = sample_written(&writer_json, NULL, s->t);
	json_t *o = parse(line);

	free(line);
	return o;
}

static const char *string_at(const json_t *o, const char *key)
{
	const char *v = json_string_value(json_object_get(o, key));

	if (!v)
		fail_msg("no string %s", key);
	return v;
}

static json_int_t int_at(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v))
		fail_msg("no integer %s", key);
	return json_integer_value(v);
}

static void expect_absent(const json_t *o, const char *key)
{
	if (json_object_get(o, key))
		fail_msg("%s is there", key);
}

static void expect_json(const json_t *o, const char *key, const char *want)
{
	const json_t *v = json_object_get(o, key);
	char *got;

	if (!v)
		fail_msg("no %s", key);
	got = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
	assert_string_equal(got, want);
	free(got);
}

static void test_the_line_of_the_page(void **state)
{
	char want[4096] = "";
	struct sample s;
	char *line;
	FILE *f;

	(void)state;
	f = fopen(GOLDEN, "r");
	assert_non_null(f);
	assert_non_null(fgets(want, sizeof(want), f));
	fclose(f);
	sample_init(&s);
	line = sample_redacted(&writer_json, NULL, s.t);
	assert_string_equal(line, want);
	free(line);
	sample_free(&s);
}

static void test_a_line_with_nothing_known(void **state)
{
	const struct conn conn = {.id = "1-1-1"};
	struct txn t = {.conn = &conn, .event_name = "http.exchange"};
	char *line;

	(void)state;
	line = sample_written(&writer_json, NULL, &t);
	assert_string_equal(line, "{\"@timestamp\":\"1970-01-01T00:00:00.000000000Z\","
				  "\"event.name\":\"http.exchange\",\"event.duration\":0,"
				  "\"message\":\"[?] 0B 0us\",\"tlslens.conn.id\":\"1-1-1\","
				  "\"tlslens.lost_bytes\":0,\"tlslens.truncated\":[],"
				  "\"tlslens.conn.source\":\"unknown\"}\n");
	free(line);
}

static void test_an_unknown_peer_has_no_address(void **state)
{
	struct sample *s = *state;
	json_t *o;

	s->t->source = PEER_UNKNOWN;
	o = written(s);
	expect_absent(o, "network.peer.address");
	expect_absent(o, "network.peer.port");
	expect_absent(o, "network.local.address");
	expect_absent(o, "network.local.port");
	expect_absent(o, "network.transport");
	expect_absent(o, "network.type");
	expect_absent(o, "client.address");
	expect_absent(o, "client.port");
	expect_absent(o, "server.address");
	expect_absent(o, "server.port");
	assert_string_equal(string_at(o, "tlslens.conn.source"), "unknown");
	assert_string_equal(string_at(o, "tlslens.role"), "client");
	json_decref(o);
}

static void test_the_server_side_is_mirrored(void **state)
{
	struct sample *s = *state;
	json_t *o;

	s->t->role = ROLE_SERVER;
	s->conn.local = (struct endpoint){{93, 184, 216, 34}, 443};
	s->conn.peer = (struct endpoint){{10, 1, 2, 3}, 40001};
	o = written(s);
	assert_string_equal(string_at(o, "client.address"), "10.1.2.3");
	assert_int_equal(int_at(o, "client.port"), 40001);
	assert_string_equal(string_at(o, "server.address"), "example.com");
	assert_int_equal(int_at(o, "server.port"), 443);
	assert_string_equal(string_at(o, "network.peer.address"), "10.1.2.3");
	assert_string_equal(string_at(o, "network.local.address"), "93.184.216.34");
	json_decref(o);
	s->t->role = ROLE_UNKNOWN;
	o = written(s);
	expect_absent(o, "client.address");
	expect_absent(o, "server.address");
	expect_absent(o, "tlslens.role");
	assert_string_equal(string_at(o, "network.peer.address"), "10.1.2.3");
	json_decref(o);
}

static void expect_server(struct sample *s, const char *host, const char *want)
{
	json_t *o;

	s->t->attr_count = 0;
	if (host)
		sample_headers(s, A_REQUEST_HEADERS, "Accept", "*/*", "hOsT", host, NULL);
	o = written(s);
	assert_string_equal(string_at(o, "server.address"), want);
	json_decref(o);
}

static void test_the_servers_name(void **state)
{
	struct sample *s = *state;

	expect_server(s, "other.example", "example.com");
	s->conn.sni = STR_NONE;
	expect_server(s, "other.example", "other.example");
	expect_server(s, "other.example:8443", "other.example");
	expect_server(s, "[2001:db8::1]:8443", "2001:db8::1");
	expect_server(s, "[2001:db8", "93.184.216.34");
	expect_server(s, "", "93.184.216.34");
	expect_server(s, ":443", "93.184.216.34");
	expect_server(s, "a b", "93.184.216.34");
	expect_server(s, "\x80", "93.184.216.34");
	expect_server(s, NULL, "93.184.216.34");
}

static void test_families_and_transports(void **state)
{
	struct sample *s = *state;
	json_t *o;

	s->conn.family = ADDR_IPV6;
	s->conn.sni = STR_NONE;
	s->conn.local = (struct endpoint){{0x20, 0x01, 0x0d, 0xb8, [15] = 1}, 65535};
	s->conn.peer = (struct endpoint){{[15] = 1}, 0};
	o = written(s);
	assert_string_equal(string_at(o, "network.type"), "ipv6");
	assert_string_equal(string_at(o, "network.local.address"), "2001:db8::1");
	assert_int_equal(int_at(o, "network.local.port"), 65535);
	assert_string_equal(string_at(o, "network.peer.address"), "::1");
	assert_string_equal(string_at(o, "server.address"), "::1");
	json_decref(o);

	s->conn.transport = TRANSPORT_UDP;
	o = written(s);
	assert_string_equal(string_at(o, "network.transport"), "udp");
	json_decref(o);

	memset(s->conn.local.addr, 0, sizeof(s->conn.local.addr));
	o = written(s);
	expect_absent(o, "network.local.address");
	expect_absent(o, "client.address");
	assert_int_equal(int_at(o, "network.local.port"), 65535);
	assert_int_equal(int_at(o, "client.port"), 65535);
	assert_string_equal(string_at(o, "network.peer.address"), "::1");
	json_decref(o);

	s->conn.transport = TRANSPORT_UNIX;
	s->conn.family = ADDR_UNIX;
	o = written(s);
	assert_string_equal(string_at(o, "network.transport"), "unix");
	expect_absent(o, "network.type");
	expect_absent(o, "network.peer.address");
	expect_absent(o, "client.address");
	json_decref(o);
}

static void test_flags(void **state)
{
	struct sample *s = *state;
	json_t *o;

	o = written(s);
	expect_json(o, "tlslens.truncated", "[]");
	expect_absent(o, "tlslens.partial");
	expect_absent(o, "tlslens.ambiguous");
	expect_absent(o, "tlslens.unknown_headers");
	expect_absent(o, "tlslens.stream.id");
	json_decref(o);
	s->t->flags = TXN_LOST_REQUEST | TXN_LOST_RESPONSE | TXN_LIMIT | TXN_AMBIGUOUS |
		      TXN_UNKNOWN_HEADERS | TXN_LATE;
	s->t->has_stream = true;
	s->t->lost_bytes = UINT64_MAX;
	o = written(s);
	expect_json(o, "tlslens.truncated", "[\"request\",\"response\",\"limit\"]");
	expect_json(o, "tlslens.partial", "true");
	expect_json(o, "tlslens.ambiguous", "true");
	expect_json(o, "tlslens.unknown_headers", "true");
	assert_int_equal(int_at(o, "tlslens.stream.id"), 0);
	assert_true(int_at(o, "tlslens.lost_bytes") == INT64_MAX);
	json_decref(o);
	s->t->flags = TXN_NO_RESPONSE;
	o = written(s);
	expect_json(o, "tlslens.partial", "true");
	json_decref(o);
}

static void test_times(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{0, "1970-01-01T00:00:00.000000000Z"},
		{1, "1970-01-01T00:00:00.000000001Z"},
		{86399999999999, "1970-01-01T23:59:59.999999999Z"},
		{951782400000000000, "2000-02-29T00:00:00.000000000Z"},
		{951868800000000000, "2000-03-01T00:00:00.000000000Z"},
		{1709164800000000000, "2024-02-29T00:00:00.000000000Z"},
		{4107542400000000000, "2100-03-01T00:00:00.000000000Z"},
		{1798761599000000000, "2026-12-31T23:59:59.000000000Z"},
		{INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
		{-5, "1970-01-01T00:00:00.000000000Z"},
	};
	struct sample *s = *state;
	json_t *o;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s->t->start_ns = 7000;
		s->t->end_ns = 0; /* the clock went back */
		s->t->clock_offset_ns = rows[i].ns - 7000;
		o = written(s);
		assert_string_equal(string_at(o, "@timestamp"), rows[i].text);
		assert_int_equal(int_at(o, "event.duration"), 0);
		json_decref(o);
	}
}

static void test_numbers_at_their_limits(void **state)
{
	static const int64_t values[] = {0, -1, 9, 10, INT64_MAX, INT64_MIN, INT64_MIN + 1};
	struct sample *s = *state;
	char want[32];
	json_t *o;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		s->t->attr_count = 0;
		txn_int(s->t, A_HTTP_STATUS, values[i]);
		o = written(s);
		snprintf(want, sizeof(want), "%lld", (long long)values[i]);
		expect_json(o, A_HTTP_STATUS, want);
		json_decref(o);
	}
}

static void test_identity_fields(void **state)
{
	struct sample *s = *state;
	json_t *o;

	sample_identity(s, ID_PARENT_PID, "1");
	sample_identity(s, ID_USER_ID, "4294967295");
	sample_identity(s, ID_NS_PID, "not a number");
	sample_identity(s, ID_CMDLINE, "curl \"x\" \x1b[31m");
	sample_identity(s, ID_K8S_NODE, "");
	o = written(s);
	assert_int_equal(int_at(o, "process.pid"), 4242);
	assert_int_equal(int_at(o, "process.parent_pid"), 1);
	assert_int_equal(int_at(o, "process.user.id"), 4294967295);
	assert_string_equal(string_at(o, identity_fields[ID_NS_PID].name), "not a number");
	assert_string_equal(string_at(o, "process.command_line"), "curl \"x\" \x1b[31m");
	expect_absent(o, "k8s.node.name");
	expect_absent(o, "container.id");
	json_decref(o);
	sample_identity(s, ID_USER_ID, "99999999999999999999999");
	o = written(s);
	assert_string_equal(string_at(o, "process.user.id"), "99999999999999999999999");
	json_decref(o);
}

static void expect_escaped(struct sample *s, const void *bytes, size_t n, const char *want)
{
	json_t *o, *v;

	s->t->attr_count = 0;
	txn_str(s->t, A_URL_PATH, (struct str){bytes, n});
	o = written(s);
	v = json_object_get(o, A_URL_PATH);
	assert_true(json_is_string(v));
	assert_string_equal(json_string_value(v), want);
	json_decref(o);
}

static void test_every_byte_value(void **state)
{
	struct sample *s = *state;
	char bytes[256], *line, *at;

	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	txn_str(s->t, A_URL_PATH, (struct str){bytes, sizeof(bytes)});
	line = sample_written(&writer_json, NULL, s->t);
	json_decref(parse(line));
	at = strstr(line, "\"url.path\":\"");
	assert_non_null(at);
	at += strlen("\"url.path\":\"");
	assert_memory_equal(at, "\\u0000\\u0001", 12);
	for (; *at && strncmp(at, "\"network", 8) != 0; at++)
		assert_true((uint8_t)*at >= 0x20 && (uint8_t)*at != 0x7f);
	free(line);
	/* each value alone and in the middle of plain ones, where the fast path meets it */
	for (int i = 1; i < 256; i++) {
		char text[20] = "abcdefghijklmnopqrs", want[32];

		text[10] = (char)i;
		if (i < 0x80)
			memcpy(want, text, sizeof(text));
		else
			snprintf(want, sizeof(want), "abcdefghij" REPLACEMENT "lmnopqrs");
		expect_escaped(s, text, 19, want);
		expect_escaped(s, text + 10, 9, want + 10);
		text[11] = '\0';
		want[i < 0x80 ? 11 : 13] = '\0';
		expect_escaped(s, text, 11, want);
	}
}

static void test_escapes_are_the_short_ones(void **state)
{
	struct sample *s = *state;
	char *line;

	txn_str(s->t, A_URL_PATH, STR("\b\t\n\f\r\"\\/\x01\x7f\xc2\x9b\xc3\xa9\xf0\x9f\x98\x80"));
	line = sample_written(&writer_json, NULL, s->t);
	assert_non_null(strstr(line, "\"url.path\":\"\\b\\t\\n\\f\\r\\\"\\\\/\\u0001\\u007f\\u009b"
				     "\xc3\xa9\xf0\x9f\x98\x80\""));
	free(line);
}

/* Unicode 15, table 3-8 and the classes of RFC 3629: one U+FFFD a maximal subpart. */
static void test_ill_formed_utf8(void **state)
{
#define R REPLACEMENT
	static const struct {
		struct str in;
		const char *out;
	} rows[] = {
		{STR("\x80"), R},	      /* a continuation alone */
		{STR("\xbf\x80"), R R},	      /* two of them */
		{STR("\xc0\xaf"), R R},	      /* overlong '/' */
		{STR("\xc1\xbf"), R R},	      /* overlong DEL */
		{STR("\xe0\x80\xaf"), R R R}, /* overlong in three */
		{STR("\xe0\x9f\xbf"), R R R},
		{STR("\xf0\x80\x80\xaf"), R R R R},
		{STR("\xf0\x8f\xbf\xbf"), R R R R},
		{STR("\xed\xa0\x80"), R R R}, /* a surrogate */
		{STR("\xed\xbf\xbf"), R R R},
		{STR("\xf4\x90\x80\x80"), R R R R}, /* beyond U+10FFFF */
		{STR("\xf5\x80\x80\x80"), R R R R},
		{STR("\xff\xfe"), R R},
		{STR("\xc3"), R}, /* cut off */
		{STR("\xe2\x82"), R},
		{STR("\xf0\x9f\x98"), R},
		{STR("\xc3x"), R "x"}, /* interrupted */
		{STR("\xe2\x82x"), R "x"},
		{STR("\xf0\x9f\x98x"), R "x"},
		{STR("\xf0\x9f\xc3\xa9"), R "\xc3\xa9"},
		{STR("a\xf1\x80\x80\xe1\x80\xc2"
		     "b\x80"
		     "c\x80\xbf"
		     "d"),
		 "a" R R R "b" R "c" R R "d"},
		{STR("\xef\xbb\xbfx\xef\xbf\xbf"), "\xef\xbb\xbfx\xef\xbf\xbf"},
		{STR("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"),
		 "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"},
	};
#undef R
	struct sample *s = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_escaped(s, rows[i].in.p, rows[i].in.n, rows[i].out);
}

static void test_long_values_cross_the_steps(void **state)
{
	struct sample *s = *state;
	const size_t n = 700001; /* larger than out's buffer */
	char *in = malloc(n + 1);
	json_t *o;

	assert_non_null(in);
	/* two-byte characters at odd places, so that some stand across the boundary of a step */
	for (size_t i = 1; i + 1 < n; i++)
		in[i] = i % 2 ? '\xc3' : '\xa9';
	in[0] = in[n - 1] = in[n - 2] = 'x';
	in[n] = '\0';
	txn_str(s->t, A_URL_PATH, (struct str){in, n});
	o = written(s);
	assert_string_equal(string_at(o, A_URL_PATH), in);
	json_decref(o);
	memset(in, 1, n);
	o = written(s);
	assert_string_equal(string_at(o, A_URL_PATH), in);
	json_decref(o);
	s->t->attr_count = 0;
	txn_bytes(s->t, A_RESPONSE_BODY_BASE64, (struct str){in, n});
	o = written(s);
	assert_int_equal(strlen(string_at(o, A_RESPONSE_BODY_BASE64)), (n + 2) / 3 * 4);
	json_decref(o);
	free(in);
}

static void test_every_type_of_attribute(void **state)
{
	struct sample *s = *state;
	struct str strs[] = {STR("a\n"), STR_NONE, STR("b")};
	static const struct str base64[][2] = {
		/* RFC 4648 section 10 */
		{STR(""), STR("\"\"")},
		{STR("f"), STR("\"Zg==\"")},
		{STR("fo"), STR("\"Zm8=\"")},
		{STR("foo"), STR("\"Zm9v\"")},
		{STR("foob"), STR("\"Zm9vYg==\"")},
		{STR("fooba"), STR("\"Zm9vYmE=\"")},
		{STR("foobar"), STR("\"Zm9vYmFy\"")},
		{STR("\xff\xfe\xfd"), STR("\"//79\"")},
		{STR("\0\0"), STR("\"AAA=\"")},
	};
	json_t *o;

	txn_strs(s->t, A_DNS_ANSWERS, strs, 3);
	txn_strs(s->t, A_DNS_RESOLVED_IP, NULL, 0);
	txn_bool(s->t, A_WS_OPCODE, true);
	txn_bool(s->t, A_WS_CLOSE_CODE, false);
	txn_json(s->t, A_GRPC_REQUEST_CONTENT, STR("[\n{\"a\":\r\n1}\n]"));
	txn_json(s->t, A_GRPC_RESPONSE_CONTENT, STR_NONE);
	txn_str(s->t, A_URL_PATH, STR_NONE);
	txn_str(s->t, A_URL_QUERY, STR(""));
	txn_bytes(s->t, A_RESPONSE_BODY_BASE64, STR_NONE);
	o = written(s);
	expect_json(o, A_DNS_ANSWERS, "[\"a\\n\",\"\",\"b\"]");
	expect_json(o, A_DNS_RESOLVED_IP, "[]");
	expect_json(o, A_WS_OPCODE, "true");
	expect_json(o, A_WS_CLOSE_CODE, "false");
	expect_json(o, A_GRPC_REQUEST_CONTENT, "[{\"a\":1}]");
	expect_absent(o, A_GRPC_RESPONSE_CONTENT);
	expect_absent(o, A_URL_PATH);
	expect_json(o, A_URL_QUERY, "\"\"");
	expect_absent(o, A_RESPONSE_BODY_BASE64);
	json_decref(o);
	for (size_t i = 0; i < sizeof(base64) / sizeof(base64[0]); i++) {
		s->t->attr_count = 0;
		txn_bytes(s->t, A_RESPONSE_BODY_BASE64, base64[i][0]);
		o = written(s);
		expect_json(o, A_RESPONSE_BODY_BASE64, base64[i][1].p);
		json_decref(o);
	}
}

static void test_headers_in_their_forms(void **state)
{
	struct header h[] = {
		{.name = STR("a"), .value = STR("b")},
		{.name = STR("A"), .value = STR("")},
		{.name = STR("empty")},
		{.value = STR("b")},
		{.ref = -3},
		{.name = STR("n"), .value = STR("v"), .never_indexed = true},
		{.name = STR("big"), .oversize = true},
		{.name = STR("grpc-status"), .value = STR("0"), .trailer = true},
		{.name = STR("bad"), .value = STR("x\xff")},
		{.name = STR("\xff"), .value = STR("y")},
	};
	struct sample *s = *state;
	json_t *o;

	txn_headers(s->t, A_RESPONSE_HEADERS, h, sizeof(h) / sizeof(h[0]));
	o = written(s);
	expect_json(o, A_RESPONSE_HEADERS,
		    "[{\"name\":\"a\",\"value\":\"b\"},{\"name\":\"A\",\"value\":\"\"},"
		    "{\"name\":\"empty\",\"value\":\"\"},"
		    "{\"name\":null,\"value\":\"b\",\"unknown\":\"name\"},"
		    "{\"name\":null,\"value\":null,\"unknown\":\"both\",\"ref\":-3},"
		    "{\"name\":\"n\",\"value\":\"v\",\"never_indexed\":true},"
		    "{\"name\":\"big\",\"value\":null,\"oversize\":true},"
		    "{\"name\":\"grpc-status\",\"value\":\"0\",\"trailer\":true},"
		    "{\"name\":\"bad\",\"value\":\"x" REPLACEMENT "\",\"value_base64\":\"eP8=\"},"
		    "{\"name\":\"" REPLACEMENT "\",\"value\":\"y\",\"name_base64\":\"/w==\"}]");
	json_decref(o);
}

static void test_allowed_headers(void **state)
{
	static const char *const allow[] = {"X-Dotted.Name", "accept", NULL};
	const struct writer_cfg cfg = {.header_allow = allow};
	struct sample *s = *state;
	struct header trailer[] = {
		{.name = STR("Server"), .value = STR("x")},
		{.name = STR("Location"), .value = STR("late"), .trailer = true},
	};
	char *line;
	json_t *o;

	sample_headers(s, A_REQUEST_HEADERS, "ACCEPT", "a", "Cookie", "c=1", "Host", "h", "accept",
		       "b", "x-dotted.name", "d", NULL);
	txn_headers(s->t, A_RESPONSE_HEADERS, trailer, 2);
	o = written(s);
	expect_json(o, "http.request.header.accept", "[\"a\",\"b\"]");
	expect_json(o, "http.request.header.host", "[\"h\"]");
	expect_absent(o, "http.request.header.cookie");
	expect_absent(o, "http.request.header.x-dotted_name");
	expect_json(o, "http.response.header.server", "[\"x\"]");
	expect_absent(o, "http.response.header.location");
	json_decref(o);
	line = sample_written(&writer_json, &cfg, s->t);
	o = parse(line);
	expect_json(o, "http.request.header.accept", "[\"a\",\"b\"]");
	expect_json(o, "http.request.header.x-dotted_name", "[\"d\"]");
	expect_absent(o, "http.request.header.host");
	expect_absent(o, "http.response.header.server");
	json_decref(o);
	free(line);
}

static void test_an_allow_list_has_limits(void **state)
{
	static const char long_name[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	const char *many[66], *one[] = {long_name, NULL}, *empty[] = {"", NULL}, *none[] = {NULL};
	struct writer_cfg cfg = {.header_allow = many};
	struct out *out;
	void *self;

	(void)state;
	for (size_t i = 0; i < 65; i++)
		many[i] = "x";
	many[65] = NULL;
	assert_int_equal(out_open(&out, "/dev/null"), 0);
	assert_int_equal(writer_json.open(&self, out, &cfg), -E2BIG);
	cfg.header_allow = one;
	assert_int_equal(writer_json.open(&self, out, &cfg), -EINVAL);
	cfg.header_allow = empty;
	assert_int_equal(writer_json.open(&self, out, &cfg), -EINVAL);
	cfg.header_allow = none;
	assert_int_equal(writer_json.open(&self, out, &cfg), 0);
	assert_int_equal(writer_json.close(self), 0);
}

static void test_the_message_is_safe_for_terminals(void **state)
{
	struct sample *s = *state;
	json_t *o;

	s->t->target = STR("/\x1b[31m\xff");
	s->t->status = STR_NONE;
	s->t->flags = TXN_NO_RESPONSE;
	s->t->response_body_bytes = 12345;
	s->t->end_ns = s->t->start_ns + 1234567890;
	o = written(s);
	assert_string_equal(string_at(o, "message"),
			    "curl[4242] GET /\\x1b[31m\\xff - 12.3kB 1.23s");
	json_decref(o);
}

static void test_errors_come_back(void **state)
{
	const struct writer_cfg cfg = {.unbuffered = true};
	struct sample *s = *state;
	struct out *out;
	void *self;

	assert_int_equal(out_open(&out, "/dev/full"), 0);
	assert_int_equal(writer_json.open(&self, out, &cfg), 0);
	assert_int_equal(writer_json.txn(self, s->t), -ENOSPC);
	assert_int_equal(writer_json.txn(self, s->t), -ENOSPC);
	assert_int_equal(writer_json.flush(self), -ENOSPC);
	assert_int_equal(writer_json.close(self), -ENOSPC);
}

/* The exit status of the check of some lines against docs/schema.json, by python3-jsonschema. */
static int schema_status(const char *files, char *const *lines, size_t count, bool quiet)
{
	char command[256];
	FILE *check;
	int status;

	snprintf(command, sizeof(command),
		 "/usr/bin/python3 tests/fixtures/json/validate.py docs/schema.json %s - %s", files,
		 quiet ? "2>/dev/null" : "");
	check = popen(command, "w");
	assert_non_null(check);
	for (size_t i = 0; i < count; i++)
		assert_true(fputs(lines[i], check) >= 0);
	status = pclose(check);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_the_schema_holds(void **state)
{
	struct sample *s = *state;
	struct sample full;
	char *lines[3];

	sample_init(&full);
	lines[0] = sample_redacted(&writer_json, NULL, full.t);
	s->t->flags = TXN_LOST_REQUEST | TXN_LIMIT | TXN_LATE | TXN_AMBIGUOUS | TXN_UNKNOWN_HEADERS;
	s->t->source = PEER_UNKNOWN;
	s->t->has_stream = true;
	lines[1] = sample_written(&writer_json, NULL, s->t);
	s->conn.lib = "";
	s->conn.proc = NULL;
	lines[2] = sample_written(&writer_json, NULL, s->t);
	sample_free(&full);
	assert_int_equal(schema_status(GOLDEN, lines, 3, false), 0);
	for (size_t i = 0; i < 3; i++)
		free(lines[i]);
}

/* Lines made wrong in one place: the check above can fail. */
static void test_the_schema_refuses(void **state)
{
	static const char *const wrong[][2] = {
		{"678901234Z", "678Z"},
		{"\"event.duration\":2000000", "\"event.duration\":\"2000000\""},
		{"\"process.pid\":4242", "\"process.pid\":null"},
		{"\"thread.id\"", "\"process.pid\""}, /* twice */
		{"\"url.path\"", "\"url\""},
		{"\"tlslens.truncated\":[],", ""},
		{"\"nested\"", "\"unknown\""}, /* with addresses */
		{"\"network.peer.port\":443,", ""},
	};
	struct sample full;
	char *line, *at, *bad;

	(void)state;
	sample_init(&full);
	line = sample_redacted(&writer_json, NULL, full.t);
	sample_free(&full);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		at = strstr(line, wrong[i][0]);
		assert_non_null(at);
		assert_true(asprintf(&bad, "%.*s%s%s", (int)(at - line), line, wrong[i][1],
				     at + strlen(wrong[i][0])) > 0);
		if (schema_status("", &bad, 1, true) != 1)
			fail_msg("not refused: %s", bad);
		free(bad);
	}
	free(line);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_line_of_the_page),
		TEST(test_a_line_with_nothing_known),
		TEST(test_an_unknown_peer_has_no_address),
		TEST(test_the_server_side_is_mirrored),
		TEST(test_the_servers_name),
		TEST(test_families_and_transports),
		TEST(test_flags),
		TEST(test_times),
		TEST(test_numbers_at_their_limits),
		TEST(test_identity_fields),
		TEST(test_every_byte_value),
		TEST(test_escapes_are_the_short_ones),
		TEST(test_ill_formed_utf8),
		TEST(test_long_values_cross_the_steps),
		TEST(test_every_type_of_attribute),
		TEST(test_headers_in_their_forms),
		TEST(test_allowed_headers),
		TEST(test_an_allow_list_has_limits),
		TEST(test_the_message_is_safe_for_terminals),
		TEST(test_errors_come_back),
		TEST(test_the_schema_holds),
		TEST(test_the_schema_refuses),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
