/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Births, new images and ends of processes, on request, as transactions without a connection: so that the
 * others stand in their story, and pass through the same filters and writers.
 */
#include "flow/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "core/attr_names.h"

static void put_exit(struct txn *t, int status)
{
	char *text = arena_alloc(&t->arena, 16);
	const char *signal = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;

	if (!text)
		return;
	if (!WIFSIGNALED(status)) {
		txn_int(t, A_PROCESS_EXIT_CODE, WEXITSTATUS(status));
		snprintf(text, 16, "%d", WEXITSTATUS(status));
		t->outcome = WEXITSTATUS(status) ? OUTCOME_SERVER_ERROR : OUTCOME_OK;
	} else {
		if (signal)
			snprintf(text, 16, "SIG%s", signal);
		else
			snprintf(text, 16, "signal %d", WTERMSIG(status));
		txn_str(t, A_PROCESS_EXIT_SIGNAL, str_from(text));
		t->outcome = OUTCOME_ABORTED;
	}
	t->status = str_from(text);
}

static void emit(struct flow *f, const struct ev_proc *ev, const struct identity *proc,
		 const char *name, const char *verb)
{
	struct conn conn = {.proc = proc};
	struct txn *t = txn_new(&conn);

	if (!t) {
		flow_fail(f, -ENOMEM);
		return;
	}
	t->flags = TXN_EVENT;
	t->event_name = name;
	t->verb = str_from(verb);
	t->start_ns = t->end_ns = ev->hdr.ts_ns;
	t->clock_offset_ns = f->clock_offset_ns;
	if (ev->hdr.type == EV_EXIT)
		put_exit(t, ev->exit_code);
	if (!f->err)
		f->err = f->out->ops->txn(f->out, t);
	txn_free(t);
}

void flow_event_proc(struct flow *f, const struct ev_proc *ev)
{
	struct ev_hdr whose = ev->hdr;
	struct flow_proc *p;

	if (!f->cfg.process_events)
		return;
	if (ev->hdr.type == EV_FORK) {
		whose.tgid = ev->child_tgid;
		whose.start_ns = ev->child_start_ns;
	}
	p = flow_proc_get(f, &whose);
	if (!p)
		return;
	if (ev->hdr.type == EV_FORK)
		emit(f, ev, p->identity, "process.fork", "fork");
	else if (ev->hdr.type == EV_EXEC)
		emit(f, ev, p->identity, "process.exec", "exec");
	else
		emit(f, ev, p->identity, "process.exit", "exit");
}
