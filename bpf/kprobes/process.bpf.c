/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The life of traced processes. The tables change here, synchronously, so that a child is traced from its
 * first instruction and no address of an old image is taken for one of the new.
 */
#include "bpf/emit.h"

char LICENSE[] SEC("license") = "GPL";

#define SIGNAL_GROUP_EXIT 0x4 /* include/linux/sched/signal.h: group_exit_code is the status */

static __always_inline void proc_put(struct proc_state *p, __u16 type, struct ev_proc *e)
{
	hdr_fill(&e->hdr, type, sizeof(*e), p->start_ns);
	urgent_put(p, e, sizeof(*e));
}

SEC("raw_tp/sched_process_fork")
int proc_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct proc_state *p = proc_traced(bpf_get_current_pid_tgid() >> 32);
	struct task_struct *child = (struct task_struct *)ctx->args[1];
	struct proc_state fresh = {};
	struct ev_proc e = {};
	__u32 tgid;

	if (!p || !(p->flags & PROC_FOLLOW))
		return 0;
	tgid = BPF_CORE_READ(child, tgid);
	if (tgid != (__u32)BPF_CORE_READ(child, pid))
		return 0; /* a thread */
	fresh.start_ns = start_of(BPF_CORE_READ(child, start_boottime));
	fresh.epoch = bpf_ktime_get_ns();
	fresh.flags = PROC_FOLLOW;
	if (bpf_map_update_elem(&procs, &tgid, &fresh, BPF_ANY)) {
		ADD(p->n.lost_events, 1);
		return 0;
	}
	e.child_tgid = tgid;
	e.child_start_ns = fresh.start_ns;
	BPF_CORE_READ_STR_INTO(&e.comm, child, comm);
	proc_put(p, EV_FORK, &e);
	return 0;
}

/* Of a process that is not traced; user space decides whether it is from now on. Losses are found later. */
static __always_inline void exec_tell(void)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	struct ev_proc e = {};

	if (!watch_execs || paused)
		return;
	bpf_get_current_comm(e.comm, sizeof(e.comm));
	hdr_fill(&e.hdr, EV_EXEC, sizeof(e),
		 start_of(BPF_CORE_READ(t, group_leader, start_boottime)));
	bpf_ringbuf_output(&ring, &e, sizeof(e), BPF_RB_FORCE_WAKEUP);
}

SEC("raw_tp/sched_process_exec")
int proc_exec(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 id = bpf_get_current_pid_tgid(), old;
	struct proc_state *p = proc_traced(id >> 32);
	struct ev_proc e = {};

	if (!p) {
		exec_tell();
		return 0;
	}
	/* Calls that the old image had open, also under the thread id that called execve. */
	bpf_map_delete_elem(&calls, &id);
	old = (id >> 32 << 32) | (__u32)ctx->args[1];
	bpf_map_delete_elem(&calls, &old);
	bpf_get_current_comm(e.comm, sizeof(e.comm));
	hdr_fill(&e.hdr, EV_EXEC, sizeof(e), p->start_ns);
	p->epoch = e.hdr.ts_ns;
	urgent_put(p, &e, sizeof(e));
	return 0;
}

SEC("raw_tp/sched_process_exit")
int proc_exit(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct proc_state *p = proc_traced(id >> 32);
	struct task_struct *t = (struct task_struct *)ctx->args[0];
	struct ev_proc e = {};

	if (!p)
		return 0;
	bpf_map_delete_elem(&calls, &id);
	if (BPF_CORE_READ(t, signal, live.counter) > 0)
		return 0; /* other threads go on */
	if (BPF_CORE_READ(t, signal, flags) & SIGNAL_GROUP_EXIT)
		e.exit_code = BPF_CORE_READ(t, signal, group_exit_code);
	else
		e.exit_code = BPF_CORE_READ(t, group_leader, exit_code);
	bpf_get_current_comm(e.comm, sizeof(e.comm));
	proc_put(p, EV_EXIT, &e);
	p->flags |= PROC_EXITED;
	return 0;
}
