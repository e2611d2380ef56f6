/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a socket that moved bytes to where these lie in user memory: by the registers of the system call that
 * the thread is in. What cannot be found in an exact way is told as bytes that nobody copies.
 */
#ifndef TLSLENS_BPF_USER_CALL_H
#define TLSLENS_BPF_USER_CALL_H

#include "bpf/kprobes/user_vector.h"

static __always_inline void user_call_read(struct user_call *u, const struct pt_regs *r)
{
	u->nr = REGS_SYSCALL(r);
	u->arg[0] = 0;
	u->arg[1] = REGS_ARG1(r);
	u->arg[2] = REGS_ARG2(r);
	u->arg[3] = REGS_ARG3(r);
	u->arg[4] = 0; /* in another register than a function's, and of no use */
	u->arg[5] = REGS_ARG5(r);
	u->arg[6] = REGS_ARG6(r);
	u->sp = REGS_SP(r);
	u->g = REGS_GO_G(r);
	u->in_progress = REGS_IN_SYSCALL(r);
}

static __always_inline bool is_vector_call(__u64 nr)
{
	return nr == SYS_SENDMMSG || nr == SYS_RECVMMSG;
}

static __always_inline bool is_send(__u64 nr)
{
	return nr == SYS_WRITE || nr == SYS_WRITEV || nr == SYS_PWRITEV2 || nr == SYS_SENDTO ||
	       nr == SYS_SENDMSG || nr == SYS_SENDMMSG;
}

static __always_inline bool is_receive(__u64 nr)
{
	return nr == SYS_READ || nr == SYS_READV || nr == SYS_PREADV2 || nr == SYS_RECVFROM ||
	       nr == SYS_RECVMSG || nr == SYS_RECVMMSG;
}

/* Takes the first segment that is not empty. */
static __always_inline void at_iov(struct segments *at, __u64 iov, __u64 count)
{
	at->iov = iov;
	at->left = count;
	for (int k = 0; k < 4 && !at->len; k++)
		if (!segments_next(at))
			return;
}

static __always_inline long at_message(struct sock_call *x, __u64 from, struct user_msghdr *h)
{
	if (bpf_probe_read_user(h, sizeof(*h), (const void *)from))
		return -1;
	at_iov(&x->at, h->iov, h->iov_count);
	return 0;
}

static __always_inline void at_vector(struct proc_state *p, struct sock_call *x,
				      const struct user_call *u, bool failed)
{
	__u32 i = vector_step(p, u, failed);
	struct user_msghdr h;

	x->message = i;
	if (i == VECTOR_UNKNOWN || at_message(x, u->arg[2] + (__u64)i * MMSGHDR_BYTES, &h) ||
	    (x->n && (__u32)u->arg[3] > 1 && vector_check(x, &h)))
		x->nocopy = 1;
}

/* Where the bytes of a call are, by its arguments. */
static __always_inline void place(struct sock_call *x, const struct user_call *u)
{
	__u64 at = u->arg[2];
	struct user_msghdr h;

	switch (u->nr) {
	case SYS_READ:
	case SYS_WRITE:
	case SYS_SENDTO:
	case SYS_RECVFROM:
		x->at.base = at;
		x->at.len = u->arg[3];
		break;
	case SYS_READV:
	case SYS_WRITEV:
	case SYS_PREADV2:
	case SYS_PWRITEV2:
		at_iov(&x->at, at, u->arg[3]);
		break;
	case SYS_SENDMSG:
	case SYS_RECVMSG:
		x->nocopy = at_message(x, at, &h) != 0;
		break;
	default:
		x->nocopy = 1;
		break;
	}
}

/*
 * Where the bytes of this call are. Only a system call that is in progress, on this very socket and in this
 * direction, is the one: others get here by io_uring, splice, or the kernel's own use of sockets.
 */
static APART void locate(struct proc_state *p, struct sock_call *x, const struct user_call *u,
			 bool failed)
{
	x->nocopy = !u->in_progress || is_send(u->nr) != (x->dir == 0) ||
		    sock_of_fd(u->arg[1]) != x->sk;
	if (x->nocopy)
		return;
	if (is_vector_call(u->nr))
		at_vector(p, x, u, failed);
	else
		place(x, u);
}

#endif
