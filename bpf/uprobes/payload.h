/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A finished call on its way into records: bpf/uprobes/payload.bpf.c.
 */
#ifndef TLSLENS_BPF_PAYLOAD_H
#define TLSLENS_BPF_PAYLOAD_H

#include "bpf/emit.h"

/* One call on its way into records. */
struct move {
	__u64 ctx, call, buf;
	__u64 total, done;
	__u64 off; /* of the call's first byte */
	__u64 ts_ns, start_ns, cgroup_id, sock;
	__u64 id; /* pid_tgid */
	__u32 part;
	__u16 flags; /* enum ev_data_flag of every part */
	__u8 lib, dir;
};

/*
 * One record of a call; 0 when there is none left. A function of its own for the verifier, not inlined: the loop
 * over the parts is then checked without walking the copy for each round. In an object of its own, as two
 * that declare the same function of the kernel cannot be linked ("failed to resolve size of underlying type").
 */
int move_step(struct move *m, struct conn_state *c, struct proc_state *p);

#endif
