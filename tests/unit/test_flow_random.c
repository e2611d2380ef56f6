/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams of records made by a seeded generator: conversations cut, dropped, doubled and shuffled. The stage
 * checks the positions of what comes out; here also that no byte is invented, that no secret shows, that
 * loss is stated, and that the same records give the same output.
 */
#include "tests/unit/flow_stage.h"

#include <stdio.h>

#define RUNS 150
#define STEP_NS 20000 /* between records */
#define CONNS 3
#define STREAM_BYTES 2000
#define SECRET "hunter2"

struct rng {
	uint64_t s;
};

/* xorshift64*: the same numbers everywhere */
static uint32_t below(struct rng *r, uint32_t n)
{
	r->s ^= r->s >> 12;
	r->s ^= r->s << 25;
	r->s ^= r->s >> 27;
	return (uint32_t)((r->s * 0x2545f4914f6cdd1dull) >> 33) % n;
}

struct talk {
	char text[DIR_COUNT][STREAM_BYTES + 128];
	size_t n[DIR_COUNT];
	size_t at[DIR_COUNT];	  /* generated so far */
	uint64_t lost[DIR_COUNT]; /* as the kernel side counts it */
};

static void say(struct talk *t, enum dir d, const char *fmt, int arg)
{
	t->n[d] += (size_t)snprintf(t->text[d] + t->n[d], 64, fmt, arg, SECRET);
}

static void script(struct talk *t, struct rng *r)
{
	for (int i = 0; t->n[W] < STREAM_BYTES && t->n[R] < STREAM_BYTES; i++) {
		if (below(r, 3) == 0)
			say(t, R, "B 8\n%08d", i);
		say(t, W, "Q /%d key=%s\n", i);
		say(t, R, "R %d\n", i);
	}
}

struct trial {
	bool lossy, late; /* late: the first connection was joined in its middle */
	struct talk talk[CONNS];
	struct ev_data *events[CONNS * STREAM_BYTES * 4];
	size_t count;
	uint64_t lost, copied; /* bytes */
};

static void add(struct trial *t, struct rng *r, unsigned int conn, enum dir d, size_t n, size_t got)
{
	const struct talk *k = &t->talk[conn];
	struct harness_data args = {
		.conn = conn + 1,
		.dir = d,
		.off = k->at[d],
		.lost = k->lost[d],
		.text = got ? k->text[d] + k->at[d] : NULL,
		.n = got,
		.more = (uint32_t)(n - got),
		.part = below(r, 3) == 0,
		.sock = HARNESS_SOCK,
	};

	args.flags = (uint16_t)((t->late && conn == 0 ? 0 : EV_DATA_FROM_START) |
				(below(r, 3) ? EV_DATA_NESTED : 0));
	t->events[t->count] = harness_make_data(&args, 1000000000ull + t->count * STEP_NS);
	t->count++;
	t->copied += got;
	t->lost += n - got;
}

/* The next call of one direction: copied, copied in part, or lost for want of room. */
static void call(struct trial *t, struct rng *r, unsigned int conn, enum dir d)
{
	struct talk *k = &t->talk[conn];
	size_t left = k->n[d] - k->at[d], n = 1 + below(r, 30);
	bool lossy = t->lossy && (k->at[d] || t->late);

	n = n < left ? n : left;
	if (!n)
		return;
	if (lossy && below(r, 15) == 0) {
		k->lost[d] += n;
		t->lost += n;
	} else {
		add(t, r, conn, d, n, lossy && below(r, 12) == 0 ? below(r, (uint32_t)n) : n);
	}
	k->at[d] += n;
}

static void make(struct trial *t, uint64_t seed, bool lossy, bool late)
{
	struct rng r = {seed * 0x9e3779b97f4a7c15ull + 1};

	*t = (struct trial){.lossy = lossy, .late = late};
	for (unsigned int i = 0; i < CONNS; i++)
		script(&t->talk[i], &r);
	for (unsigned int i = 0; i < CONNS * STREAM_BYTES; i++)
		call(t, &r, below(&r, CONNS), below(&r, 2) ? R : W);
	/* records of other CPUs overtake each other by a little */
	for (size_t i = 4; i < t->count; i++) {
		size_t j = i - 1 - below(&r, 3);
		struct ev_data *swap = t->events[i];

		if (below(&r, 5))
			continue;
		t->events[i] = t->events[j];
		t->events[j] = swap;
	}
}

static void drop(struct trial *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->events[i]);
}

static void run(const struct trial *t, struct harness *h,
		void (*on_txn)(struct harness *, struct txn *))
{
	stage_open(h, true);
	h->on_txn = on_txn;
	for (size_t i = 0; i < t->count; i++)
		assert_int_equal(flow_event(h->flow, &t->events[i]->hdr), 0);
	h->now_ms = 1001 + t->count * STEP_NS / 1000000;
	for (unsigned int i = 0; i < CONNS; i++)
		harness_conn_end(h, i + 1, 1, t->talk[i].at[W], t->talk[i].at[R]);
	harness_finish(h);
}

/* The script gives a question and its answer one number. */
static void check_pair(struct harness *h, struct txn *t)
{
	(void)h;
	assert_string_equal(t->target.p + 1, t->status.p);
	assert_int_equal(t->flags, 0);
}

static void shuffled_records_lose_nothing(void **state)
{
	struct trial *t = malloc(sizeof(*t));
	struct harness h;

	(void)state;
	assert_non_null(t);
	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		make(t, seed, false, false);
		run(t, &h, check_pair);
		assert_int_equal(h.chunk_bytes, t->copied);
		assert_int_equal(h.gap_bytes, 0);
		assert_int_equal(stats_of(&h).unparsed_bytes, 0);
		assert_int_equal(h.masked_bytes, h.txns * (sizeof(SECRET) - 1));
		assert_true(stats_of(&h).reordered > 0);
		assert_null(strstr(harness_out(&h), SECRET));
		harness_close(&h);
		drop(t);
	}
	free(t);
}

static void lost_bytes_are_stated_and_secrets_stay_secret(void **state)
{
	struct trial *t = malloc(sizeof(*t));
	struct harness h;
	char piece[] = SECRET;

	(void)state;
	assert_non_null(t);
	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		make(t, seed, true, false);
		run(t, &h, NULL);
		assert_int_equal(h.chunk_bytes, t->copied);
		assert_int_equal(h.gap_bytes, t->lost);
		assert_int_equal(stats_of(&h).gap_bytes, t->lost);
		/* not even a part of it */
		for (size_t i = 0; i + 3 < sizeof(piece); i++)
			assert_null(strstr(harness_out(&h),
					   (char[]){piece[i], piece[i + 1], piece[i + 2], '\0'}));
		harness_close(&h);
		drop(t);
	}
	free(t);
}

static void same_records_give_the_same_output(void **state)
{
	struct trial *t = malloc(sizeof(*t));
	struct harness a, b;

	(void)state;
	assert_non_null(t);
	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		make(t, seed, true, true);
		run(t, &a, NULL);
		run(t, &b, NULL);
		assert_string_equal(harness_out(&a), harness_out(&b));
		assert_true(a.txns > 0);
		harness_close(&a);
		harness_close(&b);
		drop(t);
	}
	free(t);
}

/* Fields turned to noise: contradictory positions, sockets, times. Nothing is asserted but that it holds. */
static void noise_does_no_harm(void **state)
{
	struct trial *t = malloc(sizeof(*t));
	struct harness h;
	struct rng r = {12345};

	(void)state;
	assert_non_null(t);
	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		make(t, seed, true, true);
		for (size_t i = 0; i < t->count; i++) {
			struct ev_data *e = t->events[i];

			if (below(&r, 4))
				continue;
			e->off = below(&r, 3) ? e->off + below(&r, 200) : r.s;
			e->lost = below(&r, 2) ? below(&r, 500) : r.s;
			e->sock = below(&r, 3);
			e->hdr.flags = (uint16_t)below(&r, 512);
			e->hdr.ts_ns += below(&r, 50) ? below(&r, 100) * 1000000ull : r.s;
			e->gen = below(&r, 3);
		}
		run(t, &h, NULL);
		harness_close(&h);
		drop(t);
	}
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shuffled_records_lose_nothing),
		cmocka_unit_test(lost_bytes_are_stated_and_secrets_stay_secret),
		cmocka_unit_test(same_records_give_the_same_output),
		cmocka_unit_test(noise_does_no_harm),
	};

	return cmocka_run_group_tests_name("flow_random", tests, NULL, NULL);
}
