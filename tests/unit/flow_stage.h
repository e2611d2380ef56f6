/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of flow/ share: a stage with the toy protocols, and shorthand for a proven connection. */
#ifndef TLSLENS_TESTS_FLOW_STAGE_H
#define TLSLENS_TESTS_FLOW_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flow/state.h"
#include "tests/unit/harness.h"
#include "tests/unit/toy.h"

#define W DIR_WRITE
#define R DIR_READ

/* The default connection, seen since its start, its socket proven by every call. */
#define PROVEN .sock = HARNESS_SOCK, .flags = EV_DATA_NESTED | EV_DATA_FROM_START
#define SAY(h, d, at, words) DATA(h, .dir = (d), .off = (at), .text = (words), PROVEN)

#define CHECK(h, lines)                                     \
	do {                                                \
		assert_string_equal(harness_out(h), lines); \
		harness_clear(h);                           \
	} while (0)

static inline void stage_open(struct harness *h, bool chunks)
{
	harness_open(h, &(struct flow_cfg){.chunks = chunks, .rows = toy_rows});
	harness_sock(h, HARNESS_CONN, 1, HARNESS_SOCK, 443);
}

static inline int stage_setup(void **state)
{
	struct harness *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	stage_open(h, true);
	*state = h;
	return 0;
}

static inline int stage_setup_txns(void **state)
{
	struct harness *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	stage_open(h, false);
	*state = h;
	return 0;
}

static inline int stage_teardown(void **state)
{
	struct harness *h = *state;

	flow_finish(h->flow);
	assert_int_equal(h->flow->held_bytes, 0); /* counted up and down alike */
	harness_close(h);
	free(*state);
	return 0;
}

#define STAGED(fn) cmocka_unit_test_setup_teardown(fn, stage_setup, stage_teardown)
#define STAGED_TXNS(fn) cmocka_unit_test_setup_teardown(fn, stage_setup_txns, stage_teardown)

static inline struct flow_stats stats_of(struct harness *h)
{
	struct flow_stats st;

	flow_stats(h->flow, &st);
	return st;
}

#endif
