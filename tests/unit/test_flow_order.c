/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Order, loss and position of one direction: what comes early, late, twice, in part or never. */
#include "tests/unit/flow_stage.h"

static void in_order_goes_straight_through(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a\n");
	CHECK(h, "data 4242-1000-1 > @0 \"Q /a\\n\"\n");
	SAY(h, R, 0, "R 200\n");
	CHECK(h, "data 4242-1000-1 < @0 \"R 200\\n\"\n"
		 "txn 4242-1000-1 nested Q /a 200\n");
	harness_finish(h);
	CHECK(h, "close 4242-1000-1\n");
	assert_int_equal(stats_of(h).bytes, 11);
	assert_int_equal(stats_of(h).gap_bytes, 0);
}

static void early_record_waits_for_its_predecessor(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 3, "abc\n");
	CHECK(h, "");
	SAY(h, W, 7, "Q /b\n");
	CHECK(h, "");
	SAY(h, W, 0, "Q /");
	CHECK(h, "data 4242-1000-1 > @0 \"Q /\"\n"
		 "data 4242-1000-1 > @3 \"abc\\n\"\n"
		 "data 4242-1000-1 > @7 \"Q /b\\n\"\n");
	SAY(h, R, 0, "R 1\nR 2\n");
	CHECK(h, "data 4242-1000-1 < @0 \"R 1\\nR 2\\n\"\n"
		 "txn 4242-1000-1 nested Q /abc 1\n"
		 "txn 4242-1000-1 nested Q /b 2\n");
	assert_int_equal(stats_of(h).reordered, 2);
	assert_int_equal(stats_of(h).gap_bytes, 0);
}

static void parts_in_reverse_are_put_in_order(void **state)
{
	struct harness *h = *state;
	static const char text[] = "Q /0123456789\n";

	for (size_t i = sizeof(text) - 1; i-- > 0;)
		DATA(h, .off = i, .text = text + i, .n = 1, .part = (uint16_t)i, PROVEN);
	harness_clear(h);
	SAY(h, R, 0, "R 7\n");
	CHECK(h, "data 4242-1000-1 < @0 \"R 7\\n\"\n"
		 "txn 4242-1000-1 nested Q /0123456789 7\n");
	assert_int_equal(stats_of(h).reordered, sizeof(text) - 2);
}

/* A jump that the kernel counted as lost is a gap at once; there is nothing to wait for. */
static void counted_loss_is_a_gap_at_once(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a\n");
	SAY(h, R, 0, "B 100\nxxxx");
	harness_clear(h);
	DATA(h, .dir = R, .off = 60, .lost = 50, .text = "yyyy", PROVEN);
	CHECK(h, "gap 4242-1000-1 < @10 50\n"
		 "data 4242-1000-1 < @60 \"yyyy\"\n");
	assert_int_equal(stats_of(h).gap_bytes, 50);
	assert_int_equal(stats_of(h).reordered, 0);
}

/* The jump is larger than the loss: a predecessor is still to come. */
static void loss_and_reorder_together(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "B 100\n");
	harness_clear(h);
	DATA(h, .off = 46, .lost = 30, .text = "late", PROVEN);
	CHECK(h, "");
	SAY(h, W, 6, "0123456789");
	CHECK(h, "data 4242-1000-1 > @6 \"0123456789\"\n"
		 "gap 4242-1000-1 > @16 30\n"
		 "data 4242-1000-1 > @46 \"late\"\n");
}

static void predecessor_that_never_comes_is_a_gap_after_its_time(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "B 100\n");
	harness_clear(h);
	SAY(h, W, 10, "x");
	harness_tick(h, h->now_ms + FLOW_REORDER_MS - 1);
	CHECK(h, "");
	harness_tick(h, h->now_ms + 1);
	CHECK(h, "gap 4242-1000-1 > @6 4\n"
		 "data 4242-1000-1 > @10 \"x\"\n");
	SAY(h, W, 6, "stal");
	CHECK(h, "");
	assert_int_equal(stats_of(h).stale, 1);
}

/* Every held record has its own time: one that came later waits longer. */
static void each_held_record_has_its_own_time(void **state)
{
	struct harness *h = *state;
	uint64_t start = h->now_ms;

	SAY(h, W, 0, "B 100\n");
	harness_clear(h);
	SAY(h, W, 10, "x");
	harness_tick(h, start + 15);
	SAY(h, W, 20, "y");
	harness_tick(h, start + 20);
	CHECK(h, "gap 4242-1000-1 > @6 4\n"
		 "data 4242-1000-1 > @10 \"x\"\n");
	harness_tick(h, start + 34);
	CHECK(h, "");
	harness_tick(h, start + 35);
	CHECK(h, "gap 4242-1000-1 > @11 9\n"
		 "data 4242-1000-1 > @20 \"y\"\n");
}

static void held_records_are_bounded(void **state)
{
	struct harness *h = *state;
	static char block[EV_PART_MAX_BYTES];
	uint64_t off = 100;

	memset(block, 'x', sizeof(block));
	SAY(h, W, 0, "B 100000000\n");
	h->quiet = true;
	for (; off < FLOW_REORDER_BYTES; off += sizeof(block))
		DATA(h, .off = off, .text = block, .n = sizeof(block), PROVEN);
	assert_int_equal(h->chunk_bytes, 12 + off - 100);
	assert_int_equal(h->gap_bytes, 100 - 12);
}

static void duplicates_and_overlaps_are_trimmed(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "B 100\nabcdef");
	harness_clear(h);
	SAY(h, W, 6, "abcdef");
	CHECK(h, "");
	assert_int_equal(stats_of(h).stale, 1);
	SAY(h, W, 10, "efgh");
	CHECK(h, "data 4242-1000-1 > @12 \"gh\"\n");
	DATA(h, .off = 12, .text = "gh", .more = 4, PROVEN);
	CHECK(h, "gap 4242-1000-1 > @14 4\n");
	assert_int_equal(stats_of(h).stale, 1);
	assert_int_equal(stats_of(h).bytes, 14);
}

static void what_was_wanted_but_not_copied_is_a_gap(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a\n");
	SAY(h, R, 0, "B 20\n");
	harness_clear(h);
	DATA(h, .dir = R, .off = 5, .text = "0123", .more = 16, .sock = HARNESS_SOCK,
	     .flags = EV_DATA_NESTED | EV_DATA_FROM_START | EV_DATA_SNAP);
	CHECK(h, "data 4242-1000-1 < @5 \"0123\"\n"
		 "gap 4242-1000-1 < @9 16\n");
	SAY(h, R, 25, "R 200\n");
	CHECK(h, "data 4242-1000-1 < @25 \"R 200\\n\"\n"
		 "txn 4242-1000-1 nested Q /a 200 lost-response lost 16\n");
	/* nothing copied at all: sendfile */
	SAY(h, R, 31, "B 4\n");
	harness_clear(h);
	DATA(h, .dir = R, .off = 35, .more = 4, .sock = HARNESS_SOCK,
	     .flags = EV_DATA_NESTED | EV_DATA_FROM_START | EV_DATA_NOCOPY);
	CHECK(h, "gap 4242-1000-1 < @35 4\n");
}

static void joined_late_starts_where_it_joined(void **state)
{
	struct harness *h = *state;

	DATA(h, .off = 5000, .lost = 7, .text = "Q /a\n", .sock = HARNESS_SOCK,
	     .flags = EV_DATA_NESTED);
	DATA(h, .dir = R, .off = 900, .text = "R 200\n", .sock = HARNESS_SOCK,
	     .flags = EV_DATA_NESTED);
	CHECK(h, "data 4242-1000-1 > @5000 \"Q /a\\n\"\n"
		 "data 4242-1000-1 < @900 \"R 200\\n\"\n"
		 "txn 4242-1000-1 nested Q /a 200 late\n");
	assert_int_equal(stats_of(h).gap_bytes, 0);
	/* from here on a jump is a jump: the 7 bytes lost before the first record count no more */
	DATA(h, .off = 5005 + 3, .lost = 10, .text = "Q /b\n", .sock = HARNESS_SOCK,
	     .flags = EV_DATA_NESTED);
	CHECK(h, "gap 4242-1000-1 > @5005 3 unsafe\n"
		 "data 4242-1000-1 > @5008 \"Q /b\\n\"\n");
}

static void missing_first_bytes_of_a_whole_connection_are_a_gap(void **state)
{
	struct harness *h = *state;

	DATA(h, .off = 10, .lost = 10, .text = "Q /a\n", PROVEN);
	CHECK(h, "gap 4242-1000-1 > @0 10\n"
		 "data 4242-1000-1 > @10 \"Q /a\\n\"\n");
	SAY(h, R, 0, "R 200\n");
	CHECK(h, "data 4242-1000-1 < @0 \"R 200\\n\"\n"
		 "txn 4242-1000-1 nested Q /a 200 late\n");
}

static void loss_at_the_very_end_shows(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a\n");
	SAY(h, R, 0, "B 10\n0123");
	harness_clear(h);
	harness_conn_end(h, HARNESS_CONN, 1, 5, 15);
	CHECK(h, "gap 4242-1000-1 < @9 6\n"
		 "txn 4242-1000-1 nested Q /a - lost-response no-response lost 6\n"
		 "close 4242-1000-1\n");
	assert_int_equal(stats_of(h).conns_live, 0);
}

static void held_records_are_delivered_before_the_end(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "B 10\n");
	SAY(h, W, 12, "89");
	SAY(h, W, 8, "3");
	harness_clear(h);
	harness_conn_end(h, HARNESS_CONN, 1, 15, 0);
	CHECK(h, "gap 4242-1000-1 > @5 3\n"
		 "data 4242-1000-1 > @8 \"3\"\n"
		 "gap 4242-1000-1 > @9 3\n"
		 "data 4242-1000-1 > @12 \"89\"\n"
		 "gap 4242-1000-1 > @14 1\n"
		 "close 4242-1000-1\n");
}

/* Positions that contradict each other are not believed, and nothing breaks. */
static void impossible_positions_are_dropped(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "B 5\n");
	harness_clear(h);
	SAY(h, W, UINT64_MAX - 1, "xyz");
	CHECK(h, "");
	assert_int_equal(stats_of(h).stale, 1);
	SAY(h, W, UINT64_MAX, ""); /* nothing at all, at the end of everything */
	harness_tick(h, h->now_ms + FLOW_REORDER_MS);
	CHECK(h, "");
	harness_conn_end(h, HARNESS_CONN, 1, 1, 0); /* less than was seen */
	CHECK(h, "close 4242-1000-1\n");
}

/* A loss counter that runs back proves nothing: the jump waits like any other. */
static void a_smaller_loss_is_no_loss(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "B 100\n");
	DATA(h, .off = 16, .lost = 10, .text = "x", PROVEN);
	harness_clear(h);
	DATA(h, .off = 20, .lost = 5, .text = "y", PROVEN);
	CHECK(h, "");
	DATA(h, .off = 17, .lost = 10, .text = "abc", PROVEN);
	CHECK(h, "data 4242-1000-1 > @17 \"abc\"\n"
		 "data 4242-1000-1 > @20 \"y\"\n");
}

/* What is left of an overlapping call does not stand at the call's beginning. */
static void a_trimmed_call_is_no_message_start(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "junk");
	SAY(h, W, 0, "junkQ /a\n");
	CHECK(h, "data 4242-1000-1 > @0 \"junk\"\n"
		 "data 4242-1000-1 > @4 \"Q /a\\n\"\n");
	assert_int_equal(stats_of(h).unparsed_bytes, 9);
}

/* A direction of which nothing arrived: all of it is missing, if it is known where it began. */
static void a_direction_never_seen(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a\n");
	DATA(h, .gen = 2, .text = "Q /b\n", .sock = HARNESS_SOCK, .flags = EV_DATA_NESTED);
	harness_clear(h);
	harness_conn_end(h, HARNESS_CONN, 1, 5, 30);
	harness_conn_end(h, HARNESS_CONN, 2, 5, 30);
	CHECK(h, "gap 4242-1000-1 < @0 30 unsafe\n"
		 "txn 4242-1000-1 nested Q /a - lost-response no-response lost 30\n"
		 "close 4242-1000-1\n"
		 "txn 4242-1000-2 nested Q /b - late no-response\n"
		 "close 4242-1000-2\n");
}

/* A timer set anew may be due before some that were set earlier. */
static void timers_fire_in_the_order_they_are_due(void **state)
{
	struct harness *h = *state;
	uint64_t start = h->now_ms;

	for (uint64_t gen = 1; gen <= 3; gen++)
		DATA(h, .gen = gen, .text = "B 100\n", PROVEN);
	DATA(h, .gen = 1, .off = 10, .text = "a", PROVEN);
	harness_tick(h, start + 2);
	DATA(h, .gen = 2, .off = 10, .text = "b", PROVEN);
	harness_tick(h, start + 3);
	DATA(h, .gen = 1, .off = 20, .text = "c", PROVEN);
	harness_tick(h, start + 4);
	DATA(h, .gen = 3, .off = 10, .text = "d", PROVEN);
	harness_clear(h);
	harness_tick(h, start + 20);
	CHECK(h, "gap 4242-1000-1 > @6 4\ndata 4242-1000-1 > @10 \"a\"\n");
	harness_tick(h, start + 22);
	CHECK(h, "gap 4242-1000-2 > @6 4\ndata 4242-1000-2 > @10 \"b\"\n");
	harness_tick(h, start + 23);
	CHECK(h, "gap 4242-1000-1 > @11 9\ndata 4242-1000-1 > @20 \"c\"\n");
	harness_tick(h, start + 24);
	CHECK(h, "gap 4242-1000-3 > @6 4\ndata 4242-1000-3 > @10 \"d\"\n");
}

/* A damaged time does not end all waiting. */
static void an_impossible_time_does_not_move_the_clock(void **state)
{
	struct harness *h = *state;
	struct ev_hdr ev = {.ts_ns = UINT64_MAX - 5, .type = EV_TICK, .len = sizeof(ev)};

	SAY(h, W, 0, "B 100\n");
	SAY(h, W, 10, "x");
	harness_clear(h);
	assert_int_equal(flow_event(h->flow, &ev), 0);
	CHECK(h, "");
	SAY(h, W, 6, "0123");
	CHECK(h, "data 4242-1000-1 > @6 \"0123\"\n"
		 "data 4242-1000-1 > @10 \"x\"\n");
}

static void directions_do_not_wait_for_each_other(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a\n");
	SAY(h, W, 9, "b\n");
	harness_clear(h);
	SAY(h, R, 0, "R 200\n");
	CHECK(h, "data 4242-1000-1 < @0 \"R 200\\n\"\n"
		 "txn 4242-1000-1 nested Q /a 200\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(in_order_goes_straight_through),
		STAGED(early_record_waits_for_its_predecessor),
		STAGED(parts_in_reverse_are_put_in_order),
		STAGED(counted_loss_is_a_gap_at_once),
		STAGED(loss_and_reorder_together),
		STAGED(predecessor_that_never_comes_is_a_gap_after_its_time),
		STAGED(each_held_record_has_its_own_time),
		STAGED(held_records_are_bounded),
		STAGED(duplicates_and_overlaps_are_trimmed),
		STAGED(what_was_wanted_but_not_copied_is_a_gap),
		STAGED(joined_late_starts_where_it_joined),
		STAGED(missing_first_bytes_of_a_whole_connection_are_a_gap),
		STAGED(loss_at_the_very_end_shows),
		STAGED(held_records_are_delivered_before_the_end),
		STAGED(impossible_positions_are_dropped),
		STAGED(a_smaller_loss_is_no_loss),
		STAGED(a_trimmed_call_is_no_message_start),
		STAGED(a_direction_never_seen),
		STAGED(timers_fire_in_the_order_they_are_due),
		STAGED(an_impossible_time_does_not_move_the_clock),
		STAGED(directions_do_not_wait_for_each_other),
	};

	return cmocka_run_group_tests_name("flow_order", tests, NULL, NULL);
}
