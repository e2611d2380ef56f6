/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of Protocol Buffers as JSON. A fixture is
 *
 *   type NAME          of tests/fixtures/protobuf/types.proto or old.proto; none: without a type
 *   08 96 01  # octets in hex, and what they are
 *   ---
 *   the JSON; line breaks are not part of it
 *   unread             when something of the message cannot be read
 *
 * Each also runs cut after every octet, where nothing may crash and what comes out must be whole JSON.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "cli/descriptors.h"
#include "core/attr_names.h"
#include "select/bodies.h"
#include "select/protobuf_json.h"
#include "tests/unit/txn_dump.h"

struct fixture {
	char type[64];
	struct buf octets, json;
	bool unread, golden;
};

static struct pb_types *types;

static int load_types(void **state)
{
	char path[512];

	(void)state;
	snprintf(path, sizeof(path), "%s/tests/types.pb",
		 getenv("BUILD") ? getenv("BUILD") : "build");
	return descriptors_read(&types, path);
}

static int free_types(void **state)
{
	(void)state;
	pb_types_free(types);
	txn_pool_drain();
	return 0;
}

static void take_line(struct fixture *f, char *line)
{
	unsigned int octet;
	int n;

	line[strcspn(line, "\n")] = '\0';
	if (f->golden) {
		f->unread |= strcmp(line, "unread") == 0;
		if (strcmp(line, "unread") != 0)
			buf_puts(&f->json, line);
		return;
	}
	if (strcmp(line, "---") == 0)
		f->golden = true;
	else if (sscanf(line, "type %63s", f->type) != 1)
		for (; sscanf(line, " %2x%n", &octet, &n) == 1; line += n)
			buf_putc(&f->octets, (uint8_t)octet);
}

static void read_fixture(struct fixture *f, const char *path)
{
	char line[1024];
	FILE *in = fopen(path, "r");

	*f = (struct fixture){0};
	assert_non_null(in);
	while (fgets(line, sizeof(line), in))
		if (line[0] != '#')
			take_line(f, line);
	fclose(in);
	assert_true(f->golden);
}

/* By way of a method, as a call would find it, or NULL. */
static const struct pb_type *type_of(const struct fixture *f)
{
	const struct pb_type *kinds = pb_method_find(types, STR("/lens.test.Shapes/Unary")).input;
	const struct pb_type *point = pb_method_find(types, STR("lens.test.Shapes/Unary")).output;
	const struct pb_type *t;

	if (!f->type[0])
		return NULL;
	t = strcmp(f->type, "lens.test.Kinds") == 0   ? kinds
	    : strcmp(f->type, "lens.test.Point") == 0 ? point
						      : pb_type_find(types, str_from(f->type));
	assert_non_null(t);
	return t;
}

static void expect_json(const struct buf *b)
{
	json_t *v = json_loadb((const char *)b->p, b->n, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL,
			       NULL);

	assert_non_null(v);
	json_decref(v);
}

static void run_fixture(const char *path)
{
	struct fixture f;
	struct buf out = {0};
	uint32_t fields;

	read_fixture(&f, path);
	for (size_t n = 0; n <= f.octets.n; n++) {
		char *copy = memcpy(malloc(n + 1), f.octets.p, n);
		struct str message = {copy, n};
		bool whole;

		buf_clear(&out);
		fields = PB_FIELDS_MAX;
		whole = pb_json(&out, type_of(&f), message, &fields);
		expect_json(&out);
		if (n == f.octets.n) {
			if (out.n != f.json.n || memcmp(out.p, f.json.p, out.n) != 0)
				fail_msg("%s gives %.*s", path, (int)out.n, (const char *)out.p);
			assert_int_equal(!whole, f.unread);
		}
		free(copy);
	}
	buf_free(&out);
	buf_free(&f.octets);
	buf_free(&f.json);
}

static void fixtures(void **state)
{
	glob_t found;

	(void)state;
	assert_int_equal(glob("tests/fixtures/protobuf/*.txt", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		run_fixture(found.gl_pathv[i]);
	globfree(&found);
}

static struct buf written(const struct pb_type *type, struct buf *message, uint32_t fields)
{
	struct buf out = {0};

	pb_json(&out, type, (struct str){(const char *)message->p, message->n}, &fields);
	expect_json(&out);
	buf_free(message);
	return out;
}

/* A message in a message in a message, deeper than PB_DEPTH_MAX. */
static void depth_is_bounded(void **state)
{
	const struct pb_type *kinds = pb_type_find(types, STR("lens.test.Kinds"));
	struct buf m = {0}, next = {0}, out, copy = {0};

	(void)state;
	for (int i = 0; i < 60; i++) {
		buf_clear(&next);
		buf_put(&next, i % 2 ? "\xea\1" : "\n", i % 2 ? 2 : 1);
		if (m.n >= 0x80)
			buf_putc(&next, (uint8_t)(m.n | 0x80));
		buf_putc(&next, (uint8_t)(m.n >= 0x80 ? m.n >> 7 : m.n));
		buf_put(&next, m.p, m.n);
		buf_clear(&m);
		buf_put(&m, next.p, next.n);
	}
	buf_put(&copy, m.p, m.n);
	out = written(kinds, &m, PB_FIELDS_MAX);
	assert_non_null(memmem(out.p, out.n, "@unread", 7));
	buf_free(&out);
	out = written(NULL, &copy, PB_FIELDS_MAX);
	assert_true(out.n < 1 << 20);
	buf_free(&out);
	buf_free(&next);
}

static void groups_without_end_are_bounded(void **state)
{
	struct buf m = {0}, out;

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_putc(&m, 0x0b);
	out = written(NULL, &m, PB_FIELDS_MAX);
	assert_true(out.n < 140000); /* as base64, once */
	buf_free(&out);
}

static void fields_are_counted(void **state)
{
	struct buf m = {0}, out;
	size_t commas = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_put(&m, "\x98\1\5", 3);
	out = written(pb_type_find(types, STR("lens.test.Kinds")), &m, 100);
	for (size_t i = 0; i < out.n; i++)
		commas += out.p[i] == ',';
	assert_int_equal(commas, 100); /* 99 between the numbers, and one before what is unread */
	buf_free(&out);
}

static void what_are_no_descriptors(void **state)
{
	static const char *const bad[] = {"", "hello", "\n\3abc", "\n\0"};
	struct pb_types *t;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pb_types_load(&t, (const uint8_t *)bad[i], strlen(bad[i])),
				 -EBADMSG);
	assert_int_equal(descriptors_read(&t, "/nowhere"), -ENOENT);
	assert_int_equal(pb_types_load(&t, (const uint8_t *)"\n\0", 2), 0); /* one empty file */
	assert_null(pb_method_find(t, STR("a.B/c")).input);
	pb_types_free(t);
}

/* A call as bodies_shape() gets it. */
static struct txn *call(const char *content_type, struct str encoding, struct str body)
{
	static const struct conn conn = {.seq = 1};
	struct txn *t = txn_new(&conn);
	struct header *h = arena_zalloc(&t->arena, sizeof(*h));

	t->event_name = "rpc.exchange";
	txn_str(t, A_RPC_METHOD, STR("lens.test.Shapes/Unary"));
	if (encoding.p)
		txn_str(t, A_GRPC_RESPONSE_ENCODING, encoding);
	if (content_type) {
		h[0] = (struct header){.name = STR("content-type"),
				       .value = str_from(content_type)};
		txn_headers(t, A_RESPONSE_HEADERS, h, 1);
	}
	txn_bytes(t, A_RESPONSE_BODY_BASE64, body);
	t->response_body_bytes = body.n;
	return t;
}

static void expect_content(struct txn *t, size_t limit, const char *json, bool cut)
{
	struct bodies_cfg cfg = {.body_bytes = limit, .protos = types};
	const struct attr *a;

	bodies_shape(&cfg, t);
	a = txn_attr(t, A_GRPC_RESPONSE_CONTENT);
	assert_int_equal(!!a, !!json);
	assert_int_equal(!txn_attr(t, A_RESPONSE_BODY_BASE64), !!json);
	if (a)
		assert_string_equal(arena_str(&t->arena, a->str.p, a->str.n).p, json);
	assert_int_equal(!!(t->flags & TXN_LIMIT), cut);
	txn_free(t);
}

#define TWO STR("\0\0\0\0\2\x08\1\0\0\0\0\0\0\0\0\0\2\x10\3")
/* "\x08\1" by gzip */
#define GZIPPED "\x1f\x8b\x08\0\0\0\0\0\2\xff\xe3\x60\4\0\x61\xa8\7\xfe\2\0\0\0"

static void bodies_of_calls(void **state)
{
	(void)state;
	expect_content(call("application/grpc", STR_NONE, TWO), 100, "[{\"x\":1},{},{\"y\":-2}]",
		       false);
	expect_content(call("application/grpc+proto", STR_NONE, TWO), 2, "[{\"x\":1}]", true);
	expect_content(call(NULL, STR_NONE, STR("\0\0\0\0\5\x08\1")), 100, "[{\"x\":1}]", true);
	expect_content(call("application/grpc+json", STR_NONE, STR("\0\0\0\0\2{}")), 100, NULL,
		       false);
	expect_content(call("application/grpc", STR_NONE, STR("\0\0\0\0\0")), 100, "[{}]", false);
}

static void compressed_messages(void **state)
{
	const struct str both = STR("\0\0\0\0\2\x08\2\1\0\0\0\x16" GZIPPED);
	const struct str bad = STR("\1\0\0\0\3abc");

	(void)state;
	expect_content(call("application/grpc", STR("gzip"), both), 100, "[{\"x\":2},{\"x\":1}]",
		       false);
	expect_content(call("application/grpc", STR("gzip"), both), 3,
		       "[{\"x\":2},{\"@unread\":\"CA==\"}]", true);
	/* of an encoding that is older than the join, or unknown, or not what it says */
	expect_content(call("application/grpc", STR_NONE, both), 100, NULL, true);
	expect_content(call("application/grpc", STR("snappy"), bad), 100, NULL, true);
	expect_content(call("application/grpc", STR("gzip"), bad), 100, NULL, true);
	expect_content(call("application/grpc", STR("identity"), STR("\1\0\0\0\2\x08\1")), 100,
		       "[{\"x\":1}]", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixtures),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(groups_without_end_are_bounded),
		cmocka_unit_test(fields_are_counted),
		cmocka_unit_test(what_are_no_descriptors),
		cmocka_unit_test(bodies_of_calls),
		cmocka_unit_test(compressed_messages),
	};

	return cmocka_run_group_tests(tests, load_types, free_types);
}
