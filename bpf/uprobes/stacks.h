/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of a process that switches stacks within calls (coroutines). Then neither the thread nor the order of stack
 * pointers tells what is inside of what, but a call's own stack pointer is its own until it returns, and so is its
 * context: each open call is kept under both. Socket calls cannot be told apart and prove nothing.
 */
#ifndef TLSLENS_BPF_STACKS_H
#define TLSLENS_BPF_STACKS_H

#include "bpf/uprobes/call.h"

enum stacks_key {
	KEY_SP = 1, /* conn_key.ctx is a stack pointer */
	KEY_CTX = 2,
};

/* The open call under that key, or NULL. */
static __always_inline struct call_stack *
stacks_find(struct conn_key *k, const struct proc_state *p, __u64 at, enum stacks_key kind)
{
	struct call_stack *s;

	conn_key_fill(k, p, at);
	k->pad = kind;
	s = bpf_map_lookup_elem(&go_calls, k);
	return s && s->depth ? s : NULL;
}

static APART int stacks_put(struct proc_state *p, const struct frame *f, __u64 at,
			    enum stacks_key kind)
{
	struct call_stack *s;
	struct conn_key k;

	conn_key_fill(&k, p, at);
	k.pad = kind;
	bpf_map_update_elem(&go_calls, &k, &no_calls, BPF_NOEXIST);
	s = bpf_map_lookup_elem(&go_calls, &k);
	if (!s) {
		ADD(p->n.lost_events, 1); /* a call, not bytes: what it will move is not known */
		return -1;
	}
	s->frame[0] = *f;
	s->depth = 1;
	return 0;
}

static __always_inline int stacks_enter(struct proc_state *p, const struct frame *f)
{
	struct call_stack *s;
	struct conn_key k;

	if (f->ctx) {
		s = stacks_find(&k, p, f->ctx, KEY_CTX);
		if (s && s->frame[0].sp != f->sp && hides(&s->frame[0], f) &&
		    frame_returns(s, &s->frame[0]))
			return NO_RETURN;
		stacks_put(p, f, f->ctx, KEY_CTX);
	}
	return stacks_put(p, f, f->sp, KEY_SP) ? NO_RETURN : WANT_RETURN;
}

static __always_inline bool stacks_leave(struct proc_state *p, __u64 sp, __u64 cookie,
					 struct frame *f)
{
	struct conn_key k;
	struct call_stack *s = stacks_find(&k, p, sp, KEY_SP);

	if (!s || COOKIE_FUNCTION(s->frame[0].cookie) != COOKIE_FUNCTION(cookie))
		return false;
	*f = s->frame[0];
	bpf_map_delete_elem(&go_calls, &k);
	if (!f->ctx)
		return true;
	s = stacks_find(&k, p, f->ctx, KEY_CTX);
	if (s && s->frame[0].sp == sp)
		bpf_map_delete_elem(&go_calls, &k);
	return true;
}

#endif
