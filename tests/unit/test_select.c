/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counting, passing on, fields by their names, and the words that people read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "core/attr_names.h"
#include "select/fields.h"
#include "select/human.h"
#include "select/select.h"
#include "select/utf8.h"
#include "tests/unit/sample.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

struct spy {
	struct sink sink;
	unsigned int txns, chunks;
	size_t masks;
	uint64_t tick;
	int answer;
};

static int spy_txn(struct sink *sink, struct txn *t)
{
	struct spy *spy = (struct spy *)sink;

	(void)t;
	spy->txns++;
	return spy->answer;
}

static int spy_chunk(struct sink *sink, const struct chunk *c)
{
	struct spy *spy = (struct spy *)sink;

	spy->chunks++;
	spy->masks = c->mask_count;
	assert_int_equal(c->data.n, 9);
	return spy->answer;
}

static int spy_tick(struct sink *sink, uint64_t now_ns)
{
	struct spy *spy = (struct spy *)sink;

	spy->tick = now_ns;
	return spy->answer;
}

static const struct sink_ops spy_ops = {.txn = spy_txn, .chunk = spy_chunk, .tick = spy_tick};

static struct selector *selector_to(struct spy *spy, bool redact, uint64_t count)
{
	const struct select_cfg cfg = {.redact = redact, .count = count};
	struct selector *s;

	spy->sink.ops = &spy_ops;
	s = select_new(&cfg, &spy->sink);
	assert_non_null(s);
	return s;
}

static void test_count(void **state)
{
	const struct conn conn = {.id = "1"};
	struct txn t = {.conn = &conn}, early = {.conn = &conn, .flags = TXN_EARLY};
	struct spy spy = {0};
	struct selector *s = selector_to(&spy, true, 2);
	struct sink *sink = select_sink(s);

	(void)state;
	assert_false(select_done(s));
	assert_int_equal(sink->ops->txn(sink, &early), 0);
	assert_int_equal(select_txns(s), 0);
	assert_int_equal(sink->ops->txn(sink, &t), 0);
	assert_false(select_done(s));
	assert_int_equal(sink->ops->txn(sink, &t), 0);
	assert_true(select_done(s));
	assert_int_equal(sink->ops->txn(sink, &t), 0);
	assert_int_equal(sink->ops->txn(sink, &early), 0);
	assert_int_equal(select_txns(s), 2);
	assert_int_equal(spy.txns, 3);
	select_free(s);

	spy.txns = 0;
	s = selector_to(&spy, false, 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(select_sink(s)->ops->txn(select_sink(s), &t), 0);
	assert_false(select_done(s));
	assert_int_equal(spy.txns, 100);
	select_free(s);
	select_free(NULL);
}

static void test_chunks_and_ticks_pass(void **state)
{
	static const struct mask mask = {2, 3, 0x2a};
	const struct chunk c = {.data = STR("plaintext"), .masks = &mask, .mask_count = 1};
	struct spy spy = {0};
	struct selector *s = selector_to(&spy, true, 0);
	struct sink *sink = select_sink(s);

	(void)state;
	assert_int_equal(sink->ops->chunk(sink, &c), 0);
	assert_int_equal(spy.masks, 1);
	assert_int_equal(sink->ops->tick(sink, 12345), 0);
	assert_int_equal(spy.tick, 12345);
	select_free(s);

	/* without redaction nothing is masked in packets either */
	s = selector_to(&spy, false, 0);
	sink = select_sink(s);
	assert_int_equal(sink->ops->chunk(sink, &c), 0);
	assert_int_equal(spy.masks, 0);
	assert_int_equal(spy.chunks, 2);
	select_free(s);
}

static void test_errors_come_back(void **state)
{
	const struct conn conn = {.id = "1"};
	const struct chunk c = {.data = STR("plaintext")};
	struct txn t = {.conn = &conn};
	struct spy spy = {.answer = -ENOSPC};
	struct selector *s = selector_to(&spy, true, 0);
	struct sink *sink = select_sink(s);

	(void)state;
	assert_int_equal(sink->ops->txn(sink, &t), -ENOSPC);
	assert_int_equal(sink->ops->chunk(sink, &c), -ENOSPC);
	assert_int_equal(sink->ops->tick(sink, 1), -ENOSPC);
	select_free(s);
}

static void expect_field(const struct sample *s, const char *name, const char *want)
{
	struct field f = {0};

	assert_true(field_by_name(name, s->t, &f));
	assert_int_equal(f.v.type, ATTR_STR);
	if (!str_eq(f.v.str, str_from(want)))
		fail_msg("%s is %.*s, not %s", name, (int)f.v.str.n, f.v.str.p, want);
	field_free(&f);
}

static void expect_number(const struct sample *s, const char *name, int64_t want)
{
	struct field f = {0};

	assert_true(field_by_name(name, s->t, &f));
	assert_int_equal(f.v.type, ATTR_INT);
	assert_int_equal(f.v.num, want);
	field_free(&f);
}

static void test_fields_by_name(void **state)
{
	struct field f = {0};
	struct sample s;

	(void)state;
	sample_init(&s);
	expect_field(&s, "@timestamp", "2026-01-02T03:04:05.678901234Z");
	expect_field(&s, "event.name", "http.exchange");
	expect_field(&s, "network.peer.address", "93.184.216.34");
	expect_field(&s, "client.address", "10.1.2.3");
	expect_field(&s, "server.address", "example.com");
	expect_field(&s, "process.executable.name", "curl");
	expect_field(&s, "k8s.pod.name", "web-1-abc");
	expect_field(&s, "tlslens.conn.source", "nested");
	expect_field(&s, A_URL_FULL, "https://example.com/a?x=1");
	expect_number(&s, "event.duration", 2000000);
	expect_number(&s, "server.port", 443);
	expect_number(&s, "process.pid", 4242);
	expect_number(&s, A_HTTP_STATUS, 200);
	assert_true(field_by_name("http.request.header.host", s.t, &f));
	assert_int_equal(f.v.type, ATTR_STRS);
	assert_int_equal(f.v.count, 1);
	assert_true(str_eq(f.v.strs[0], STR("example.com")));
	assert_true(field_by_name("http.response.header.content-type", s.t, &f));
	assert_false(field_by_name("http.response.header.host", s.t, &f));
	assert_false(field_by_name("http.request.header.", s.t, &f));
	assert_false(field_by_name("container.image.name", s.t, &f));
	assert_false(field_by_name("tlslens.partial", s.t, &f));
	assert_false(field_by_name("no.such.field", s.t, &f));
	assert_false(field_by_name("", s.t, &f));
	field_free(&f);
	sample_free(&s);
}

/* What the JSON writer lists is what a filter finds, and no name stands twice or before another's dot. */
static void test_the_list_of_fields(void **state)
{
	struct field_ref refs[FIELDS_MAX], found;
	size_t n, lead, len;

	(void)state;
	n = fields_list(refs, &lead);
	assert_true(n <= FIELDS_MAX && lead < n);
	assert_string_equal(refs[lead - 1].name, "message");
	for (size_t i = 0; i < n; i++) {
		assert_true(field_find(refs[i].name, &found));
		assert_ptr_equal(found.get, refs[i].get);
		assert_int_equal(found.arg, refs[i].arg);
		len = strlen(refs[i].name);
		for (size_t k = 0; k < n; k++)
			if (k != i && strncmp(refs[i].name, refs[k].name, len) == 0)
				assert_true(refs[k].name[len] != '.' && refs[k].name[len] != '\0');
	}
	assert_false(field_find(A_URL_FULL, &found));
}

static void expect_human(struct buf *b, const char *want)
{
	if (!str_eq((struct str){(const char *)b->p, b->n}, str_from(want)))
		fail_msg("%.*s, not %s", (int)b->n, b->p, want);
	buf_clear(b);
}

static void test_sizes_and_durations(void **state)
{
	static const struct {
		uint64_t v;
		const char *size, *duration;
	} rows[] = {
		{0, "0B", "0us"},
		{13, "13B", "0us"},
		{999, "999B", "0us"},
		{1000, "1.0kB", "1us"},
		{1999, "1.9kB", "1us"},
		{999999, "999.9kB", "999us"},
		{1000000, "1.0MB", "1.0ms"},
		{2049999, "2.0MB", "2.0ms"},
		{999999999, "999.9MB", "999.9ms"},
		{1000000000, "1.0GB", "1.00s"},
		{61230000000, "61.2GB", "61.23s"},
		{UINT64_MAX, "18446744073.7GB", "18446744073.70s"},
	};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		human_size(&b, rows[i].v);
		expect_human(&b, rows[i].size);
		human_duration(&b, rows[i].v);
		expect_human(&b, rows[i].duration);
	}
	human_uint(&b, UINT64_MAX);
	expect_human(&b, "18446744073709551615");
	buf_free(&b);
}

static void test_text_for_terminals(void **state)
{
	static const struct {
		struct str in;
		const char *want;
	} rows[] = {
		{STR(""), ""},
		{STR("plain ~ text \\x"), "plain ~ text \\x"},
		{STR("a\0b"), "a\\x00b"},
		{STR("\x1b[31mred\x1b[0m"), "\\x1b[31mred\\x1b[0m"},
		{STR("\r\n\t\x7f"), "\\x0d\\x0a\\x09\\x7f"},
		{STR("\xc2\x9b"
		     "31m"),
		 "\\xc2\\x9b31m"}, /* CSI in one character */
		{STR("\x9b"), "\\x9b"},
		{STR("\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80"),
		 "\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80"},
		{STR("\xe2\x82"), "\\xe2\\x82"},
		{STR("user\xe2\x80\xae"
		     "cod.exe"),
		 "user\\u{202e}cod.exe"}, /* right-to-left override */
		{STR("a\xe2\x80\x8b"
		     "b"),
		 "a\\u{200b}b"},
		{STR("\xf3\xa0\x81\x81"), "\\u{0e0041}"},
		{STR("\xff"), "\\xff"},
	};
	struct buf b = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		human_text(&b, rows[i].in);
		assert_true(utf8_valid((struct str){(const char *)b.p, b.n}));
		expect_human(&b, rows[i].want);
	}
	buf_free(&b);
}

static size_t count_valid(uint8_t first, uint8_t n)
{
	uint8_t p[4] = {first};
	struct utf8_char c;
	size_t valid = 0;

	for (uint32_t v = 0; v < 1u << (8 * (n - 1)); v++) {
		for (uint8_t i = 1; i < n; i++)
			p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
		if (n == 4 && p[1] >> 6 != 2) { /* refused like the shorter ones: saves the time */
			v |= 0xffff;
			continue;
		}
		c = utf8_next(p, n);
		assert_true(c.n >= 1 && c.n <= n);
		valid += c.valid && c.n == n;
	}
	return valid;
}

/* Of all sequences of each length exactly as many are well-formed as there are characters (RFC 3629). */
static void test_utf8_exhaustively(void **state)
{
	size_t valid[5] = {0};

	(void)state;
	for (unsigned int first = 0x80; first < 0x100; first++)
		for (uint8_t n = 1; n <= 3; n++)
			valid[n] += count_valid((uint8_t)first, n);
	for (unsigned int first = 0xf0; first < 0x100; first++)
		valid[4] += count_valid((uint8_t)first, 4);
	assert_int_equal(valid[1], 0);
	assert_int_equal(valid[2], 0x800 - 0x80);
	assert_int_equal(valid[3], 0x10000 - 0x800 - 0x800);
	assert_int_equal(valid[4], 0x110000 - 0x10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_chunks_and_ticks_pass),
		cmocka_unit_test(test_errors_come_back),
		cmocka_unit_test(test_fields_by_name),
		cmocka_unit_test(test_the_list_of_fields),
		cmocka_unit_test(test_sizes_and_durations),
		cmocka_unit_test(test_text_for_terminals),
		cmocka_unit_test(test_utf8_exhaustively),
	};

	return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
