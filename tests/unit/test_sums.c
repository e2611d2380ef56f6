/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Histograms against sorted values; who talks to whom; the table and its JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>
#include <unistd.h>

#include "core/attr_names.h"
#include "select/sums.h"
#include "tests/unit/sample.h"

#define VALUES 10000

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Of every quantile: never below the true one, and at most a step above. */
static void test_histogram(void **state)
{
	static uint64_t v[VALUES];
	struct histogram *h = calloc(1, sizeof(*h));
	uint64_t x = 88172645463325252ull, got, want;

	(void)state;
	assert_non_null(h);
	assert_int_equal(histogram_quantile(h, 500), 0);
	for (size_t i = 0; i < VALUES; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17; /* xorshift64 */
		v[i] = (x >> 2) >> (i % 62);
		histogram_add(h, v[i]);
	}
	qsort(v, VALUES, sizeof(v[0]), by_value);
	for (unsigned int q = 1; q <= 1000; q++) {
		want = v[(VALUES * q + 999) / 1000 - 1];
		got = histogram_quantile(h, q);
		assert_true(got >= want && got - want <= want / HISTOGRAM_STEPS);
	}
	assert_int_equal(histogram_quantile(h, 1000), v[VALUES - 1]);
	histogram_add(h, UINT64_MAX);
	assert_int_equal(histogram_quantile(h, 1000), INT64_MAX);
	free(h);
}

static void set_path(struct sample *s, const char *path)
{
	struct attr *a = txn_attr(s->t, A_URL_PATH);

	assert_non_null(a);
	a->str = str_from(path);
}

static void test_routes_are_folded(void **state)
{
	static const struct {
		const char *path, *route;
	} rows[] = {
		{"/a", "/a"},
		{"/", "/"},
		{"/users/4711/orders", "/users/*/orders"},
		{"/v1/a3c4d5e6-1111-2222-3333-444455556666", "/v1/*"},
		{"/deadbeef", "/deadbeef"},
		{"/deadbee1", "/*"},
		{"/t/abcdefghijklmnopqrstuvwxyz", "/t/*"},
		{"/a/b/c/d/e/f", "/a/b/c/d/..."},
		{"/a/b/c/d", "/a/b/c/d"},
		{"*", "/*"},
	};
	struct sums sums = {0};
	struct sample s;

	(void)state;
	sample_init(&s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_path(&s, rows[i].path);
		assert_int_equal(sums_add(&sums, s.t), 0);
		if (!str_eq(sums.rows->v[SUMS_ROUTE], str_from(rows[i].route)))
			fail_msg("%s became %s", rows[i].path, sums.rows->v[SUMS_ROUTE].p);
		sums_clear(&sums);
	}
	sample_free(&s);
}

static void test_rows(void **state)
{
	struct sums sums = {0};
	struct sample s;

	(void)state;
	sample_init(&s);
	set_path(&s, "/rare");
	assert_int_equal(sums_add(&sums, s.t), 0);
	set_path(&s, "/a");
	s.t->flags = TXN_EARLY;
	assert_int_equal(sums_add(&sums, s.t), 0);
	s.t->flags = 0;
	for (int i = 0; i < 4; i++) {
		s.t->outcome = i == 3 ? OUTCOME_SERVER_ERROR : OUTCOME_OK;
		assert_int_equal(sums_add(&sums, s.t), 0);
	}
	sums_sort(&sums);
	assert_int_equal(HASH_COUNT(sums.rows), 2);
	assert_int_equal(sums.rows->count, 4);
	assert_int_equal(sums.rows->errors, 1);
	assert_int_equal(sums.rows->bytes_in, 4 * 13);
	assert_int_equal(sums.rows->bytes_out, 0);
	assert_string_equal(sums.rows->v[SUMS_APP].p, "curl");
	assert_string_equal(sums.rows->v[SUMS_CONTAINER].p, "web-1");
	assert_string_equal(sums.rows->v[SUMS_PEER].p, "example.com");
	assert_string_equal(sums.rows->v[SUMS_ADDRESS].p, "93.184.216.34");
	assert_string_equal(sums.rows->v[SUMS_PORT].p, "443");
	assert_string_equal(sums.rows->v[SUMS_METHOD].p, "GET");
	sums_clear(&sums);
	sample_free(&s);
}

/* Whatever comes, there are no more rows than stated, and nothing goes uncounted. */
static void test_limit(void **state)
{
	struct sums sums = {0};
	struct sums_row *row;
	uint64_t count = 0;
	struct sample s;
	char path[300];

	(void)state;
	sample_init(&s);
	for (int i = 0; i < SUMS_ROWS_MAX + 500; i++) {
		snprintf(path, sizeof(path), "/x%d-x", i);
		set_path(&s, path);
		assert_int_equal(sums_add(&sums, s.t), 0);
	}
	assert_int_equal(HASH_COUNT(sums.rows), SUMS_ROWS_MAX + 1);
	sums_sort(&sums);
	assert_string_equal(sums.rows->v[SUMS_APP].p, SUMS_REST);
	assert_int_equal(sums.rows->count, 500);
	for (row = sums.rows; row; row = row->hh.next)
		count += row->count;
	assert_int_equal(count, SUMS_ROWS_MAX + 500);
	sums_clear(&sums);
	memset(path, 'g', sizeof(path) - 1);
	path[0] = '/';
	path[1] = '\x1b';
	path[sizeof(path) - 1] = '\0';
	path[20] = '/';
	set_path(&s, path);
	assert_int_equal(sums_add(&sums, s.t), 0);
	assert_true(sums.rows->v[SUMS_ROUTE].n <= SUMS_VALUE_MAX_BYTES);
	sums_clear(&sums);
	sample_free(&s);
}

static void test_table(void **state)
{
	struct sample s;
	char *text;

	(void)state;
	sample_init(&s);
	text = sample_written(&writer_summary, NULL, s.t);
	assert_string_equal(
		text,
		"APPLICATION  CONTAINER  ROLE    PEER         ADDRESS        PORT  PROTOCOL  METHOD"
		"  ROUTE    COUNT ERRORS    BYTES      P50      P90      P99\n"
		"curl         web-1      client  example.com  93.184.216.34  443   http      GET   "
		"  /a           1      0      13B    2.0ms    2.0ms    2.0ms\n");
	free(text);
	sample_free(&s);
}

static void test_json(void **state)
{
	struct sample s;
	json_t *doc;
	char *text;

	(void)state;
	sample_init(&s);
	text = sample_written(&writer_summary_json, NULL, s.t);
	doc = json_loads(text, 0, NULL);
	assert_non_null(doc);
	assert_string_equal(json_string_value(json_object_get(doc, "event.name")),
			    "tlslens.summary");
	assert_string_equal(json_string_value(json_object_get(doc, "@timestamp")),
			    "2026-01-02T03:04:05.680901234Z");
	assert_int_equal(json_integer_value(json_object_get(doc, "server.port")), 443);
	assert_int_equal(json_integer_value(json_object_get(doc, "tlslens.summary.count")), 1);
	assert_int_equal(json_integer_value(json_object_get(doc, "tlslens.summary.p99_ns")),
			 2000000);
	json_decref(doc);
	free(text);
	sample_free(&s);
}

/* By record time: what came in an interval is written when the next begins. */
static void test_intervals(void **state)
{
	const struct writer_cfg cfg = {.summary_ns = 1000000000};
	const struct writer_ops *ops = &writer_summary_json;
	FILE *f = tmpfile();
	struct sample s;
	struct out *out;
	uint64_t t0 = 1767323046000000000;
	void *self;

	(void)state;
	assert_non_null(f);
	sample_init(&s);
	assert_int_equal(out_fd(&out, dup(fileno(f))), 0);
	assert_int_equal(ops->open(&self, out, &cfg), 0);
	assert_int_equal(ops->txn(self, s.t), 0);
	assert_int_equal(ops->tick(self, t0), 0);
	assert_int_equal(ops->flush(self), 0);
	assert_int_equal(lseek(fileno(f), 0, SEEK_END), 0);
	assert_int_equal(ops->tick(self, t0 + 1000000000), 0);
	assert_int_equal(ops->flush(self), 0);
	assert_true(lseek(fileno(f), 0, SEEK_END) > 0);
	assert_int_equal(ops->close(self), 0);
	fclose(f);
	sample_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_histogram), cmocka_unit_test(test_routes_are_folded),
		cmocka_unit_test(test_rows),	  cmocka_unit_test(test_limit),
		cmocka_unit_test(test_table),	  cmocka_unit_test(test_json),
		cmocka_unit_test(test_intervals),
	};

	return cmocka_run_group_tests_name("sums", tests, NULL, NULL);
}
