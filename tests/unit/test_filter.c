/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters: what fits, what is refused and at which column; sampling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "core/attr_names.h"
#include "select/fields.h"
#include "select/filter.h"
#include "select/filter_ends.h"
#include "select/select.h"
#include "tests/unit/sample.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static bool fits(const struct sample *s, const char *expr)
{
	struct filter_error why;
	struct filter *f;
	bool yes;

	if (filter_compile(&f, expr, &why))
		fail_msg("'%s' refused at %zu: %s", expr, why.column, why.text);
	yes = filter_match(f, s->t);
	assert_int_equal(filter_match(f, s->t), yes);
	filter_free(f);
	return yes;
}

static void test_what_fits(void **state)
{
	/* The sample: GET https://example.com/a?x=1, 200, 2 ms, container web-1, 13 bytes. */
	static const char *const yes[] = {
		"http.response.status_code == 200",
		"http.response.status_code>=200 and http.response.status_code<300",
		"http.response.status_code == \"200\"",
		"http.response.status_code ~ '^2'",
		"http.response.status_code in (100, 200, 300)",
		"http.request.method in (\"PUT\", 'GET')",
		"event.duration == 2ms",
		"event.duration == 2000us and event.duration == 0.002s and event.duration < 1m",
		"event.duration > 1.999999ms and event.duration <= 2h",
		"http.response.body.size < 1k and http.response.body.size <= 13B",
		"http.response.body.size > -1",
		"container.name == \"web-1\" and server.port == 443",
		"network.peer.address == \"93.184.216.34\"",
		"url.full ~ \"example\\.com/a\"",
		"url.path != \"/b\"",
		"http.request.header.host == \"example.com\"",
		"http.request.header.authorization ~ \"hunter2\"",
		"http.request.header.host in ('a', 'example.com')",
		"http.request.header.host != \"x\"",
		"tlslens.request.headers",
		"container.name",
		"not tlslens.partial",
		"not (container.name == 'x' or server.port == 80)",
		"not not server.port == 443",
		"server.port == 80 or server.port == 443 and url.path == '/a'",
		"\t( ( server.port == 443 ) )\n",
		"@timestamp > \"2026-01-02T03\" and @timestamp < '2026-01-03'",
		"not container.image.name == 'x'",
		"server.port != true",
		"message ~ '^curl.4242. GET'",
	};
	static const char *const no[] = {
		"http.response.status_code >= 500",
		"http.response.status_code != 200",
		"http.response.status_code in (500, 502)",
		"event.duration > 100ms",
		"event.duration < 2ms",
		"container.image.name == 'x'",
		"container.image.name != 'x'",
		"container.image.name",
		"tlslens.partial",
		"tlslens.partial == true",
		"http.request.header.host != \"example.com\"",
		"http.request.header.host == 5",
		"http.request.header.missing ~ ''",
		"url.path == 5",
		"url.path < '/'",
		"url.path ~ '^a'",
		"http.request.method == 'get'",
		"http.request.method == 'GE'",
		"tlslens.request.headers == 'x'",
		"not container.name",
		"server.port == 443 and not server.port == 443",
		"(server.port == 80 or server.port == 443) and url.path == '/b'",
	};
	struct sample s;

	(void)state;
	sample_init(&s);
	for (size_t i = 0; i < COUNT(yes); i++)
		if (!fits(&s, yes[i]))
			fail_msg("'%s' does not fit", yes[i]);
	for (size_t i = 0; i < COUNT(no); i++)
		if (fits(&s, no[i]))
			fail_msg("'%s' fits", no[i]);
	s.t->flags |= TXN_LATE;
	assert_true(fits(&s, "tlslens.partial"));
	assert_true(fits(&s, "tlslens.partial == true and tlslens.partial != false"));
	sample_free(&s);
}

static void test_several_values(void **state)
{
	struct sample s;

	(void)state;
	sample_bare(&s);
	sample_headers(&s, A_RESPONSE_HEADERS, "Via", "a", "Via", "b", NULL);
	assert_true(fits(&s, "http.response.header.via == 'a'"));
	assert_true(fits(&s, "http.response.header.via == 'b'"));
	assert_true(fits(&s, "http.response.header.via != 'c'"));
	assert_false(fits(&s, "http.response.header.via != 'b'"));
	assert_true(fits(&s, "http.response.header.via > 'a'"));
	sample_free(&s);
}

static void test_refused(void **state)
{
	static const struct {
		const char *expr;
		size_t column;
		const char *text;
	} rows[] = {
		{"", 1, "name of a field"},
		{"   ", 4, "name of a field"},
		{"http.status == 5", 1, "http.status"},
		{"server.port == 80 and servr.port == 1", 23, "servr.port"},
		{"server.port = 80", 13, "=="},
		{"server.port == ", 16, "value is missing"},
		{"server.port == https", 16, "value is missing"},
		{"server.port == 80 80", 19, "operator"},
		{"server.port == 80)", 18, "operator"},
		{"(server.port == 80", 19, "')'"},
		{"server.port in 80", 16, "'('"},
		{"server.port in (80 81)", 20, "')' or ','"},
		{"server.port in ()", 17, "value is missing"},
		{"event.duration > 5 parsecs", 20, "operator"},
		{"event.duration > 5parsecs", 19, "unknown unit 'parsecs'"},
		{"event.duration > 99999999999999999999", 18, "too large"},
		{"event.duration > 9999999999999h", 18, "too large"},
		{"url.path == \"abc", 13, "no end"},
		{"url.path ~ \"(\"", 12, ""},
		{"url.path ~ 5", 12, "regular expression"},
		{"server.port == 80 and", 22, "name of a field"},
		{"not", 4, "name of a field"},
		{"http.request.header. == 'x'", 1, "no field"},
	};
	struct filter_error why;
	struct filter *f;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (filter_compile(&f, rows[i].expr, &why) != -EINVAL)
			fail_msg("'%s' accepted", rows[i].expr);
		if (why.column != rows[i].column || !strstr(why.text, rows[i].text) || !why.text[0])
			fail_msg("'%s': column %zu: %s", rows[i].expr, why.column, why.text);
	}
}

static void test_limits(void **state)
{
	char *expr = malloc(1 << 20);
	struct filter_error why;
	struct filter *f;
	size_t n = 0;

	(void)state;
	assert_non_null(expr);
	memset(expr, '(', 100000);
	expr[100000] = '\0';
	assert_int_equal(filter_compile(&f, expr, &why), -EINVAL);
	assert_non_null(strstr(why.text, "nested"));
	for (int i = 0; i < 2000; i++)
		n += (size_t)snprintf(expr + n, 64, "%sserver.port == 1", i ? " or " : "");
	assert_int_equal(filter_compile(&f, expr, &why), -EINVAL);
	assert_non_null(strstr(why.text, "conditions"));
	n = (size_t)snprintf(expr, 64, "server.port in (");
	for (int i = 0; i < 5000; i++)
		n += (size_t)snprintf(expr + n, 64, "%s%d", i ? "," : "", i);
	snprintf(expr + n, 64, ")");
	assert_int_equal(filter_compile(&f, expr, &why), -EINVAL);
	assert_non_null(strstr(why.text, "values"));
	free(expr);
	filter_free(NULL);
}

/* Whatever a parser may call an attribute can be filtered by. */
static void test_every_attribute_is_known(void **state)
{
	FILE *header = fopen("core/attr_names.h", "re");
	char line[256], macro[64], name[128];
	size_t n = 0;

	(void)state;
	assert_non_null(header);
	while (fgets(line, sizeof(line), header)) {
		if (sscanf(line, "#define A_%63s \"%127[^\"]\"", macro, name) != 2)
			continue;
		n++;
		if (name[strlen(name) - 1] == '.') {
			assert_false(field_is_attribute(name));
			continue;
		}
		if (!field_is_attribute(name))
			fail_msg("%s is missing in field_is_attribute()", name);
	}
	fclose(header);
	assert_true(n > 20);
}

struct spy {
	struct sink sink;
	unsigned int txns, chunks;
};

static int spy_txn(struct sink *sink, struct txn *t)
{
	(void)t;
	((struct spy *)sink)->txns++;
	return 0;
}

static int spy_chunk(struct sink *sink, const struct chunk *c)
{
	(void)c;
	((struct spy *)sink)->chunks++;
	return 0;
}

static const struct sink_ops spy_ops = {.txn = spy_txn, .chunk = spy_chunk};

static void test_selector_filters_before_it_counts(void **state)
{
	struct spy spy = {.sink = {&spy_ops}};
	struct select_cfg cfg = {.count = 1};
	struct filter_error why;
	struct selector *sel;
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_int_equal(filter_compile(&cfg.filter, "server.port == 80", &why), 0);
	sel = select_new(&cfg, &spy.sink);
	assert_int_equal(select_sink(sel)->ops->txn(select_sink(sel), s.t), 0);
	assert_int_equal(spy.txns, 0);
	assert_false(select_done(sel));
	s.conn.peer.port = 80;
	assert_int_equal(select_sink(sel)->ops->txn(select_sink(sel), s.t), 0);
	assert_int_equal(spy.txns, 1);
	assert_true(select_done(sel));
	select_free(sel);
	filter_free(cfg.filter);
	sample_free(&s);
}

static void test_sample(void **state)
{
	const struct select_cfg cfg = {.sample = 10};
	struct spy spy = {.sink = {&spy_ops}};
	struct selector *sel = select_new(&cfg, &spy.sink);
	struct chunk c = {0};
	struct sample s;

	(void)state;
	sample_init(&s);
	c.conn = &s.conn;
	for (int i = 0; i < 10000; i++) {
		unsigned int before = spy.chunks;

		snprintf(s.conn.id, sizeof(s.conn.id), "%d-7f00aa%x-1", 4000 + i / 100, i * 16);
		select_sink(sel)->ops->chunk(select_sink(sel), &c);
		select_sink(sel)->ops->txn(select_sink(sel), s.t);
		select_sink(sel)->ops->txn(select_sink(sel), s.t);
		assert_true(spy.chunks * 2 == spy.txns && spy.chunks - before <= 1);
	}
	assert_in_range(spy.chunks, 850, 1150);
	select_free(sel);
	sample_free(&s);
}

/* `clause:L80-90` of ports, `clause:P[last octets]` of addresses. */
static void ends_text(char *text, size_t n, const char *expr)
{
	struct filter_error why;
	struct ends_wanted w;
	struct filter *f;
	size_t at = 0;
	bool any;

	assert_int_equal(filter_compile(&f, expr, &why), 0);
	any = filter_ends(f, &w);
	assert_int_equal(any, w.clauses > 0);
	text[0] = '\0';
	for (uint32_t i = 0; i < w.ranges; i++) {
		const struct end_range *r = &w.v[i];
		const uint8_t *a = (const uint8_t *)r->address;

		at += (size_t)snprintf(text + at, n - at, " %u:%s%s", r->clause,
				       r->ends & END_BIT_LOCAL ? "L" : "",
				       r->ends & END_BIT_PEER ? "P" : "");
		at += (size_t)(r->by_address
				       ? snprintf(text + at, n - at, "[%02x%02x.%u]", a[10], a[11],
						  a[15])
				       : snprintf(text + at, n - at, "%u-%u", r->from, r->to));
		assert_true(at < n);
	}
	filter_free(f);
}

/* What is asked of the ends must follow from the filter, whatever else it says. */
static void test_ends(void **state)
{
	static const struct {
		const char *expr, *want;
	} rows[] = {
		{"network.peer.port == 443", " 0:P443-443"},
		{"network.local.port in (80, 443)", " 0:L80-80 0:L443-443"},
		{"server.port != 443", " 0:LP0-442 0:LP444-65535"},
		{"client.port < 1024 and url.path == '/'", " 0:LP0-1023"},
		{"client.port <= 1024", " 0:LP0-1024"},
		{"network.peer.port > 1023", " 0:P1024-65535"},
		{"network.peer.port >= 70000", " 0:P1-0"},
		{"network.peer.port > 65535", " 0:P1-0"},
		{"network.peer.port < 0", " 0:P1-0"},
		{"network.peer.port == -1", " 0:P1-0"},
		{"network.peer.port != 65536", " 0:P0-65535 0:P1-0"},
		{"network.peer.port != 0", " 0:P1-0 0:P1-65535"},
		{"network.peer.port > 9223372036854775807", " 0:P1-0"},
		{"network.peer.address == '10.0.0.7'", " 0:P[ffff.7]"},
		{"client.address in ('10.0.0.7', '2001:db8::9')", " 0:LP[ffff.7] 0:LP[0000.9]"},
		{"network.peer.port == 1 and network.local.port == 2", " 0:P1-1 1:L2-2"},
		{"network.peer.port == 1 or network.local.port == 2", " 0:P1-1 0:L2-2"},
		{"(network.peer.port == 1 and url.path) or server.port == 2", " 0:P1-1 0:LP2-2"},
		{"(url.path and network.peer.port == 1) or server.port == 2", " 0:P1-1 0:LP2-2"},
		{"network.peer.port == 1 or url.path == '/'", ""},
		{"network.peer.port == 1 or url.path and server.port == 3 and tlslens.role",
		 " 0:P1-1 0:LP3-3"},
		{"not network.peer.port == 1", ""},
		{"network.peer.port", ""},
		{"network.peer.port == '443'", ""},
		{"network.peer.port in (1, '443')", ""},
		{"network.peer.port ~ '^44'", ""},
		{"network.peer.address != '10.0.0.7'", ""},
		{"network.peer.address == 'ten'", ""},
		{"server.address == '10.0.0.7'", ""},
		{"network.peer.address == 'ten' and network.peer.port == 2", " 0:P2-2"},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		ends_text(text, sizeof(text), rows[i].expr);
		if (strcmp(text, rows[i].want) != 0)
			fail_msg("%s: '%s', not '%s'", rows[i].expr, text, rows[i].want);
	}
}

static void test_protocols(void **state)
{
	static const struct {
		const char *expr;
		bool asks, http, dns;
	} rows[] = {
		{"url.path == '/'", false, true, true},
		{"network.protocol.name == 'http'", true, true, false},
		{"network.protocol.name in ('dns', 'websocket')", true, false, true},
		{"network.protocol.name ~ '^ht'", true, true, false},
		{"network.protocol.name != 'http'", true, false, true},
		{"not network.protocol.name == 'http'", true, false, true},
		{"network.protocol.name", true, true, true},
		{"not network.protocol.name", true, false, false},
		{"network.protocol.name == 'dns' and url.path", true, false, true},
		{"network.protocol.name == 'dns' or url.path", true, true, true},
		{"not (network.protocol.name == 'dns' or url.path)", true, true, false},
		{"not (network.protocol.name == 'dns' and url.path)", true, true, true},
		{"network.protocol.name == 'dns' and network.protocol.name == 'http'", true, false,
		 false},
		{"server.port == 1 and (url.path or network.protocol.name == 'dns')", true, true,
		 true},
	};
	struct filter_error why;
	struct filter *f;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(filter_compile(&f, rows[i].expr, &why), 0);
		if (filter_asks_protocol(f) != rows[i].asks ||
		    filter_may_match_protocol(f, "http") != rows[i].http ||
		    filter_may_match_protocol(f, "dns") != rows[i].dns)
			fail_msg("%s", rows[i].expr);
		filter_free(f);
	}
}

static void put_times(struct buf *b, const char *text, int times)
{
	buf_clear(b);
	buf_puts(b, "server.port == 1");
	while (times--)
		buf_puts(b, text);
	buf_putc(b, '\0');
	assert_true(buf_ok(b));
}

/* What finds no room is left to the filter itself. */
static void test_many_ends(void **state)
{
	struct filter_error why;
	struct buf expr = {0};
	struct ends_wanted w;
	struct filter *f;
	char text[1024];

	(void)state;
	put_times(&expr, " and server.port == 1", ENDS_CLAUSES_MAX);
	assert_int_equal(filter_compile(&f, (const char *)expr.p, &why), 0);
	assert_true(filter_ends(f, &w));
	assert_int_equal(w.clauses, ENDS_CLAUSES_MAX);
	assert_int_equal(w.ranges, ENDS_CLAUSES_MAX);
	filter_free(f);
	put_times(&expr, " or server.port == 1", ENDS_RANGES_MAX);
	ends_text(text, sizeof(text), (const char *)expr.p);
	assert_string_equal(text, "");
	buf_free(&expr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_protocols),
		cmocka_unit_test(test_many_ends),
		cmocka_unit_test(test_what_fits),
		cmocka_unit_test(test_several_values),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_every_attribute_is_known),
		cmocka_unit_test(test_selector_filters_before_it_counts),
		cmocka_unit_test(test_sample),
	};

	return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
