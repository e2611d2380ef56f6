/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sendmmsg and recvmmsg move one message of a vector after the other, and every one of them is seen as a call on
 * the socket: which message it is has to be counted.
 */
#ifndef TLSLENS_BPF_USER_VECTOR_H
#define TLSLENS_BPF_USER_VECTOR_H

#include "bpf/kprobes/sock_called.h"

#define MMSGHDR_BYTES 64

/* struct msghdr of user space, 64-bit. */
struct user_msghdr {
	__u64 name, name_len, iov, iov_count, control, control_len, flags;
};

/*
 * Which message of its vector a call has come to: every message passes here, so they are counted for each
 * thread. The count begins anew with another call, behind the last message and behind one that failed. A call
 * that was in progress when the tracing began, and one that a timeout may end, cannot be counted.
 *
 * What stays: a security module that refuses one message of a vector without this being seen, and a program
 * that passes the same vector again. The lengths of the messages must agree then, too.
 */
static APART __u32 vector_step(const struct proc_state *p, const struct user_call *u, bool failed)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct vector_call *v = bpf_map_lookup_elem(&vectors, &id);
	struct vector_call fresh = {.sp = u->sp,
				    .vector = u->arg[2],
				    .fd = u->arg[1],
				    .syscall = u->nr,
				    .length = u->arg[3]};
	struct user_msghdr next;
	__u32 i;

	if (fresh.length == 1)
		return 0;
	if (u->nr == SYS_RECVMMSG && u->arg[5])
		return VECTOR_UNKNOWN;
	if (!v || v->sp != fresh.sp || v->vector != fresh.vector || v->fd != fresh.fd ||
	    v->syscall != fresh.syscall || v->length != fresh.length) {
		fresh.next = v || p->flags & PROC_BORN ? 0 : VECTOR_UNKNOWN;
		if (bpf_map_update_elem(&vectors, &id, &fresh, BPF_ANY))
			return VECTOR_UNKNOWN;
		v = bpf_map_lookup_elem(&vectors, &id);
		if (!v)
			return VECTOR_UNKNOWN;
	}
	i = v->next;
	if (failed)
		v->next = 0;
	else if (i != VECTOR_UNKNOWN)
		v->next = i + 1 < v->length ? i + 1 : 0;
	/* The kernel ends the call when it cannot read the next message. */
	if (i != VECTOR_UNKNOWN && v->next &&
	    bpf_probe_read_user(&next, sizeof(next),
				(const void *)(v->vector + (__u64)v->next * MMSGHDR_BYTES)))
		v->next = 0;
	return i;
}

/* The thread does something else: whatever call on a vector it made is over, and its next one begins anew. */
static __always_inline void vector_over(void)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct vector_call *v = bpf_map_lookup_elem(&vectors, &id);
	struct vector_call none = {};

	if (v)
		v->next = 0;
	else
		bpf_map_update_elem(&vectors, &id, &none, BPF_ANY);
}

/* 0: what was moved fits the message. After a part of it alone the kernel ends the call. */
static APART int vector_check(const struct sock_call *x, const struct user_msghdr *h)
{
	__u64 id = bpf_get_current_pid_tgid(), sum = 0;
	struct vector_call *v = bpf_map_lookup_elem(&vectors, &id);
	struct user_iovec iov;

	if (h->iov_count > VECTOR_SEGMENTS_MAX)
		return -1;
	for (__u32 k = 0; k < VECTOR_SEGMENTS_MAX && k < h->iov_count; k++) {
		if (bpf_probe_read_user(&iov, sizeof(iov),
					(const void *)(h->iov + k * sizeof(iov))))
			return -1;
		sum += iov.len;
	}
	if (x->n > sum)
		return -1;
	if (x->dir == 0 && x->n < sum && v)
		v->next = 0;
	return 0;
}

#endif
