/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Contexts that are written to as a whole and read from through a part of them, of which the reading function is
 * given a pointer (rustls: CommonState, and the buffer of what was received in it). How far the part lies behind
 * the beginning is the compiler's business and the same in the whole program: it is learnt from a function that gets
 * the whole context on the same thread before it is read from. Other contexts are further away.
 */
#ifndef TLSLENS_BPF_WHOLE_H
#define TLSLENS_BPF_WHOLE_H

#include "bpf/uprobes/call.h"

#define PART_AT_MAX 4096

static __always_inline struct call_stack *calls_of_thread(void)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call_stack *s = bpf_map_lookup_elem(&calls, &id);

	if (s)
		return s;
	bpf_map_update_elem(&calls, &id, &no_calls, BPF_NOEXIST);
	return bpf_map_lookup_elem(&calls, &id);
}

static APART void whole_seen(__u64 ctx)
{
	struct call_stack *s = calls_of_thread();

	if (s)
		s->whole = ctx;
}

/* The context whose part stands at an address; 0: it cannot be told yet. */
static APART __u64 whole_of(struct proc_state *p, __u64 at)
{
	struct call_stack *s = calls_of_thread();
	__u64 part, behind;

	if (bpf_probe_read_user(&part, sizeof(part), (const void *)at))
		return 0;
	behind = s && s->whole ? part - s->whole : 0;
	if (behind && behind < PART_AT_MAX && (!p->part_at || behind < p->part_at))
		p->part_at = behind;
	return p->part_at ? part - p->part_at : 0;
}

#endif
