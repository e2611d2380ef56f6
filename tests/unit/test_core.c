/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/: the cursor's bounds, buffers and arenas at their limits, transactions and their recycler, messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cursor.h"
#include "core/log.h"
#include "core/proto.h"

static void cursor_reads_integers(void **state)
{
	static const uint8_t p[] = {1,	  2,	3,    4,    5,	  6,	7,    8,
				    9,	  10,	11,   12,   13,	  14,	15,   16,
				    17,	  18,	0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa,
				    0xf9, 0xf8, 0xf7, 0xf6, 0xf5, 0xf4, 0xf3, 0xf2};
	struct cursor c = cursor_init(p, sizeof(p));

	(void)state;
	assert_int_equal(cursor_u8(&c), 0x01);
	assert_int_equal(cursor_u16(&c), 0x0203);
	assert_int_equal(cursor_u24(&c), 0x040506);
	assert_int_equal(cursor_u32(&c), 0x0708090a);
	assert_int_equal(cursor_u64(&c), 0x0b0c0d0e0f101112);
	assert_int_equal(cursor_u16le(&c), 0xfeff);
	assert_int_equal(cursor_u32le(&c), 0xfafbfcfd);
	assert_true(cursor_u64le(&c) == 0xf2f3f4f5f6f7f8f9);
	assert_int_equal(cursor_left(&c), 0);
	assert_true(cursor_ok(&c));
}

/* The first short read fails, moves nothing, and so does every later one, however small. */
static void cursor_error_sticks(void **state)
{
	static const uint8_t p[3] = {1, 2, 3};
	struct cursor c = cursor_init(p, sizeof(p));

	(void)state;
	assert_int_equal(cursor_u8(&c), 1);
	assert_int_equal(cursor_u32(&c), 0);
	assert_false(cursor_ok(&c));
	assert_int_equal(cursor_offset(&c), 1);
	assert_int_equal(cursor_left(&c), 0);
	assert_int_equal(cursor_u8(&c), 0);
	assert_null(cursor_bytes(&c, 0));
	assert_false(cursor_seek(&c, 0));
}

static void cursor_seeks_within_its_range(void **state)
{
	static const uint8_t p[4] = {1, 2, 3, 4};
	struct cursor c = cursor_init(p, sizeof(p)), sub;

	(void)state;
	assert_true(cursor_seek(&c, 2));
	sub = cursor_sub(&c, 2);
	assert_int_equal(cursor_u16(&sub), 0x0304);
	assert_int_equal(cursor_left(&c), 0);
	assert_true(cursor_seek(&c, 4));
	assert_false(cursor_seek(&c, 5));
	assert_false(cursor_ok(&c));
	sub = cursor_sub(&c, 1); /* of a failed one */
	assert_false(cursor_ok(&sub));
	c = cursor_init(p, sizeof(p));
	assert_false(cursor_skip(&c, SIZE_MAX));
	c = cursor_init(NULL, 0);
	assert_true(cursor_skip(&c, 0));
	assert_int_equal(cursor_u8(&c), 0);
	assert_false(cursor_ok(&c));
}

static void strings_compare(void **state)
{
	(void)state;
	assert_true(str_ieq(STR("Content-Length"), STR("content-LENGTH")));
	assert_false(str_ieq(STR("content"), STR("contents")));
	/* only letters fold: '[' and '{' differ in the same bit */
	assert_false(str_ieq(STR("["), STR("{")));
	assert_false(str_ieq(STR("\xc0"), STR("\xe0")));
	assert_true(str_eq(STR_NONE, STR("")));
	assert_true(str_eq(str_from(NULL), STR_NONE));
	assert_false(str_eq(STR("a"), STR("b")));
}

static void buf_grows_and_consumes(void **state)
{
	struct buf b = {0};

	(void)state;
	for (int i = 0; i < 5000; i++)
		assert_int_equal(buf_printf(&b, "%d,", i), 0);
	assert_memory_equal(b.p, "0,1,2,3,", 8);
	assert_memory_equal(b.p + b.n - 5, "4999,", 5);
	buf_consume(&b, 4);
	assert_memory_equal(b.p, "2,3,", 4);
	buf_consume(&b, b.n + 1);
	assert_int_equal(b.n, 0);
	assert_int_equal(buf_put_be(&b, 0x0102030405060708, 3), 0);
	assert_int_equal(buf_put_le(&b, 0x0102030405060708, 3), 0);
	assert_memory_equal(b.p, "\x06\x07\x08\x08\x07\x06", 6);
	assert_int_equal(buf_put(&b, NULL, 0), 0);
	buf_free(&b);
}

/* At its limit it keeps what it has, whole, and says so until it is cleared. */
static void buf_limit_sticks(void **state)
{
	struct buf b = {.limit = 300};

	(void)state;
	for (int i = 0; i < 299; i++)
		assert_int_equal(buf_putc(&b, 'x'), 0);
	assert_int_equal(buf_put(&b, "ab", 2), -ENOBUFS);
	assert_false(buf_ok(&b));
	assert_int_equal(b.n, 299);
	assert_int_equal(buf_putc(&b, 'y'), -ENOBUFS);
	assert_int_equal(buf_reserve(&b, 0), -ENOBUFS);
	buf_clear(&b);
	assert_true(buf_ok(&b));
	assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOBUFS);
	buf_free(&b);
	assert_int_equal(b.limit, 300);
	assert_int_equal(b.cap, 0);
	assert_true(buf_ok(&b));
}

static void arena_is_aligned_and_recycled(void **state)
{
	struct arena a = {0};
	uint8_t *first = arena_alloc(&a, 1), *p;

	(void)state;
	for (size_t n = 0; n < 2000; n++) {
		p = arena_zalloc(&a, n);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xee, n);
	}
	arena_reset(&a);
	assert_ptr_equal(arena_alloc(&a, 1), first); /* the first block was kept */
	assert_string_equal(arena_printf(&a, "%d-%s", 7, "x").p, "7-x");
	assert_int_equal(arena_str(&a, "a\0b", 3).n, 3);
	assert_non_null(arena_str(&a, NULL, 0).p);
	arena_free(&a);
	assert_int_equal(a.used_bytes, 0);
}

static void arena_limit_is_kept(void **state)
{
	struct arena a = {.limit_bytes = 100000};
	size_t got = 0;

	(void)state;
	while (arena_alloc(&a, 1000))
		got += 1000;
	assert_true(got <= 100000);
	assert_true(got >= 60000); /* and is worth something */
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 8));
	assert_null(arena_str(&a, "", SIZE_MAX).p);
	arena_reset(&a);
	assert_null(arena_alloc(&a, 100001));
	assert_non_null(arena_alloc(&a, 1000));
	arena_free(&a);
}

static void txn_keeps_its_attributes_in_order(void **state)
{
	static const struct conn conn;
	struct txn *t = txn_new(&conn);
	struct str two[] = {STR("a"), STR("b")};

	(void)state;
	assert_non_null(t);
	txn_str(t, "x.str", STR("s"));
	txn_int(t, "x.int", -5);
	txn_bool(t, "x.bool", true);
	txn_strs(t, "x.strs", two, 2);
	txn_bytes(t, "x.bytes", STR("\0\1"));
	txn_json(t, "x.json", STR("[]"));
	assert_int_equal(t->attr_count, 6);
	assert_string_equal(t->attrs[0].name, "x.str");
	assert_int_equal(txn_attr(t, "x.int")->num, -5);
	assert_true(txn_attr(t, "x.bool")->flag);
	assert_int_equal(txn_attr(t, "x.strs")->count, 2);
	assert_int_equal(txn_attr(t, "x.bytes")->type, ATTR_BYTES);
	assert_int_equal(txn_attr(t, "x.json")->type, ATTR_JSON);
	assert_null(txn_attr(t, "x.none"));
	txn_free(t);
	txn_pool_drain();
}

static void txn_attributes_are_bounded(void **state)
{
	static const struct conn conn;
	struct txn *t = txn_new(&conn);

	(void)state;
	assert_non_null(t);
	for (int i = 0; i < TXN_ATTRS_MAX; i++)
		txn_int(t, "x", i);
	assert_int_equal(t->flags, 0);
	txn_int(t, "x", 1);
	assert_int_equal(t->attr_count, TXN_ATTRS_MAX);
	assert_int_equal(t->flags, TXN_LIMIT);
	for (int i = 0; i < TXN_ATTRS_MAX; i++)
		assert_int_equal(t->attrs[i].num, i);
	txn_free(t);
	txn_pool_drain();
}

/* A recycled transaction is like a new one: nothing of the last shows. */
static void txn_recycled_is_clean(void **state)
{
	static const struct conn one, two;
	struct txn *t = txn_new(&one), *again;

	(void)state;
	assert_non_null(t);
	txn_int(t, "x", 1);
	t->flags = TXN_LATE;
	t->target = arena_str(&t->arena, "secret", 6);
	txn_free(t);
	again = txn_new(&two);
	assert_ptr_equal(again, t);
	assert_ptr_equal(again->conn, &two);
	assert_int_equal(again->attr_count, 0);
	assert_int_equal(again->flags, 0);
	assert_null(again->target.p);
	txn_free(again);
	txn_free(NULL);
	txn_pool_drain();
}

/* What was written to stderr while fn ran; to be freed. */
static char *said(void (*fn)(void))
{
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO);
	off_t n;
	char *p;

	assert_non_null(f);
	dup2(fileno(f), STDERR_FILENO);
	fn();
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = lseek(fileno(f), 0, SEEK_END);
	p = calloc(1, (size_t)n + 1);
	assert_non_null(p);
	assert_int_equal(pread(fileno(f), p, (size_t)n, 0), n);
	fclose(f);
	return p;
}

static void say_levels(void)
{
	log_error("%s", "e");
	log_warn("%s", "w");
	log_info("%s", "i");
	log_debug("%s", "d");
}

static void flood(void)
{
	for (int i = 0; i < 1000; i++)
		log_warn("flood");
}

static void flood_errors(void)
{
	for (int i = 0; i < 1000; i++)
		log_error("flood");
}

static void say_long(void)
{
	char text[5000];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_error("%s", text);
}

static void say_odd_names(void)
{
	log_warn("%s", "a\x1b[31m\nb\t\x7f\xc2\x9b"
		       "c \xc2\xa0\xc3\xa4");
}

static size_t lines(const char *p)
{
	size_t n = 0;

	for (; *p; p++)
		n += *p == '\n';
	return n;
}

static void messages_are_levelled_and_limited(void **state)
{
	char *p;

	(void)state;
	p = said(say_levels);
	assert_string_equal(p, "tlslens: error: e\ntlslens: warning: w\ntlslens: i\n");
	free(p);
	log_set_level(LOG_ERROR);
	p = said(say_levels);
	assert_string_equal(p, "tlslens: error: e\n");
	free(p);
	log_set_level(LOG_INFO);
	p = said(flood);
	assert_int_equal(lines(p), LOG_BURST);
	free(p);
	p = said(flood_errors); /* never swallowed */
	assert_int_equal(lines(p), 1000);
	free(p);
	p = said(say_odd_names);
	assert_string_equal(p, "tlslens: warning: a?[31m?b????c \xc2\xa0\xc3\xa4\n");
	free(p);
	p = said(say_long); /* cut, and still one line */
	assert_int_equal(lines(p), 1);
	assert_true(strlen(p) <= 1024);
	assert_int_equal(p[strlen(p) - 1], '\n');
	free(p);
}

static void names_of_evidence(void **state)
{
	(void)state;
	assert_string_equal(peer_source_name(PEER_NESTED), "nested");
	assert_string_equal(peer_source_name(PEER_CACHED), "cached");
	assert_string_equal(peer_source_name(PEER_RECORD), "record");
	assert_string_equal(peer_source_name(PEER_KERNEL), "kernel");
	assert_string_equal(peer_source_name(PEER_UNKNOWN), "unknown");
	assert_string_equal(peer_source_name((enum peer_source)99), "unknown");
}

static void rows_are_found_by_name(void **state)
{
	(void)state;
	assert_non_null(proto_by_name("http/1"));
	assert_string_equal(proto_by_name("http/1")->name, "http/1");
	assert_null(proto_by_name("gopher"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cursor_reads_integers),
		cmocka_unit_test(cursor_error_sticks),
		cmocka_unit_test(cursor_seeks_within_its_range),
		cmocka_unit_test(strings_compare),
		cmocka_unit_test(buf_grows_and_consumes),
		cmocka_unit_test(buf_limit_sticks),
		cmocka_unit_test(arena_is_aligned_and_recycled),
		cmocka_unit_test(arena_limit_is_kept),
		cmocka_unit_test(txn_keeps_its_attributes_in_order),
		cmocka_unit_test(txn_attributes_are_bounded),
		cmocka_unit_test(txn_recycled_is_clean),
		cmocka_unit_test(messages_are_levelled_and_limited),
		cmocka_unit_test(names_of_evidence),
		cmocka_unit_test(rows_are_found_by_name),
	};

	return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
