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
	fresh.flags = (p->flags & (PROC_FOLLOW | PROC_PLAIN)) | PROC_BORN;
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

static __always_inline __u32 inner_pid_of(struct task_struct *t)
{
	struct pid *pid = BPF_CORE_READ(t, thread_pid);
	__u64 numbers = (__u64)pid + bpf_core_field_offset(struct pid, numbers);
	__u32 level = BPF_CORE_READ(pid, level), nr = 0;

	bpf_probe_read_kernel(&nr, sizeof(nr),
			      (void *)(numbers + level * bpf_core_type_size(struct upid) +
				       bpf_core_field_offset(struct upid, nr)));
	return nr;
}

/* The record of this execve, whose length is in its header; NULL never comes, but the verifier does not know. */
static APART struct ev_exec *exec_fill(struct linux_binprm *binprm, __u64 start_ns)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	__u64 from = BPF_CORE_READ(t, mm, arg_start), n = BPF_CORE_READ(t, mm, arg_end) - from;
	__u32 zero = 0;
	struct ev_exec *r = bpf_map_lookup_elem(&exec_record, &zero);

	if (!r)
		return NULL;
	if (n > EV_ARGS_BYTES)
		n = EV_ARGS_BYTES;
	if (bpf_probe_read_user(r->args, n, (void *)from))
		n = 0;
	hdr_fill(&r->proc.hdr, EV_EXEC, sizeof(*r) + n, start_ns);
	bpf_get_current_comm(r->proc.comm, sizeof(r->proc.comm));
	r->parent_tgid = BPF_CORE_READ(t, real_parent, tgid);
	r->uid = BPF_CORE_READ(t, cred, euid.val);
	r->inner_pid = inner_pid_of(t);
	r->args_len = n;
	if (bpf_probe_read_kernel_str(r->exe, sizeof(r->exe), BPF_CORE_READ(binprm, interp)) < 0)
		r->exe[0] = '\0';
	return r;
}

static __always_inline long exec_put(struct ev_exec *r)
{
	__u64 n = r->proc.hdr.len;

	if (n > sizeof(struct exec_record)) /* it never is; the verifier wants to see it */
		n = sizeof(struct exec_record);
	return bpf_ringbuf_output(&ring, r, n, BPF_RB_FORCE_WAKEUP);
}

static __always_inline bool in_watched_cgroup(void)
{
	for (int level = 1; level < CGROUP_DEPTH_MAX; level++) {
		__u64 id = bpf_get_current_ancestor_cgroup_id(level);

		if (!id)
			break;
		if (bpf_map_lookup_elem(&watched_cgroups, &id))
			return true;
	}
	return false;
}

/*
 * Of a process that is not traced. Where the rules allow it, it is put into the table here, so that nothing of
 * it is missed; whom they do not concern costs no record. All others are for user space to look at. Losses are
 * found later.
 */
static __always_inline void exec_watch(struct linux_binprm *binprm)
{
	struct task_struct *t = (struct task_struct *)bpf_get_current_task();
	__u32 tgid = bpf_get_current_pid_tgid() >> 32, uid = BPF_CORE_READ(t, cred, euid.val);
	struct proc_state fresh = {.flags = PROC_FOLLOW};
	struct ev_exec *r;

	if (!watch_execs || paused)
		return;
	if (watch_bits & WATCH_BIT_UID && !bpf_map_lookup_elem(&watched_uids, &uid))
		return;
	fresh.start_ns = start_of(BPF_CORE_READ(t, group_leader, start_boottime));
	r = exec_fill(binprm, fresh.start_ns);
	if (!r)
		return;
	fresh.epoch = r->proc.hdr.ts_ns;
	if (!(watch_bits & WATCH_BIT_OTHER) &&
	    (!(watch_bits & WATCH_BIT_CGROUP) || in_watched_cgroup()) &&
	    bpf_map_update_elem(&procs, &tgid, &fresh, BPF_ANY) == 0)
		r->proc.hdr.flags = EV_EXEC_TAKEN;
	exec_put(r);
}

SEC("raw_tp/sched_process_exec")
int proc_exec(struct bpf_raw_tracepoint_args *ctx)
{
	struct linux_binprm *binprm = (struct linux_binprm *)ctx->args[2];
	__u64 id = bpf_get_current_pid_tgid(), old;
	struct proc_state *p = proc_traced(id >> 32);
	struct ev_exec *r;

	if (!p) {
		exec_watch(binprm);
		return 0;
	}
	/* Calls that the old image had open, also under the thread id that called execve. */
	bpf_map_delete_elem(&calls, &id);
	old = (id >> 32 << 32) | (__u32)ctx->args[1];
	bpf_map_delete_elem(&calls, &old);
	p->epoch = bpf_ktime_get_ns();
	p->flags |= PROC_BORN;
	r = exec_fill(binprm, p->start_ns);
	if (r) {
		r->proc.hdr.ts_ns = p->epoch;
		if (exec_put(r))
			ADD(p->n.lost_events, 1);
	}
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
