/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes, their images and identities, and the tables that stay bounded. */
#include "tests/unit/flow_stage.h"

#include <stdio.h>

#include "core/attr_names.h"
#include "identity/identity.h"

static void show_comm(struct harness *h, struct txn *t)
{
	struct str comm = t->conn->proc->v[ID_COMM];

	buf_printf(&h->out, "[%.*s %s] ", (int)comm.n, comm.p ? comm.p : "", t->conn->lib);
}

static void exchange(struct harness *h, uint64_t conn, uint64_t gen)
{
	DATA(h, .conn = conn, .gen = gen, .text = "Q /a\n", PROVEN);
	DATA(h, .conn = conn, .gen = gen, .dir = R, .text = "R 1\n", PROVEN);
}

static void identity_and_library_reach_the_transaction(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_comm;
	harness_identity(h, "curl");
	harness_lib(h, 0, "openssl");
	harness_lib(h, 0, "another name for the same row");
	exchange(h, 0x10, 1);
	CHECK(h, "[curl openssl] txn 4242-10-1 nested Q /a 1\n");
}

static void exec_ends_what_the_old_image_said(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_comm;
	harness_identity(h, "sh");
	DATA(h, .conn = 0x10, .text = "Q /a\n", PROVEN);
	DATA(h, .conn = 0x10, .off = 9, .text = "Q /held\n", PROVEN);
	harness_bare(h, EV_EXEC);
	CHECK(h, "[sh ] txn 4242-10-1 nested Q /a - lost-request no-response lost 4\n"
		 "[sh ] txn 4242-10-1 nested Q /held - no-response\n");
	harness_identity(h, "curl");
	exchange(h, 0x10, 2);
	CHECK(h, "[curl ] txn 4242-10-2 nested Q /a 1\n");
	assert_int_equal(stats_of(h).conns, 2);
	assert_int_equal(stats_of(h).conns_live, 1);
}

static void show_event(struct harness *h, struct txn *t)
{
	const struct attr *code = txn_attr(t, A_PROCESS_EXIT_CODE);
	const struct attr *signal = txn_attr(t, A_PROCESS_EXIT_SIGNAL);

	buf_printf(&h->out, "%s of %.*s[%u] %lld %.*s: ", t->event_name,
		   (int)t->conn->proc->v[ID_COMM].n, t->conn->proc->v[ID_COMM].p,
		   t->conn->proc->key.tgid, code ? (long long)code->num : -1,
		   signal ? (int)signal->str.n : 1, signal ? signal->str.p : "-");
	assert_true(txn_is_event(t));
}

static void proc_event(struct harness *h, uint16_t type, int exit_code)
{
	struct ev_proc e = {.exit_code = exit_code, .child_tgid = HARNESS_PID};

	e.hdr.type = type;
	e.hdr.len = sizeof(e);
	e.hdr.tgid = type == EV_FORK ? 1 : HARNESS_PID;
	e.hdr.start_ns = HARNESS_START_NS;
	e.child_start_ns = HARNESS_START_NS;
	e.hdr.ts_ns = 1000000000;
	assert_int_equal(flow_event(h->flow, &e.hdr), 0);
}

/* An exec is of the new image, as its identity came before; a fork is the child's. */
static void events_of_processes_when_asked_for(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_event;
	harness_identity(h, "sh");
	proc_event(h, EV_EXEC, 0);
	CHECK(h, "");
	h->flow->cfg.process_events = true;
	proc_event(h, EV_FORK, 0);
	harness_identity(h, "curl");
	proc_event(h, EV_EXEC, 0);
	proc_event(h, EV_EXIT, 7 << 8);
	proc_event(h, EV_EXIT, 9);
	assert_non_null(strstr(harness_out(h), "process.fork of sh[4242] -1 -: "));
	assert_non_null(strstr(harness_out(h), "process.exec of curl[4242] -1 -: "));
	assert_non_null(strstr(harness_out(h), "process.exit of curl[4242] 7 -: "));
	assert_non_null(strstr(harness_out(h), "process.exit of curl[4242] -1 SIGKILL: "));
	harness_clear(h);
	assert_int_equal(stats_of(h).txns, 0);
}

/* A connection keeps the identity it began with. */
static void later_identity_is_for_later_connections(void **state)
{
	struct harness *h = *state;

	h->on_txn = show_comm;
	harness_identity(h, "before");
	DATA(h, .conn = 0x10, .text = "Q /a\n", PROVEN);
	harness_identity(h, "after");
	exchange(h, 0x20, 2);
	DATA(h, .conn = 0x10, .dir = R, .text = "R 2\n", PROVEN);
	CHECK(h, "[after ] txn 4242-20-2 nested Q /a 1\n"
		 "[before ] txn 4242-10-1 nested Q /a 2\n");
}

static void exit_ends_the_connections_of_that_process_only(void **state)
{
	struct harness *h = *state;

	DATA(h, .conn = 0x10, .text = "Q /a\n", PROVEN);
	DATA(h, .tgid = 5, .conn = 0x10, .text = "Q /b\n", PROVEN);
	harness_bare(h, EV_EXIT);
	CHECK(h, "txn 4242-10-1 nested Q /a - no-response\n");
	DATA(h, .tgid = 5, .conn = 0x10, .dir = R, .text = "R 2\n", PROVEN);
	CHECK(h, "txn 5-10-1 nested Q /b 2\n");
}

struct tally {
	unsigned int procs;
	uint64_t conns, txns, write, read, generated;
	uint32_t last_tgid;
	char lib[16];
};

static void count(const struct flow_proc_stats *p, void *arg)
{
	struct tally *t = arg;

	t->procs++;
	t->conns += p->conns;
	t->txns += p->txns;
	t->write += p->bytes[W];
	t->read += p->bytes[R];
	t->generated += p->counters.generated_bytes[W];
	t->last_tgid = p->proc->key.tgid;
	snprintf(t->lib, sizeof(t->lib), "%s", p->lib);
}

static void processes_are_counted_for_the_summary(void **state)
{
	struct harness *h = *state;
	struct tally t = {0};
	struct ev_counters ev = {
		.hdr = {.start_ns = HARNESS_START_NS,
			.tgid = HARNESS_PID,
			.type = EV_COUNTERS,
			.len = sizeof(ev)},
		.generated_bytes = {500, 0},
	};

	harness_lib(h, 0, "openssl");
	exchange(h, 0x10, 1);
	exchange(h, 0x20, 2);
	DATA(h, .tgid = 5, .text = "Q /b\n", PROVEN);
	assert_int_equal(flow_event(h->flow, &ev.hdr), 0);
	ev.generated_bytes[W] = 700; /* cumulative: the last counts */
	assert_int_equal(flow_event(h->flow, &ev.hdr), 0);
	harness_finish(h);
	flow_each_proc(h->flow, count, &t);
	assert_int_equal(t.procs, 2);
	assert_int_equal(t.conns, 3);
	assert_int_equal(t.txns, 3);
	assert_int_equal(t.write, 15);
	assert_int_equal(t.read, 8);
	assert_int_equal(t.generated, 700);
	assert_int_equal(t.last_tgid, 5);
	assert_string_equal(t.lib, "openssl");
	assert_int_equal(stats_of(h).txns, 3);
}

static void the_longest_idle_connection_makes_room(void **state)
{
	struct harness *h = *state;

	h->quiet = true;
	DATA(h, .conn = 1, .text = "Q /idle\n", PROVEN);
	DATA(h, .conn = 2, .text = "Q /busy\n", PROVEN);
	for (uint64_t i = 3; i < FLOW_CONNS_MAX + 1; i++)
		DATA(h, .conn = i, .text = "B 9\n", PROVEN);
	assert_int_equal(stats_of(h).conns_live, FLOW_CONNS_MAX);
	DATA(h, .conn = 1, .off = 8, .text = "Q /idle\n", PROVEN);
	h->quiet = false;
	DATA(h, .conn = FLOW_CONNS_MAX + 1, .text = "B 9\n", PROVEN);
	CHECK(h, "txn 4242-2-1 nested Q /busy - no-response\n");
	assert_int_equal(stats_of(h).conns_evicted, 1);
	assert_int_equal(stats_of(h).conns_live, FLOW_CONNS_MAX);
}

static void processes_are_bounded(void **state)
{
	struct harness *h = *state;
	struct tally t = {0};

	DATA(h, .text = "Q /first\n", PROVEN); /* has a connection: stays */
	for (uint32_t i = 1; i <= FLOW_PROCS_MAX + 5; i++) {
		struct ev_counters ev = {
			.hdr = {.tgid = i, .type = EV_COUNTERS, .len = sizeof(ev)},
		};

		assert_int_equal(flow_event(h->flow, &ev.hdr), 0);
	}
	flow_each_proc(h->flow, count, &t);
	assert_int_equal(t.procs, FLOW_PROCS_MAX);
	assert_int_equal(t.last_tgid, FLOW_PROCS_MAX + 5);
	assert_int_equal(stats_of(h).procs_evicted, 6);
	harness_finish(h);
	CHECK(h, "txn 4242-1000-1 nested Q /first - no-response\n");
}

/* Sockets whose end was never told do not pile up, and an evicted one is merely unknown. */
static void sockets_are_bounded(void **state)
{
	struct harness *h = *state;

	for (uint64_t i = 100; i < 100 + FLOW_SOCKS_MAX; i++)
		harness_sock(h, 0x9999, 1, i, 443);
	assert_int_equal(stats_of(h).socks_evicted, 1);
	exchange(h, 0x10, 1);
	harness_finish(h);
	CHECK(h, "txn 4242-10-1 unknown Q /a 1\n");
}

static void records_of_later_versions_are_skipped(void **state)
{
	struct harness *h = *state;

	harness_bare(h, 50);
	harness_bare(h, 1000);
	harness_bare(h, EV_END);
	exchange(h, 0x10, 1);
	CHECK(h, "txn 4242-10-1 nested Q /a 1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGED_TXNS(identity_and_library_reach_the_transaction),
		STAGED_TXNS(exec_ends_what_the_old_image_said),
		STAGED_TXNS(events_of_processes_when_asked_for),
		STAGED_TXNS(later_identity_is_for_later_connections),
		STAGED_TXNS(exit_ends_the_connections_of_that_process_only),
		STAGED_TXNS(processes_are_counted_for_the_summary),
		STAGED_TXNS(the_longest_idle_connection_makes_room),
		STAGED_TXNS(processes_are_bounded),
		STAGED_TXNS(sockets_are_bounded),
		STAGED_TXNS(records_of_later_versions_are_skipped),
	};

	return cmocka_run_group_tests_name("flow_procs", tests, NULL, NULL);
}
