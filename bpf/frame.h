/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of the recorded calls of a thread, or of a goroutine, are still open. A call may be left without a return
 * (longjmp, a panic), and then nothing says so: the stack has to.
 */
#ifndef TLSLENS_BPF_FRAME_H
#define TLSLENS_BPF_FRAME_H

#include "bpf/maps.h"

/*
 * Whether the return of this call will be seen: its return address still stands where it stood at its entry.
 * With a return probe that is the kernel's uretprobe trampoline (the first slot of the process's xol area),
 * with probes inside the function the caller's. Where that cannot be told the answer is yes.
 */
static __always_inline bool frame_returns(const struct call_stack *s, const struct frame *f)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	struct xol_area *area;
	const void *ret = (const void *)(s->base + f->sp);
	__u64 at = 0;

	if (f->ret)
		return bpf_probe_read_user(&at, sizeof(at), ret) == 0 && at == f->ret;
	if (!RETURN_ADDRESS_ON_STACK || !bpf_core_field_exists(struct mm_struct, uprobes_state) ||
	    !bpf_core_field_exists(struct xol_area, vaddr))
		return true;
	area = BPF_CORE_READ(t, mm, uprobes_state.xol_area);
	if (!area || bpf_probe_read_user(&at, sizeof(at), ret))
		return false;
	return at == BPF_CORE_READ(area, vaddr);
}

/* The innermost call open at a user stack pointer below it, counted from the base; or NULL. */
static __always_inline struct frame *frame_innermost(struct call_stack *s, __u64 sp)
{
	__u32 depth = s->depth;

	for (int k = 0; k < CALL_DEPTH; k++) {
		struct frame *f;

		if (depth == 0 || depth > CALL_DEPTH)
			return NULL;
		f = &s->frame[(depth - 1) & (CALL_DEPTH - 1)];
		if (f->sp > sp && frame_returns(s, f))
			return f;
		depth--;
	}
	return NULL;
}

#endif
