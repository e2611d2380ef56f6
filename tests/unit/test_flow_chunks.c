/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chunks: held until settled, secrets masked wherever the borders fall, never let go half finished. */
#include "tests/unit/flow_stage.h"

static void secret_is_masked(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a key=hunter2 x=yz\nQ /b\n");
	CHECK(h, "data 4242-1000-1 > @0 \"Q /a key=####### x=##\\nQ /b\\n\"\n");
}

static void secret_is_masked_across_chunks(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a key=hun");
	CHECK(h, ""); /* the line is not over: nobody knows what is secret */
	DATA(h, .off = 12, .text = "te", .part = 1, PROVEN);
	CHECK(h, "");
	SAY(h, W, 14, "r2\n");
	CHECK(h, "data 4242-1000-1 > @0 \"Q /a key=###\"\n"
		 "data 4242-1000-1 > @12 \"##\"\n"
		 "data 4242-1000-1 > @14 \"##\\n\"\n");
}

/* The same line cut everywhere: never a byte of the secret, always every other byte. */
static void secret_never_shows_wherever_the_line_is_cut(void **state)
{
	static const char line[] = "Q /a key=hunter2\n";
	size_t n = sizeof(line) - 1;

	(void)state;
	for (size_t i = 1; i < n; i++) {
		for (size_t j = i; j < n; j++) {
			struct harness h;

			stage_open(&h, true);
			DATA(&h, .text = line, .n = i, PROVEN);
			if (j > i)
				DATA(&h, .off = i, .text = line + i, .n = j - i, PROVEN);
			DATA(&h, .off = j, .text = line + j, .n = n - j, PROVEN);
			assert_int_equal(h.chunk_bytes, n);
			assert_int_equal(h.masked_bytes, 7);
			harness_close(&h);
		}
	}
}

static void unfinished_line_is_masked_whole_at_the_end(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a\nQ /b key=hun");
	CHECK(h, "");
	harness_conn_end(h, HARNESS_CONN, 1, 17, 0);
	CHECK(h, "data 4242-1000-1 > @0 \"Q /a\\n************\"\n"
		 "txn 4242-1000-1 nested Q /a - no-response\n"
		 "close 4242-1000-1\n");
}

/* After a loss nobody can tell what the bytes up to the next message are. */
static void lost_bytes_are_masked_until_in_step_again(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a key=hun");
	DATA(h, .off = 16, .lost = 4, .text = "tail of the secret\n", .part = 1, PROVEN);
	SAY(h, W, 35, "Q /b\n");
	CHECK(h, "data 4242-1000-1 > @0 \"************\"\n"
		 "gap 4242-1000-1 > @12 4 unsafe\n"
		 "data 4242-1000-1 > @16 \"*******************\"\n"
		 "data 4242-1000-1 > @35 \"Q /b\\n\"\n");
}

static void loss_inside_a_body_masks_nothing(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "B 10\n01");
	DATA(h, .off = 11, .lost = 4, .text = "6789Q /b\n", PROVEN);
	CHECK(h, "data 4242-1000-1 > @0 \"B 10\\n01\"\n"
		 "gap 4242-1000-1 > @7 4\n"
		 "data 4242-1000-1 > @11 \"6789Q /b\\n\"\n");
}

/* The order of arrival is kept: what is ready waits for what came before it. */
static void chunks_keep_their_order_of_arrival(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a\nQ /b key=hun");
	SAY(h, R, 0, "R 200\n");
	CHECK(h, "txn 4242-1000-1 nested Q /a 200\n");
	SAY(h, W, 17, "ter2\n");
	CHECK(h, "data 4242-1000-1 > @0 \"Q /a\\nQ /b key=###\"\n"
		 "data 4242-1000-1 < @0 \"R 200\\n\"\n"
		 "data 4242-1000-1 > @17 \"####\\n\"\n");
}

/* One direction never settles while the other floods: memory is bounded, the secret still is one. */
static void overflow_releases_the_unfinished_masked(void **state)
{
	struct harness *h = *state;
	static char block[16384];
	uint64_t off = 0;

	SAY(h, W, 0, "Q /a key=hun");
	SAY(h, R, 0, "B 100000000\n");
	CHECK(h, "");
	memset(block, 'x', sizeof(block));
	h->quiet = true;
	while (off < 2 * FLOW_HELD_BYTES) {
		DATA(h, .dir = R, .off = 12 + off, .text = block, .n = sizeof(block), PROVEN);
		off += sizeof(block);
		if (off > FLOW_HELD_BYTES) /* the head went, then all that was ready */
			assert_int_equal(h->chunk_bytes, 12 + 12 + off);
	}
	assert_int_equal(h->masked_bytes, 12); /* all of the line, nothing of the body */
	assert_int_equal(stats_of(h).held_over, 1);
	h->quiet = false;
	/* the rest of the line, now that its beginning is out */
	SAY(h, W, 12, "ter2\n");
	CHECK(h, "data 4242-1000-1 > @12 \"####\\n\"\n");
}

/* A parser that waits for the other side has consumed nothing: nobody vouched for these bytes. */
static void overflow_of_what_waits_is_masked(void **state)
{
	struct harness *h = *state;
	static char block[16384];
	size_t n = 0;

	SAY(h, W, 0, "Q"); /* undecided */
	memset(block, 'x', sizeof(block));
	h->quiet = true;
	for (; n < FLOW_HELD_BYTES; n += sizeof(block))
		DATA(h, .dir = R, .off = n, .text = block, .n = sizeof(block), PROVEN);
	assert_int_equal(h->chunk_bytes, 1 + n);
	assert_int_equal(h->masked_bytes, 1);
}

/* Many connections, each within its limit: all together are bounded as well. */
static void all_connections_together_are_bounded(void **state)
{
	struct harness *h = *state;
	static char block[EV_PART_MAX_BYTES];
	uint64_t fed = 0, conns = FLOW_HELD_TOTAL_BYTES / FLOW_HELD_BYTES + 20;

	h->quiet = true;
	memset(block, 'x', sizeof(block));
	for (uint64_t i = 1; i <= conns; i++) {
		DATA(h, .conn = i, .text = "Q /a key=hun", PROVEN);
		DATA(h, .conn = i, .dir = R, .text = "B 100000000\n", PROVEN);
		fed += 24;
		for (uint64_t n = 0; n < 30; n++, fed += sizeof(block))
			DATA(h, .conn = i, .dir = R, .off = 12 + n * sizeof(block), .text = block,
			     .n = sizeof(block), PROVEN);
		assert_true(fed - h->chunk_bytes <= FLOW_HELD_TOTAL_BYTES);
	}
	assert_true(fed > FLOW_HELD_TOTAL_BYTES);
	assert_true(h->chunk_bytes > 0);
	harness_finish(h);
	assert_int_equal(h->chunk_bytes, fed);
	assert_int_equal(h->masked_bytes, conns * 12);
}

static void too_many_secrets_mask_more_never_less(void **state)
{
	struct harness *h = *state;
	static const char line[] = "Q /a k=vv\n";
	size_t count = 3 * FLOW_SECRETS_MAX;
	char *text = malloc(count * (sizeof(line) - 1));

	assert_non_null(text);
	for (size_t i = 0; i < count; i++)
		memcpy(text + i * (sizeof(line) - 1), line, sizeof(line) - 1);
	h->quiet = true;
	DATA(h, .text = text, .n = count * (sizeof(line) - 1), PROVEN);
	assert_int_equal(h->chunk_bytes, count * (sizeof(line) - 1));
	assert_true(h->masked_bytes >= count * 2);
	assert_true(h->masked_bytes < h->chunk_bytes);
	free(text);
}

/* Secrets that are out do not count: a long connection has any number, each masked exactly. */
static void secrets_of_a_long_connection_stay_exact(void **state)
{
	struct harness *h = *state;
	uint64_t count = 3 * FLOW_SECRETS_MAX;

	h->quiet = true;
	for (uint64_t i = 0; i < count; i++)
		SAY(h, W, i * 10, "Q /a k=vv\n");
	assert_int_equal(h->masked_bytes, count * 2);
}

static void chunk_times_are_real_times(void **state)
{
	struct harness *h = *state;

	harness_clock(h, 5000000000);
	h->now_ms = 2000;
	SAY(h, W, 0, "Q /a\n");
	assert_int_equal(h->last_chunk_ts_ns, 7000000000);
	h->now_ms = 2500; /* held: its own time, not that of its release */
	SAY(h, W, 5, "Q /b");
	h->now_ms = 2600;
	SAY(h, W, 9, "\n");
	harness_clear(h);
	assert_int_equal(h->last_chunk_ts_ns, 7600000000);
	SAY(h, W, 10, "Q");
	harness_clock(h, 0); /* set back: what was seen before keeps its time */
	h->now_ms = 2700;
	harness_finish(h);
	assert_int_equal(h->last_chunk_ts_ns, 2600000000); /* the close */
}

static void nothing_is_held_when_nobody_wants_chunks(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a key=hun");
	SAY(h, W, 12, "ter2\n");
	SAY(h, R, 0, "R 200\n");
	harness_finish(h);
	CHECK(h, "txn 4242-1000-1 nested Q /a 200\n");
	assert_int_equal(h->chunk_bytes, 0);
}

static void sink_error_ends_it(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a\n");
	h->fail_with = -28;
	SAY(h, R, 0, "R 200\n"); /* harness_data() asserts that the error comes back */
	harness_clear(h);
	SAY(h, W, 5, "Q /b\n");
	SAY(h, R, 6, "R 200\n");
	harness_finish(h);
	CHECK(h, ""); /* and nothing more is written */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(secret_is_masked),
		STAGED(secret_is_masked_across_chunks),
		cmocka_unit_test(secret_never_shows_wherever_the_line_is_cut),
		STAGED(unfinished_line_is_masked_whole_at_the_end),
		STAGED(lost_bytes_are_masked_until_in_step_again),
		STAGED(loss_inside_a_body_masks_nothing),
		STAGED(chunks_keep_their_order_of_arrival),
		STAGED(overflow_releases_the_unfinished_masked),
		STAGED(overflow_of_what_waits_is_masked),
		STAGED(all_connections_together_are_bounded),
		STAGED(too_many_secrets_mask_more_never_less),
		STAGED(secrets_of_a_long_connection_stay_exact),
		STAGED(chunk_times_are_real_times),
		STAGED_TXNS(nothing_is_held_when_nobody_wants_chunks),
		STAGED(sink_error_ends_it),
	};

	return cmocka_run_group_tests_name("flow_chunks", tests, NULL, NULL);
}
