/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept of a connection never shows in a line: each is the same from a writer that keeps nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/sample.h"
#include "writer/json_fields.h"

#define CONNS 6
#define STEPS 20000

static void line(struct json_fields *j, struct buf *b, const struct txn *t)
{
	buf_clear(b);
	json_fields_lead(j, b, t);
	json_fields_rest(j, b, t);
	assert_true(buf_ok(b));
}

static void expect_same(struct json_fields *j, const struct txn *t)
{
	struct json_fields *fresh = json_fields_new();
	struct buf kept = {0}, made = {0};

	assert_non_null(fresh);
	line(j, &kept, t);
	line(fresh, &made, t);
	assert_int_equal(kept.n, made.n);
	assert_memory_equal(kept.p, made.p, made.n);
	buf_free(&kept);
	buf_free(&made);
	json_fields_free(fresh);
}

static void change(struct conn *c, struct txn *t)
{
	switch (rand() % 8) {
	case 0:
		c->peer.port ^= 1;
		break;
	case 1:
		c->alpn = c->alpn.n ? STR_NONE : STR("h2");
		break;
	case 2:
		c->lib = c->lib ? NULL : "gnutls";
		break;
	case 3:
		t->role = (enum role)(rand() % 3);
		break;
	case 4:
		t->source = rand() % 2 ? PEER_UNKNOWN : PEER_CACHED;
		break;
	case 5:
		c->family = rand() % 2 ? ADDR_IPV4 : ADDR_IPV6;
		break;
	default:
		break;
	}
}

static void test_connections_in_any_order(void **state)
{
	/* Two pairs share a place. */
	static const uint64_t seqs[CONNS] = {
		0, 1, 1 + JSON_CONNS_KEPT, 2, 2 + 7 * JSON_CONNS_KEPT, JSON_CONNS_KEPT - 1};
	struct json_fields *j = json_fields_new();
	struct conn conns[CONNS];
	struct sample s;

	(void)state;
	assert_non_null(j);
	sample_init(&s);
	for (size_t i = 0; i < CONNS; i++) {
		conns[i] = s.conn;
		conns[i].seq = seqs[i];
		snprintf(conns[i].id, sizeof(conns[i].id), "1-%zu", i);
	}
	srand(1);
	for (size_t i = 0; i < STEPS; i++) {
		struct conn *c = &conns[rand() % CONNS];

		change(c, s.t);
		s.t->conn = c;
		s.t->start_ns += 7;
		expect_same(j, s.t);
	}
	json_fields_free(j);
	sample_free(&s);
}

static void test_nothing_known(void **state)
{
	const struct conn none = {0};
	struct txn t = {.conn = &none};
	struct json_fields *j = json_fields_new();

	(void)state;
	assert_non_null(j);
	expect_same(j, &t);
	expect_same(j, &t);
	json_fields_free(j);
}

/* More than is kept of one connection comes whole all the same. */
static void test_a_long_command_line(void **state)
{
	struct json_fields *j = json_fields_new();
	char *cmdline = malloc(2 * JSON_CONN_MAX_BYTES);
	struct buf b = {0};
	struct sample s;

	(void)state;
	assert_non_null(j);
	assert_non_null(cmdline);
	memset(cmdline, 'x', 2 * JSON_CONN_MAX_BYTES);
	cmdline[2 * JSON_CONN_MAX_BYTES - 1] = '\0';
	sample_bare(&s);
	sample_identity(&s, ID_CMDLINE, cmdline);
	for (int i = 0; i < 2; i++) {
		line(j, &b, s.t);
		assert_true(b.n > 2 * JSON_CONN_MAX_BYTES);
		assert_non_null(memmem(b.p, b.n, cmdline, strlen(cmdline)));
		expect_same(j, s.t);
	}
	buf_free(&b);
	free(cmdline);
	json_fields_free(j);
	sample_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections_in_any_order),
		cmocka_unit_test(test_nothing_known),
		cmocka_unit_test(test_a_long_command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
