/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Go's table of functions, in every layout that is known and however damaged: a name that is there is found at
 * its address, a table that does not hold together yields nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/gopclntab.h"

#define TEXT 0x401000u
#define MAGIC_1_2 0xfffffffbu
#define MAGIC_1_16 0xfffffffau
#define MAGIC_1_18 0xfffffff0u
#define MAGIC_1_20 0xfffffff1u
#define NAMES "runtime.main\0crypto/tls.(*Conn).Read\0crypto/tls.(*Conn).ReadFrom"
#define NAME_READ 13
#define NAME_READ_FROM 37
#define FUNCS 3
#define TABLE_MAX_BYTES 512

struct table {
	uint8_t b[TABLE_MAX_BYTES];
	size_t n;
	bool wide; /* functab has addresses of 64 bits */
};

static void put(struct table *t, uint64_t v, size_t bytes)
{
	assert_true(t->n + bytes <= sizeof(t->b));
	for (size_t i = 0; i < bytes; i++)
		t->b[t->n++] = (uint8_t)(v >> 8 * i);
}

static void put_at(struct table *t, size_t at, uint64_t v, size_t bytes)
{
	size_t n = t->n;

	t->n = at;
	put(t, v, bytes);
	t->n = n;
}

static size_t number(const struct table *t)
{
	return t->wide ? 8 : 4;
}

/* Three functions of 0x100, 0x40 and 0x20 octets; names last, so that a name without its end ends the table. */
static void make(struct table *t, uint32_t magic)
{
	static const uint32_t name[FUNCS] = {0, NAME_READ, NAME_READ_FROM};
	static const uint32_t entry[FUNCS + 1] = {0, 0x100, 0x140, 0x160};
	size_t functab, records;
	bool wide = magic == MAGIC_1_16;

	*t = (struct table){.wide = wide};
	put(t, magic, 4);
	put(t, 0, 2);
	put(t, 1, 1);
	put(t, 8, 1);
	put(t, FUNCS, 8);
	put(t, 1, 8);
	if (!wide)
		put(t, TEXT, 8);
	functab = wide ? 64 : GOPCLNTAB_HEADER_BYTES;
	records = (2 * FUNCS + 1) * number(t);
	put(t, functab + records + FUNCS * (number(t) + 4), 8); /* names */
	put(t, 0, 8);
	put(t, 0, 8);
	put(t, 0, 8);
	put(t, functab, 8);
	assert_int_equal(t->n, functab);
	for (size_t i = 0; i <= FUNCS; i++) {
		put(t, entry[i] + (wide ? TEXT : 0), number(t));
		if (i < FUNCS)
			put(t, records + i * (number(t) + 4), number(t));
	}
	for (size_t i = 0; i < FUNCS; i++) {
		put(t, entry[i] + (wide ? TEXT : 0), number(t));
		put(t, name[i], 4);
	}
	memcpy(t->b + t->n, NAMES, sizeof(NAMES));
	t->n += sizeof(NAMES);
}

/* In an allocation of its exact size, so that reading beyond it is seen. */
static int find(const struct table *t, size_t n, struct go_func *f, size_t count)
{
	uint8_t *copy = malloc(n ? n : 1);
	struct gopclntab g;
	int err;

	assert_non_null(copy);
	memcpy(copy, t->b, n);
	err = gopclntab_open(&g, copy, n);
	if (!err)
		err = gopclntab_find(&g, f, count);
	free(copy);
	return err;
}

static void test_finds_in_every_layout(void **state)
{
	static const uint32_t magics[] = {MAGIC_1_16, MAGIC_1_18, MAGIC_1_20};
	struct table t;

	(void)state;
	for (size_t i = 0; i < sizeof(magics) / sizeof(*magics); i++) {
		struct go_func f[] = {{.name = "crypto/tls.(*Conn).Read"},
				      {.name = "crypto/tls.(*Conn).ReadFrom"},
				      {.name = "crypto/tls.(*Conn).Rea"},
				      {.name = "tls.(*Conn).Read"}};

		make(&t, magics[i]);
		assert_int_equal(find(&t, t.n, f, 4), 0);
		assert_int_equal(f[0].addr, TEXT + 0x100);
		assert_int_equal(f[0].size, 0x40);
		assert_int_equal(f[1].addr, TEXT + 0x140);
		assert_int_equal(f[1].size, 0x20);
		assert_int_equal(f[2].addr, 0);
		assert_int_equal(f[3].addr, 0);
	}
}

static void test_says_what_it_is_not(void **state)
{
	struct go_func f = {.name = "runtime.main"};
	struct table t;

	(void)state;
	make(&t, MAGIC_1_2);
	assert_int_equal(find(&t, t.n, &f, 1), -ENOTSUP);
	make(&t, 0xfffffff5u);
	assert_int_equal(find(&t, t.n, &f, 1), -ENOENT);
	make(&t, MAGIC_1_20);
	put_at(&t, 7, 4, 1); /* a machine of 32 bits */
	assert_int_equal(find(&t, t.n, &f, 1), -ENOTSUP);
	make(&t, MAGIC_1_20);
	put_at(&t, 4, 1, 1);
	assert_int_equal(find(&t, t.n, &f, 1), -ENOENT);
	make(&t, MAGIC_1_20);
	put_at(&t, 6, 3, 1);
	assert_int_equal(find(&t, t.n, &f, 1), -ENOENT);
}

/* Counts and offsets whose sums and products would wrap, and functions out of order. */
static void test_refuses_numbers_that_cannot_be(void **state)
{
	static const uint64_t huge[] = {GOPCLNTAB_FUNCS_MAX + 1, 1ull << 32,	   1ull << 60,
					(1ull << 61) - 1,	 (1ull << 63) - 1, UINT64_MAX};
	static const size_t at[] = {8, 32, 64}; /* how many, the names, functab */
	struct go_func f = {.name = "runtime.main"};
	struct table t;

	(void)state;
	for (size_t i = 0; i < sizeof(huge) / sizeof(*huge); i++)
		for (size_t k = 0; k < sizeof(at) / sizeof(*at); k++) {
			make(&t, MAGIC_1_20);
			put_at(&t, at[k], huge[i], 8);
			assert_int_equal(find(&t, t.n, &f, 1), -EINVAL);
		}
	make(&t, MAGIC_1_20);
	put_at(&t, 8, 0, 8);
	assert_int_equal(find(&t, t.n, &f, 1), -EINVAL);
	make(&t, MAGIC_1_20);
	put_at(&t, GOPCLNTAB_HEADER_BYTES + 4, UINT32_MAX, 4); /* where the first record is */
	assert_int_equal(find(&t, t.n, &f, 1), -EINVAL);
	make(&t, MAGIC_1_20);
	put_at(&t, GOPCLNTAB_HEADER_BYTES, 0x101, 4); /* begins after the second */
	assert_int_equal(find(&t, t.n, &f, 1), -EINVAL);
	assert_int_equal(f.addr, 0);
}

static void test_cut_anywhere(void **state)
{
	static const uint32_t magics[] = {MAGIC_1_16, MAGIC_1_20};
	struct go_func f = {.name = "crypto/tls.(*Conn).ReadFrom"};
	struct table t;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		make(&t, magics[i]);
		for (size_t n = 0; n < t.n; n++) {
			find(&t, n, &f, 1);
			assert_int_equal(f.addr, 0);
		}
	}
}

/* No octet of it, whatever it is set to, leads out of the table: the sanitizer watches. */
static void test_any_octet_changed(void **state)
{
	struct go_func f = {.name = "crypto/tls.(*Conn).Read"};
	struct table t;

	(void)state;
	make(&t, MAGIC_1_20);
	for (size_t at = 0; at < t.n; at++)
		for (unsigned int v = 0; v < 256; v++) {
			uint8_t was = t.b[at];

			t.b[at] = (uint8_t)v;
			find(&t, t.n, &f, 1);
			t.b[at] = was;
		}
	assert_int_equal(find(&t, t.n, &f, 1), 0);
	assert_int_equal(f.addr, TEXT + 0x100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_in_every_layout),
		cmocka_unit_test(test_says_what_it_is_not),
		cmocka_unit_test(test_refuses_numbers_that_cannot_be),
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_any_octet_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
