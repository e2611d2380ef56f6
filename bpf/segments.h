/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes of a process that lie in one piece or in many (struct iovec), and the scratch buffers that they are
 * gathered in on their way into a record.
 */
#ifndef TLSLENS_BPF_SEGMENTS_H
#define TLSLENS_BPF_SEGMENTS_H

#include "bpf/scratch.h"

/*
 * The verifier must see a length bounded where it is used, as 64-bit register; clang 14 otherwise clamps one
 * copy of the variable and passes another ("R2 unbounded memory access").
 */
#define CLAMP(v, max) asm volatile("if %0 <= %1 goto +1\n\t%0 = %1" : "+r"(v) : "i"(max))

struct user_iovec {
	__u64 base, len;
};

static __always_inline bool segments_next(struct segments *at)
{
	const void *from = (const void *)at->iov;
	struct user_iovec v;
	long err;

	if (!at->left) {
		at->end = SEGMENTS_OVER;
		return false;
	}
	err = at->in_kernel ? bpf_probe_read_kernel(&v, sizeof(v), from)
			    : bpf_probe_read_user(&v, sizeof(v), from);
	if (err) {
		at->end = SEGMENTS_UNREADABLE;
		return false;
	}
	at->iov += sizeof(v);
	at->left--;
	at->base = v.base;
	at->len = v.len;
	return true;
}

/* Within the current one. */
static __always_inline void segments_skip(struct segments *at, __u64 n)
{
	at->base += n;
	at->len -= n;
}

/*
 * Up to `want` bytes into the scratch buffer behind `head`, page by page, so that what comes before an
 * unreadable page is there. Returns how many; fewer when they end (at->end), or are in more pieces than
 * GATHER_STEPS. In bpf/payload.bpf.c.
 */
extern int gather(struct scratch *s, struct segments *at, __u32 head, __u32 want);

/* The same bytes without copying them. */
static __always_inline void segments_pass(struct segments *at, __u64 n)
{
	for (int k = 0; k < GATHER_STEPS && n; k++) {
		__u64 here = at->len < n ? at->len : n;

		segments_skip(at, here);
		n -= here;
		if (n && !segments_next(at))
			break;
	}
	if (n) /* nobody knows where it goes on */
		at->len = at->left = 0;
}

#endif
