/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a finished call to its records. Positions advance by what the call moved before anything can be
 * dropped; then each part is copied, told as a gap, or counted as lost.
 */
#ifndef TLSLENS_BPF_PAYLOAD_H
#define TLSLENS_BPF_PAYLOAD_H

#include "bpf/segments.h"

/* One call on its way into records. */
struct move {
	struct segments at;  /* from `done` on */
	struct ev_peer peer; /* with EV_DATA_PEER */
	__u64 ctx, call;
	__u64 total, done;
	__u64 off; /* of the call's first byte */
	__u64 ts_ns, start_ns, cgroup_id, sock;
	__u64 id; /* pid_tgid */
	__u32 part;
	__u16 flags; /* enum ev_data_flag of every part */
	__u8 lib, dir;
};

/* One record of a call; 0 when there is none left. In bpf/payload.bpf.c. */
extern int move_step(struct move *m, struct positions *c, struct proc_state *p);

/* All records of a call. What is left when there would be too many is lost, and counted. */
static __always_inline void move_all(struct move *m, struct positions *c, struct proc_state *p)
{
	for (int i = 0; i < CALL_PARTS_MAX; i++)
		if (!move_step(m, c, p))
			return;
	m->flags |= EV_DATA_NOCOPY;
	move_step(m, c, p);
}

#endif
