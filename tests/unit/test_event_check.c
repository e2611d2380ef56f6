/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ev_check(): what it lets through can be read without a further look at lengths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture/source.h"

/* A record of a type with n bytes behind its fixed part, in memory of exactly its length. */
static struct ev_hdr *record(uint16_t type, size_t fixed, const void *more, size_t n)
{
	struct ev_hdr *ev = calloc(1, fixed + n);

	assert_non_null(ev);
	ev->type = type;
	ev->len = (uint32_t)(fixed + n);
	if (n)
		memcpy((char *)ev + fixed, more, n);
	return ev;
}

static struct ev_data *data(const char *text)
{
	struct ev_data *d = (void *)record(EV_DATA, sizeof(*d), text, strlen(text));

	d->want = d->got = (uint32_t)strlen(text);
	return d;
}

static void test_fixed_lengths(void **state)
{
	static const struct {
		uint16_t type;
		size_t len;
	} rows[] = {
		{EV_SOCK, sizeof(struct ev_sock)},
		{EV_CIPHER, sizeof(struct ev_cipher)},
		{EV_CONN_END, sizeof(struct ev_conn_end)},
		{EV_SOCK_CLOSE, sizeof(struct ev_sock_close)},
		{EV_FORK, sizeof(struct ev_proc)},
		{EV_THREAD, sizeof(struct ev_thread)},
		{EV_EXIT, sizeof(struct ev_proc)},
		{EV_CLOCK, sizeof(struct ev_clock)},
		{EV_COUNTERS, sizeof(struct ev_counters)},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int by = -8; by <= 8; by++) {
			size_t len = (size_t)((int)rows[i].len + by);
			struct ev_hdr *ev = record(rows[i].type, len, NULL, 0);

			assert_int_equal(ev_check(ev, len), by == 0);
			free(ev);
		}
	}
}

/* Without what the kernel side adds, or with all of it and a path that ends. */
static void test_exec(void **state)
{
	struct ev_exec *e = (void *)record(EV_EXEC, sizeof(*e), "sh\0-c", 6);
	struct ev_hdr *bare = record(EV_EXEC, sizeof(struct ev_proc), NULL, 0);

	(void)state;
	assert_true(ev_check(bare, bare->len));
	bare->len--;
	assert_false(ev_check(bare, bare->len));
	free(bare);
	e->args_len = 6;
	assert_true(ev_check(&e->proc.hdr, e->proc.hdr.len));
	e->args_len = 7;
	assert_false(ev_check(&e->proc.hdr, e->proc.hdr.len));
	e->args_len = 6;
	memset(e->exe, 'x', sizeof(e->exe));
	assert_false(ev_check(&e->proc.hdr, e->proc.hdr.len));
	free(e);
}

/* The address before the payload is counted by hdr.len alone. */
static void test_data_peer(void **state)
{
	const char bytes[sizeof(struct ev_peer) + 3] = {0};
	struct ev_data *d = (void *)record(EV_DATA, sizeof(*d), bytes, sizeof(bytes));

	(void)state;
	d->hdr.flags = EV_DATA_PLAIN | EV_DATA_DGRAM | EV_DATA_PEER;
	d->want = d->got = 3;
	assert_true(ev_check(&d->hdr, d->hdr.len));
	d->want = d->got = 4;
	assert_false(ev_check(&d->hdr, d->hdr.len));
	d->want = d->got = 3 + sizeof(struct ev_peer);
	assert_false(ev_check(&d->hdr, d->hdr.len));
	d->hdr.len = sizeof(*d) + sizeof(struct ev_peer) - 1;
	d->want = d->got = 0;
	assert_false(ev_check(&d->hdr, d->hdr.len));
	free(d);
}

static void test_header(void **state)
{
	struct ev_hdr ev = {.type = EV_TICK, .len = sizeof(ev)};

	(void)state;
	assert_true(ev_check(&ev, sizeof(ev)));
	assert_true(ev_check(&ev, sizeof(ev) + 8)); /* others may follow */
	assert_false(ev_check(&ev, sizeof(ev) - 1));
	assert_false(ev_check(&ev, 0));
	ev.len = sizeof(ev) + 1;
	assert_false(ev_check(&ev, sizeof(ev)));
	ev.len = sizeof(ev) - 1;
	assert_false(ev_check(&ev, sizeof(ev)));
	ev.len = EV_RECORD_MAX_BYTES + 1;
	assert_false(ev_check(&ev, (size_t)EV_RECORD_MAX_BYTES + 100));
	ev.len = sizeof(ev);
	ev.type = 9999; /* of a later version */
	assert_true(ev_check(&ev, sizeof(ev)));
}

static void test_data(void **state)
{
	struct ev_data *d = data("hello");

	(void)state;
	assert_true(ev_check(&d->hdr, d->hdr.len));
	d->want = 9; /* more was moved than copied */
	assert_true(ev_check(&d->hdr, d->hdr.len));
	d->want = 4; /* less was moved than copied */
	assert_false(ev_check(&d->hdr, d->hdr.len));
	d->want = 5;
	d->got = 6;
	assert_false(ev_check(&d->hdr, d->hdr.len));
	d->got = 4;
	assert_false(ev_check(&d->hdr, d->hdr.len));
	d->got = 5;
	d->dir = 2;
	assert_false(ev_check(&d->hdr, d->hdr.len));
	d->dir = 1;
	d->off = UINT64_MAX - 4;
	assert_false(ev_check(&d->hdr, d->hdr.len));
	d->off = UINT64_MAX - 5;
	assert_true(ev_check(&d->hdr, d->hdr.len));
	d->hdr.len = sizeof(*d) - 1;
	assert_false(ev_check(&d->hdr, d->hdr.len));
	free(d);
}

static void test_sock_io(void **state)
{
	struct ev_sock_io *d = (void *)record(EV_SOCK_IO, sizeof(*d), "abc", 3);

	(void)state;
	d->want = d->got = 3;
	assert_true(ev_check(&d->hdr, d->hdr.len));
	d->got = 2;
	assert_false(ev_check(&d->hdr, d->hdr.len));
	d->got = 3;
	d->dir = 7;
	assert_false(ev_check(&d->hdr, d->hdr.len));
	free(d);
}

static void test_pairs(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		bool good;
	} rows[] = {
		{"", 0, true},		 {"key\0value", 10, true},
		{"a\0b\0c\0d", 8, true}, {"key\0value", 9, false}, /* not terminated */
		{"key", 4, false},	 {"a\0b\0c", 6, false},	   /* a key without value */
		{"\0", 2, true},	 {"x", 1, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ev_hdr *ev =
			record(EV_IDENTITY, sizeof(struct ev_identity), rows[i].bytes, rows[i].n);

		assert_int_equal(ev_check(ev, ev->len), rows[i].good);
		ev->type = EV_CONFIG;
		assert_int_equal(ev_check(ev, ev->len), rows[i].good);
		free(ev);
	}
}

static void test_lib(void **state)
{
	const size_t fixed = offsetof(struct ev_lib, name);
	struct ev_hdr *ev = record(EV_LIB, fixed, "openssl", 8);

	(void)state;
	assert_true(ev_check(ev, ev->len));
	ev->len--;
	assert_false(ev_check(ev, ev->len));
	ev->len = (uint32_t)fixed;
	assert_false(ev_check(ev, ev->len));
	free(ev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixed_lengths), cmocka_unit_test(test_exec),
		cmocka_unit_test(test_header),	      cmocka_unit_test(test_data_peer),
		cmocka_unit_test(test_data),	      cmocka_unit_test(test_sock_io),
		cmocka_unit_test(test_pairs),	      cmocka_unit_test(test_lib),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
