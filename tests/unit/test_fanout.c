/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several writers at once: each gets what it wants, and one that fails neither stops the others nor is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "writer/writer.h"

/* Counts its calls; fails when told. */
struct probe {
	unsigned int txns, chunks, flushes, closes;
	int txn_err, flush_err, close_err;
};

static int probe_txn(void *self, const struct txn *t)
{
	struct probe *p = self;

	(void)t;
	p->txns++;
	return p->txn_err;
}

static int probe_chunk(void *self, const struct chunk *c)
{
	(void)c;
	((struct probe *)self)->chunks++;
	return 0;
}

static int probe_flush(void *self)
{
	struct probe *p = self;

	p->flushes++;
	return p->flush_err;
}

static int probe_close(void *self)
{
	struct probe *p = self;

	p->closes++;
	return p->close_err;
}

static const struct writer_ops txns_only = {
	.name = "txns",
	.wants_txns = true,
	.txn = probe_txn,
	.flush = probe_flush,
	.close = probe_close,
};

static const struct writer_ops chunks_only = {
	.name = "chunks",
	.wants_chunks = true,
	.chunk = probe_chunk,
	.flush = probe_flush,
	.close = probe_close,
};

static int send_txn(struct fanout *f)
{
	struct txn t = {0};

	return fanout_sink(f)->ops->txn(fanout_sink(f), &t);
}

static int send_chunk(struct fanout *f)
{
	struct chunk c = {0};

	return fanout_sink(f)->ops->chunk(fanout_sink(f), &c);
}

static struct fanout *with(struct probe *a, struct probe *b)
{
	struct fanout *f = fanout_new();

	assert_non_null(f);
	assert_int_equal(fanout_add(f, &txns_only, a, NULL, "a"), 0);
	assert_int_equal(fanout_add(f, &txns_only, b, NULL, "b"), 0);
	return f;
}

static void test_each_gets_what_it_wants(void **state)
{
	struct probe txns = {0}, chunks = {0};
	struct fanout *f = fanout_new();

	(void)state;
	assert_non_null(f);
	assert_false(fanout_wants_chunks(f));
	assert_int_equal(send_txn(f), 0);
	assert_int_equal(fanout_add(f, &txns_only, &txns, NULL, "txns"), 0);
	assert_false(fanout_wants_chunks(f));
	assert_int_equal(fanout_add(f, &chunks_only, &chunks, NULL, "chunks"), 0);
	assert_true(fanout_wants_chunks(f));
	assert_int_equal(send_txn(f), 0);
	assert_int_equal(send_chunk(f), 0);
	assert_int_equal(send_chunk(f), 0);
	assert_int_equal(fanout_sink(f)->ops->tick(fanout_sink(f), 5), 0);
	assert_int_equal(fanout_flush(f), 0);
	assert_int_equal(fanout_close(f), 0);
	assert_int_equal(txns.txns, 1);
	assert_int_equal(txns.chunks, 0);
	assert_int_equal(chunks.txns, 0);
	assert_int_equal(chunks.chunks, 2);
	assert_int_equal(txns.flushes + chunks.flushes, 2);
	assert_int_equal(txns.closes, 1);
	assert_int_equal(chunks.closes, 1);
}

static void test_the_first_error_stays_and_others_go_on(void **state)
{
	struct probe bad = {.txn_err = -ENOSPC, .close_err = -ENOSPC}, good = {0};
	struct fanout *f = with(&bad, &good);

	(void)state;
	assert_int_equal(send_txn(f), -ENOSPC);
	good.flush_err = -EIO;
	assert_int_equal(send_txn(f), -ENOSPC);
	assert_int_equal(fanout_sink(f)->ops->tick(fanout_sink(f), 1), -ENOSPC);
	assert_int_equal(send_chunk(f), -ENOSPC);
	assert_int_equal(fanout_flush(f), -ENOSPC);
	assert_int_equal(fanout_close(f), -ENOSPC);
	assert_int_equal(bad.txns, 1);
	assert_int_equal(bad.flushes, 0);
	assert_int_equal(bad.closes, 1);
	assert_int_equal(good.txns, 2);
	assert_int_equal(good.flushes, 1);
	assert_int_equal(good.closes, 1);
}

static void test_an_error_at_the_end_is_seen(void **state)
{
	struct probe good = {0}, bad = {.close_err = -EPIPE};
	struct fanout *f = with(&good, &bad);

	(void)state;
	assert_int_equal(send_txn(f), 0);
	assert_int_equal(fanout_close(f), -EPIPE);
	assert_int_equal(good.closes, 1);
	assert_int_equal(fanout_close(NULL), 0);
}

static void test_rows_by_name(void **state)
{
	(void)state;
	assert_ptr_equal(writer_by_name("json"), &writer_json);
	assert_ptr_equal(writer_by_name("text"), &writer_text);
	assert_ptr_equal(writer_by_name("pcapng"), &writer_pcapng);
	assert_null(writer_by_name("jso"));
	assert_null(writer_by_name(""));
}

/* Real writers: one on a full disk, one on a file. */
static void test_a_full_disk_beside_a_good_one(void **state)
{
	const struct writer_cfg cfg = {.unbuffered = true};
	const struct conn conn = {.id = "1-1-1"};
	struct txn t = {.conn = &conn, .event_name = "http.exchange"};
	struct fanout *f = fanout_new();
	struct out *full, *null;
	void *a, *b;

	(void)state;
	assert_non_null(f);
	assert_int_equal(out_open(&full, "/dev/full"), 0);
	assert_int_equal(out_open(&null, "/dev/null"), 0);
	assert_int_equal(writer_json.open(&a, full, &cfg), 0);
	assert_int_equal(writer_text.open(&b, null, &cfg), 0);
	assert_int_equal(fanout_add(f, &writer_json, a, NULL, "json:/dev/full"), 0);
	assert_int_equal(fanout_add(f, &writer_text, b, NULL, "text:/dev/null"), 0);
	assert_int_equal(fanout_sink(f)->ops->txn(fanout_sink(f), &t), -ENOSPC);
	assert_int_equal(out_bytes(null) > 0, 1);
	assert_int_equal(fanout_close(f), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_gets_what_it_wants),
		cmocka_unit_test(test_the_first_error_stays_and_others_go_on),
		cmocka_unit_test(test_an_error_at_the_end_is_seen),
		cmocka_unit_test(test_rows_by_name),
		cmocka_unit_test(test_a_full_disk_beside_a_good_one),
	};

	return cmocka_run_group_tests_name("fanout", tests, NULL, NULL);
}
