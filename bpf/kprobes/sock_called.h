/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A call that moved bytes on a socket of a traced process, however it was seen: what it proves for the TLS call
 * around it, and what of its bytes goes out.
 */
#ifndef TLSLENS_BPF_SOCK_CALLED_H
#define TLSLENS_BPF_SOCK_CALLED_H

#include "bpf/goroutine.h"
#include "bpf/kprobes/sock_bytes.h"
#include "bpf/kprobes/sock_wanted.h"
#include "bpf/proof.h"

/* Nearly all calls confirm what is known, so the tables are asked before the socket is looked into. */
static APART void sock_called(struct proc_state *p, struct call_stack *s, struct sock_work *w)
{
	struct sock_call *x = &w->call;
	struct frame *f = s ? frame_innermost(s, x->sp - s->base) : NULL;
	bool in_call = f && f->ctx, below_tls = in_call && f->flags & FRAME_BELIEVED;
	struct sock_state *k;

	k = sock_get(p, x->sk, x->dir, x->n);
	if (!k || k->kind == SOCK_NOBODY)
		return;
	sock_want(k, x->sk);
	if (x->n && !k->begun[x->dir & 1])
		sock_begin(k, x->sk, x->dir, x->n);
	if (x->n && k->kind != SOCK_UDP)
		stream_kind(p, k, x, below_tls);
	if (in_call && k->kind != SOCK_UDP) {
		evidence(f, k, x->sk);
		sock_tell(p, k, x);
	}
	if (!x->n)
		return;
	if (in_call && !below_tls && k->kind != SOCK_UDP && !x->nocopy)
		record_seen(f, x->at.base, x->at.len, x->n, x->dir == 0);
	if (x->dir == 0 && k->kind != SOCK_UDP && is_watched(p))
		sent(p, k, x);
	if (k->kind != SOCK_UDP)
		stream_moved(p, k, w, below_tls);
	else if (!below_tls && p->flags & PROC_PLAIN)
		plain(p, k, w, false);
}

/* The calls of the goroutine that made a system call: Go's own code for that keeps its register. */
static APART struct call_stack *goroutine_calls_open(struct proc_state *p, __u64 addr, __u64 sp)
{
	struct call_stack *s;
	struct goroutine g;
	struct conn_key k;

	conn_key_fill(&k, p, addr);
	s = bpf_map_lookup_elem(&go_calls, &k);
	if (!s || !s->depth || !goroutine_read(&g, addr, sp))
		return NULL;
	s->base = g.hi;
	return s;
}

/* The TLS calls that this thread, or the goroutine that `g` names, has open, if any. */
static __always_inline struct call_stack *calls_open(struct proc_state *p, __u64 g, __u64 sp)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call_stack *s = bpf_map_lookup_elem(&calls, &id);

	if (s && s->depth)
		return s;
	return go_seen ? goroutine_calls_open(p, g, sp) : NULL;
}

#endif
