/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Driving parsers: recognition, waiting for the other direction, upgrades, losing step and finding it. */
#include "tests/unit/flow_stage.h"

#define SAY_LATE(h, d, at, words)                                               \
	DATA(h, .dir = (d), .off = (at), .text = (words), .sock = HARNESS_SOCK, \
	     .flags = EV_DATA_NESTED)

static void probe_that_needs_more_gets_it(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q");
	CHECK(h, ""); /* nobody knows yet what it is: its chunk waits */
	harness_tick(h, h->now_ms + 60000);
	CHECK(h, "");
	SAY(h, W, 1, " ");
	CHECK(h, ""); /* however long it takes */
	SAY(h, W, 2, "/a\n");
	CHECK(h, "data 4242-1000-1 > @0 \"Q\"\n"
		 "data 4242-1000-1 > @1 \" \"\n"
		 "data 4242-1000-1 > @2 \"/a\\n\"\n");
	SAY(h, R, 0, "R 200\n");
	CHECK(h, "data 4242-1000-1 < @0 \"R 200\\n\"\n"
		 "txn 4242-1000-1 nested Q /a 200\n");
	assert_int_equal(stats_of(h).unparsed_bytes, 0);
}

static void what_more_bytes_refute_is_passed_on(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q");
	SAY(h, W, 1, "UIT\r\n");
	CHECK(h, "data 4242-1000-1 > @0 \"Q\"\n"
		 "data 4242-1000-1 > @1 \"UIT\\x0d\\n\"\n");
	assert_int_equal(stats_of(h).unparsed_bytes, 6);
	/* the second call could not begin a message either, the third does */
	SAY(h, W, 6, "Q /a\n");
	SAY(h, R, 0, "R 200\n");
	CHECK(h, "data 4242-1000-1 > @6 \"Q /a\\n\"\n"
		 "data 4242-1000-1 < @0 \"R 200\\n\"\n"
		 "txn 4242-1000-1 nested Q /a 200 late\n");
}

/* The waiting byte is refuted by a call that itself begins a message. */
static void refuted_byte_does_not_take_the_next_call_along(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "B");
	SAY(h, W, 1, "Q /a\n");
	SAY(h, R, 0, "R 200\n");
	harness_finish(h);
	CHECK(h, "data 4242-1000-1 > @0 \"B\"\n"
		 "data 4242-1000-1 > @1 \"Q /a\\n\"\n"
		 "data 4242-1000-1 < @0 \"R 200\\n\"\n"
		 "txn 4242-1000-1 nested Q /a 200 late\n"
		 "close 4242-1000-1\n");
}

static void a_gap_ends_the_asking_for_more(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q");
	DATA(h, .off = 5, .lost = 4, .text = "Q /a\n", PROVEN);
	CHECK(h, "data 4242-1000-1 > @0 \"Q\"\n"
		 "gap 4242-1000-1 > @1 4\n"
		 "data 4242-1000-1 > @5 \"Q /a\\n\"\n");
	assert_int_equal(stats_of(h).unparsed_bytes, 1);
}

static void a_probe_does_not_get_more_for_ever(void **state)
{
	struct harness *h = *state;
	static char block[512];
	size_t n = 0;

	memset(block, 'X', sizeof(block));
	h->quiet = true;
	for (; n + sizeof(block) < FLOW_PROBE_BYTES; n += sizeof(block))
		DATA(h, .off = n, .text = block, .n = sizeof(block), PROVEN);
	assert_int_equal(h->chunk_bytes, 0);
	DATA(h, .off = n, .text = block, .n = sizeof(block), PROVEN);
	assert_true(h->chunk_bytes > 0); /* the first call begins nothing; the next may */
	harness_finish(h);
	assert_int_equal(h->chunk_bytes, FLOW_PROBE_BYTES);
}

static void undecided_bytes_go_out_at_the_end(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q");
	harness_finish(h);
	CHECK(h, "data 4242-1000-1 > @0 \"Q\"\n"
		 "close 4242-1000-1\n");
	assert_int_equal(stats_of(h).unparsed_bytes, 1);
}

static void unknown_protocol_is_passed_on_at_once(void **state)
{
	struct harness *h = *state;

	SAY(h, R, 0, "220 hello\r\n");
	SAY(h, W, 0, "EHLO me\r\n");
	CHECK(h, "data 4242-1000-1 < @0 \"220 hello\\x0d\\n\"\n"
		 "data 4242-1000-1 > @0 \"EHLO me\\x0d\\n\"\n");
	assert_int_equal(stats_of(h).unparsed_bytes, 20);
	assert_int_equal(stats_of(h).txns, 0);
}

/* Joined inside a body: the rest of it is passed on, the next request begins. */
static void joined_in_the_middle_of_a_message(void **state)
{
	struct harness *h = *state;

	SAY_LATE(h, R, 700, "rest of a body");
	DATA(h, .dir = R, .off = 714, .text = "R in the middle of a call\n", .part = 1,
	     .sock = HARNESS_SOCK, .flags = EV_DATA_NESTED);
	harness_clear(h);
	SAY_LATE(h, W, 50, "Q /a\n");
	SAY_LATE(h, R, 740, "more of it");
	SAY_LATE(h, R, 750, "R 200\n");
	CHECK(h, "data 4242-1000-1 > @50 \"Q /a\\n\"\n"
		 "data 4242-1000-1 < @740 \"**********\"\n"
		 "data 4242-1000-1 < @750 \"R 200\\n\"\n"
		 "txn 4242-1000-1 nested Q /a 200 late\n");
	assert_int_equal(stats_of(h).unparsed_bytes, 14 + 26 + 10);
	assert_int_equal(stats_of(h).resyncs, 0); /* it was never in step */
}

/* A call in progress when the probes came: its first byte is not the call's. */
static void call_in_progress_at_attach_is_no_start(void **state)
{
	struct harness *h = *state;

	DATA(h, .text = "Q /a\n", .sock = HARNESS_SOCK, .flags = EV_DATA_NESTED | EV_DATA_MIDCALL);
	CHECK(h, "data 4242-1000-1 > @0 \"Q /a\\n\"\n");
	assert_int_equal(stats_of(h).unparsed_bytes, 5);
}

static void response_before_its_request_waits(void **state)
{
	struct harness *h = *state;

	SAY(h, R, 0, "R 200\nR 201\n");
	CHECK(h, "");
	harness_tick(h, h->now_ms + WAIT_PEER_MS - 1);
	CHECK(h, "");
	SAY(h, W, 0, "Q /a\nQ /b\n");
	CHECK(h, "data 4242-1000-1 < @0 \"R 200\\nR 201\\n\"\n"
		 "data 4242-1000-1 > @0 \"Q /a\\nQ /b\\n\"\n"
		 "txn 4242-1000-1 nested Q /a 200\n"
		 "txn 4242-1000-1 nested Q /b 201\n");
}

static void response_waits_only_so_long(void **state)
{
	struct harness *h = *state;

	SAY(h, R, 0, "R 200\n");
	harness_tick(h, h->now_ms + 50);
	SAY(h, R, 6, "R 201\n");
	harness_tick(h, h->now_ms + WAIT_PEER_MS - 51);
	CHECK(h, "");
	harness_tick(h, h->now_ms + 1);
	CHECK(h, "data 4242-1000-1 < @0 \"R 200\\n\"\n"
		 "txn 4242-1000-1 nested Q ? 200 no-request\n");
	harness_tick(h, h->now_ms + 50);
	CHECK(h, "data 4242-1000-1 < @6 \"R 201\\n\"\n"
		 "txn 4242-1000-1 nested Q ? 201 no-request\n");
}

static void a_gap_behind_waiting_bytes_keeps_its_place(void **state)
{
	struct harness *h = *state;

	SAY(h, R, 0, "R 200\nB 10\n01");
	DATA(h, .dir = R, .off = 17, .lost = 4, .text = "6789R 201\n", PROVEN);
	CHECK(h, "");
	SAY(h, W, 0, "Q /a\nQ /b\n");
	CHECK(h, "data 4242-1000-1 < @0 \"R 200\\nB 10\\n01\"\n"
		 "gap 4242-1000-1 < @13 4\n"
		 "data 4242-1000-1 < @17 \"6789R 201\\n\"\n"
		 "data 4242-1000-1 > @0 \"Q /a\\nQ /b\\n\"\n"
		 "txn 4242-1000-1 nested Q /a 200\n"
		 "txn 4242-1000-1 nested Q /b 201 lost-response lost 4\n");
}

static void waiting_bytes_are_bounded(void **state)
{
	struct harness *h = *state;
	static char lines[6 * 4096];
	uint64_t off = 0;

	for (size_t i = 0; i < sizeof(lines); i += 6)
		memcpy(lines + i, "R 200\n", 6);
	h->quiet = true;
	for (; off <= FLOW_WAIT_BYTES; off += sizeof(lines))
		DATA(h, .dir = R, .off = off, .text = lines, .n = sizeof(lines), PROVEN);
	assert_true(h->txns > 0);
	assert_true(h->txns <= 2 * sizeof(lines) / 6);
	harness_finish(h);
	assert_int_equal(h->txns, off / 6);
}

static void upgrade_hands_over_in_the_middle_of_a_record(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /chat\n");
	SAY(h, R, 0, "U toy-chat\nhello\n");
	SAY(h, W, 8, "hi\n");
	CHECK(h, "data 4242-1000-1 > @0 \"Q /chat\\n\"\n"
		 "data 4242-1000-1 < @0 \"U toy-chat\\nhello\\n\"\n"
		 "txn 4242-1000-1 nested Q /chat toy-chat\n"
		 "txn 4242-1000-1 nested C /chat hello\n"
		 "data 4242-1000-1 > @8 \"hi\\n\"\n"
		 "txn 4242-1000-1 nested C /chat hi\n");
	assert_int_equal(stats_of(h).unparsed_bytes, 0);
}

/* Bytes of the new protocol that arrived while the answer was under way go to the new parser. */
static void upgrade_takes_what_waits_in_the_other_direction(void **state)
{
	struct harness *h = *state;

	SAY(h, R, 0, "U toy-chat\nhello\n");
	CHECK(h, "");
	SAY(h, W, 0, "Q /chat\n");
	SAY(h, W, 8, "hi\n");
	CHECK(h, "data 4242-1000-1 < @0 \"U toy-chat\\nhello\\n\"\n"
		 "data 4242-1000-1 > @0 \"Q /chat\\n\"\n"
		 "txn 4242-1000-1 nested Q /chat toy-chat\n"
		 "txn 4242-1000-1 nested C /chat hello\n"
		 "data 4242-1000-1 > @8 \"hi\\n\"\n"
		 "txn 4242-1000-1 nested C /chat hi\n");
}

static void upgrade_to_nothing_is_opaque(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /tunnel\n");
	SAY(h, R, 0, "U -\n");
	harness_clear(h);
	SAY(h, W, 10, "Q /inner\n"); /* looks like ours, but nobody may read it */
	SAY(h, R, 4, "R 200\n");
	CHECK(h, "data 4242-1000-1 > @10 \"Q /inner\\n\"\n"
		 "data 4242-1000-1 < @4 \"R 200\\n\"\n");
	assert_int_equal(stats_of(h).unparsed_bytes, 15);
	assert_int_equal(stats_of(h).txns, 1);
}

static void upgrade_to_an_unknown_name_is_opaque(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /x\n");
	SAY(h, R, 0, "U quic\nbytes");
	harness_clear(h);
	SAY(h, R, 12, "R 200\n");
	CHECK(h, "data 4242-1000-1 < @12 \"R 200\\n\"\n");
	assert_int_equal(stats_of(h).unparsed_bytes, 11);
}

/* Half a line of the old protocol is no business of the new one, and may hide a secret. */
static void upgrade_masks_what_was_left_unfinished(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a\nQ /b key=hun");
	SAY(h, R, 0, "U toy-chat\n");
	CHECK(h, "data 4242-1000-1 > @0 \"Q /a\\n************\"\n"
		 "data 4242-1000-1 < @0 \"U toy-chat\\n\"\n"
		 "txn 4242-1000-1 nested Q /a toy-chat\n");
}

static void upgrades_without_end_are_opaque(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /x\n");
	SAY(h, R, 0, "U toy-loop\nbytes");
	harness_clear(h);
	SAY(h, R, 16, "more");
	CHECK(h, "data 4242-1000-1 < @16 \"more\"\n");
	assert_int_equal(stats_of(h).unparsed_bytes, 9);
}

/* The upgrade finds the exchange that asked for it also when that waits for its peer. */
static void upgrade_knows_where_it_came_from_while_nothing_is_proven(void **state)
{
	struct harness *h = *state;

	DATA(h, .text = "Q /chat\n", .flags = EV_DATA_FROM_START);
	DATA(h, .dir = R, .text = "U toy-chat\nhello\n", .flags = EV_DATA_FROM_START);
	harness_finish(h);
	CHECK(h, "data 4242-1000-1 > @0 \"Q /chat\\n\"\n"
		 "data 4242-1000-1 < @0 \"U toy-chat\\nhello\\n\"\n"
		 "txn 4242-1000-1 unknown Q /chat toy-chat\n"
		 "txn 4242-1000-1 unknown C /chat hello\n"
		 "close 4242-1000-1\n");
}

/* Also what was well before the loss in the same call is masked: it may have been misread. */
static void lost_step_is_found_at_the_next_call(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a\n");
	SAY(h, R, 0, "R 1\nnonsense\nR 2\n");
	SAY(h, W, 5, "Q /b\n");
	SAY(h, R, 17, "still nonsense\n");
	SAY(h, R, 32, "R 3\n");
	CHECK(h, "data 4242-1000-1 > @0 \"Q /a\\n\"\n"
		 "data 4242-1000-1 < @0 \"*****************\"\n"
		 "txn 4242-1000-1 nested Q /a 1\n"
		 "data 4242-1000-1 > @5 \"Q /b\\n\"\n"
		 "data 4242-1000-1 < @17 \"***************\"\n"
		 "data 4242-1000-1 < @32 \"R 3\\n\"\n"
		 "txn 4242-1000-1 nested Q /b 3\n");
	assert_int_equal(stats_of(h).resyncs, 1);
}

static void a_gap_the_parser_cannot_bridge_is_unsafe(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /a\n");
	harness_clear(h);
	DATA(h, .off = 9, .lost = 4, .text = "Q /b\n", PROVEN);
	SAY(h, R, 0, "R 1\nR 2\n");
	CHECK(h, "gap 4242-1000-1 > @5 4 unsafe\n"
		 "data 4242-1000-1 > @9 \"Q /b\\n\"\n"
		 "data 4242-1000-1 < @0 \"R 1\\nR 2\\n\"\n"
		 "txn 4242-1000-1 nested Q /a 1 lost-request lost 4\n"
		 "txn 4242-1000-1 nested Q /b 2\n");
	assert_int_equal(stats_of(h).resyncs, 1);
}

/* A parser that breaks at the first byte of a call, which itself begins a message, starts there anew. */
static void the_call_that_broke_step_may_begin_a_message(void **state)
{
	struct harness *h = *state;
	static char longer[600];

	memset(longer, 'x', sizeof(longer));
	SAY(h, W, 0, "Q ");
	DATA(h, .off = 2, .text = longer, .n = 510, PROVEN); /* the line is full now */
	SAY(h, W, 512, "Q /b\n");
	harness_clear(h);
	SAY(h, R, 0, "R 2\n");
	CHECK(h, "data 4242-1000-1 < @0 \"R 2\\n\"\n"
		 "txn 4242-1000-1 nested Q /b 2\n");
	assert_int_equal(stats_of(h).resyncs, 1);
}

/* Such a parser is fed on wherever it stands: nobody looks for a start on its behalf. */
static void a_parser_that_seeks_finds_its_own_way(void **state)
{
	struct harness h;

	(void)state;
	harness_open(&h, &(struct flow_cfg){.chunks = true, .rows = toy_seek_rows});
	harness_sock(&h, HARNESS_CONN, 1, HARNESS_SOCK, 443);
	SAY(&h, W, 0, "Q /a\nnonsense\nQ /b\n");
	CHECK(&h, "data 4242-1000-1 > @0 \"*************~Q /b\\n\"\n");
	DATA(&h, .off = 23, .lost = 4, .text = "tail\nQ /c\n", .part = 1, PROVEN);
	CHECK(&h, "gap 4242-1000-1 > @19 4 unsafe\n"
		  "data 4242-1000-1 > @23 \"~~~~~Q /c\\n\"\n");
	SAY(&h, R, 0, "R 1\nR 2\nR 3\n");
	CHECK(&h, "data 4242-1000-1 < @0 \"R 1\\nR 2\\nR 3\\n\"\n"
		  "txn 4242-1000-1 nested Q /a 1 lost-request lost 4\n"
		  "txn 4242-1000-1 nested Q /b 2\n"
		  "txn 4242-1000-1 nested Q /c 3\n");
	assert_int_equal(stats_of(&h).resyncs, 2);
	assert_int_equal(stats_of(&h).unparsed_bytes, 0);
	harness_close(&h);
}

static void a_parser_that_seeks_joins_both_directions(void **state)
{
	struct harness h;

	(void)state;
	harness_open(&h, &(struct flow_cfg){.chunks = true, .rows = toy_seek_rows});
	harness_sock(&h, HARNESS_CONN, 1, HARNESS_SOCK, 443);
	SAY_LATE(&h, W, 40, "Q /a\nQ /b\n"); /* its first line is skipped: it was told "late" */
	SAY_LATE(&h, R, 70, "of a body\nR 2\n");
	CHECK(&h, "data 4242-1000-1 > @40 \"~~~~~Q /b\\n\"\n"
		  "data 4242-1000-1 < @70 \"~~~~~~~~~~R 2\\n\"\n"
		  "txn 4242-1000-1 nested Q /b 2 late\n");
	harness_close(&h);
}

static void datagrams_are_whole_messages(void **state)
{
	struct harness *h = *state;

	DATA(h, .conn = 30, .text = "D one", .flags = EV_DATA_PLAIN | EV_DATA_DGRAM);
	DATA(h, .conn = 30, .off = 5, .text = "Q /no\n", .flags = EV_DATA_PLAIN | EV_DATA_DGRAM);
	DATA(h, .conn = 31, .text = "Q /no\n", .flags = EV_DATA_PLAIN | EV_DATA_DGRAM);
	harness_finish(h);
	CHECK(h, "data 4242-1e-0 > @0 \"D one\"\n"
		 "data 4242-1e-0 > @5 \"Q /no\\n\"\n"
		 "txn 4242-1e-0 unknown D - D one\n"
		 "txn 4242-1e-0 unknown D - Q /no\n"
		 "close 4242-1e-0\n");
}

static void parser_ticks_come_on_record_time(void **state)
{
	struct harness *h = *state;

	SAY(h, W, 0, "Q /slow\n");
	harness_clear(h);
	harness_tick(h, h->now_ms + TOY_STALE_MS - 1);
	CHECK(h, "");
	harness_tick(h, h->now_ms + FLOW_PARSER_TICK_MS + 1);
	CHECK(h, "txn 4242-1000-1 nested Q /slow stale limit\n");
}

static void sink_ticks_come_on_record_time_in_real_time(void **state)
{
	struct harness *h = *state;
	uint64_t before = h->ticks;

	harness_clock(h, 1000000000);
	for (int i = 0; i < 100; i++)
		harness_tick(h, h->now_ms + 1);
	assert_int_equal(h->ticks - before, 100 / FLOW_SINK_TICK_MS);
	assert_int_equal(h->last_tick_ns, (h->now_ms + 1000) * 1000000);
	harness_tick(h, h->now_ms - 50); /* an older record does not turn time back */
	assert_int_equal(h->ticks - before, 100 / FLOW_SINK_TICK_MS);
}

static bool wants_none(void *arg, const struct proto_ops *row)
{
	(void)row;
	++*(int *)arg;
	return false;
}

/* Its bytes are not parsed, and the source hears of it once. */
static void what_nobody_wants_is_refused(void **state)
{
	struct harness *h = *state;
	int asked = 0;

	h->flow->cfg.wants = wants_none;
	h->flow->cfg.wants_arg = &asked;
	SAY(h, W, 0, "Q /a\n");
	SAY(h, W, 5, "Q /b\n");
	SAY(h, R, 0, "R 200\n");
	assert_int_equal(asked, 1);
	assert_int_equal(h->unwanted, 1);
	assert_int_equal(h->unwanted_sock, HARNESS_SOCK);
	assert_true(h->unwanted_all);
	harness_conn_end(h, HARNESS_CONN, 1, 1000,
			 1000); /* much was not copied: no gap of anything */
	harness_finish(h);
	assert_int_equal(h->txns, 0);
	assert_int_equal(stats_of(h).refused, 1);
	assert_int_equal(stats_of(h).gap_bytes, 0);
	assert_int_equal(stats_of(h).unparsed_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED(probe_that_needs_more_gets_it),
		STAGED(what_more_bytes_refute_is_passed_on),
		STAGED(refuted_byte_does_not_take_the_next_call_along),
		STAGED(a_gap_ends_the_asking_for_more),
		STAGED(a_probe_does_not_get_more_for_ever),
		STAGED(undecided_bytes_go_out_at_the_end),
		STAGED(unknown_protocol_is_passed_on_at_once),
		STAGED(joined_in_the_middle_of_a_message),
		STAGED(call_in_progress_at_attach_is_no_start),
		STAGED(response_before_its_request_waits),
		STAGED(response_waits_only_so_long),
		STAGED(a_gap_behind_waiting_bytes_keeps_its_place),
		STAGED(waiting_bytes_are_bounded),
		STAGED(upgrade_hands_over_in_the_middle_of_a_record),
		STAGED(upgrade_takes_what_waits_in_the_other_direction),
		STAGED(upgrade_masks_what_was_left_unfinished),
		STAGED(upgrades_without_end_are_opaque),
		STAGED(upgrade_to_nothing_is_opaque),
		STAGED(upgrade_to_an_unknown_name_is_opaque),
		STAGED(upgrade_knows_where_it_came_from_while_nothing_is_proven),
		STAGED(lost_step_is_found_at_the_next_call),
		STAGED(a_gap_the_parser_cannot_bridge_is_unsafe),
		STAGED(the_call_that_broke_step_may_begin_a_message),
		cmocka_unit_test(a_parser_that_seeks_finds_its_own_way),
		cmocka_unit_test(a_parser_that_seeks_joins_both_directions),
		STAGED(datagrams_are_whole_messages),
		STAGED(parser_ticks_come_on_record_time),
		STAGED_TXNS(what_nobody_wants_is_refused),
		STAGED(sink_ticks_come_on_record_time_in_real_time),
	};

	return cmocka_run_group_tests_name("flow_parse", tests, NULL, NULL);
}
