/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Timers on record time: a list a kind, soonest first. All timers of a kind run equally long, so a new one
 * nearly always belongs at the end, where the search begins.
 */
#include "flow/internal.h"

void flow_timer_arm(struct flow *f, enum timer_kind k, struct flow_timer *t, uint64_t due_ns)
{
	struct flow_timer **head = &f->timers[k], *before;

	if (t->armed)
		DL_DELETE(*head, t);
	t->due_ns = due_ns;
	t->armed = true;
	if (!*head || due_ns < (*head)->due_ns) {
		DL_PREPEND(*head, t);
		return;
	}
	before = (*head)->prev; /* the tail */
	while (before->due_ns > due_ns)
		before = before->prev;
	DL_APPEND_ELEM(*head, before, t);
}

void flow_timer_cancel(struct flow *f, enum timer_kind k, struct flow_timer *t)
{
	if (!t->armed)
		return;
	DL_DELETE(f->timers[k], t);
	t->armed = false;
}

struct flow_timer *flow_timer_due(struct flow *f, enum timer_kind k)
{
	struct flow_timer *t = f->timers[k];

	if (!t || t->due_ns > f->now_ns)
		return NULL;
	flow_timer_cancel(f, k, t);
	return t;
}
