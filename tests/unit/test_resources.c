/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resource attributes: pairs, the environment's list, and where they stand in JSON. */
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

#include "cli/resources.h"
#include "tests/unit/sample.h"

static int add(struct resources *r, const char *pair)
{
	return resources_add(r, pair, strlen(pair), false);
}

static void expect(const struct resources *r, size_t i, const char *name, const char *value)
{
	assert_true(i < r->count);
	assert_true(str_eq(r->v[i].name, str_from(name)));
	assert_true(r->v[i].value.n == strlen(value));
	assert_memory_equal(r->v[i].value.p, value, strlen(value));
}

static void test_pairs(void **state)
{
	static const char *const bad[] = {
		"", "x", "=x", "a b=c", "a\"=c", "\xc3\xa9=c", "process.pid=1", "url.full=x"};
	struct resources r = {0};

	(void)state;
	assert_int_equal(add(&r, "host.name=web-7"), 0);
	assert_int_equal(add(&r, "cloud.region=a=b%20c"), 0);
	assert_int_equal(add(&r, "host.name=web-8"), 0);
	assert_int_equal(add(&r, "empty="), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(add(&r, bad[i]), -EINVAL);
	assert_int_equal(r.count, 3);
	expect(&r, 0, "host.name", "web-8");
	expect(&r, 1, "cloud.region", "a=b%20c");
	expect(&r, 2, "empty", "");
	resources_free(&r);
	resources_free(&r);
}

static void test_list(void **state)
{
	struct resources r = {0};

	(void)state;
	assert_int_equal(add(&r, "service.name=mine"), 0);
	assert_int_equal(resources_add_list(&r, "service.name=other,a=x%2Cy%2c%zz%4,b=2"), 0);
	assert_int_equal(r.count, 3);
	expect(&r, 0, "service.name", "mine");
	expect(&r, 1, "a", "x,y,%zz%4");
	expect(&r, 2, "b", "2");
	assert_int_equal(resources_add_list(&r, "c=3,broken"), -EINVAL);
	assert_int_equal(resources_add_list(&r, ""), 0);
	assert_int_equal(r.count, 3);
	resources_free(&r);
}

static void test_limit(void **state)
{
	struct resources r = {0};
	char pair[32];

	(void)state;
	for (int i = 0; i < RESOURCES_MAX; i++) {
		snprintf(pair, sizeof(pair), "a%d=1", i);
		assert_int_equal(add(&r, pair), 0);
	}
	assert_int_equal(add(&r, "more=1"), -ENOSPC);
	assert_int_equal(add(&r, "a5=2"), 0);
	expect(&r, 5, "a5", "2");
	resources_free(&r);
}

static void test_in_json(void **state)
{
	struct writer_cfg cfg = {0};
	struct resources r = {0};
	struct sample s;
	json_t *doc;
	char *text;

	(void)state;
	sample_init(&s);
	assert_int_equal(add(&r, "host.name=we\"b\n"), 0);
	assert_int_equal(add(&r, "cloud.region=eu"), 0);
	cfg.resources = r.v;
	cfg.resource_count = r.count;
	text = sample_written(&writer_json, &cfg, s.t);
	doc = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(doc);
	assert_string_equal(json_string_value(json_object_get(doc, "host.name")), "we\"b\n");
	assert_string_equal(json_string_value(json_object_get(doc, "cloud.region")), "eu");
	assert_non_null(json_object_get(doc, "url.full"));
	json_decref(doc);
	free(text);
	resources_free(&r);
	sample_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_in_json),
	};

	return cmocka_run_group_tests_name("resources", tests, NULL, NULL);
}
