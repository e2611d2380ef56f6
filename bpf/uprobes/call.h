/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A call between its entry and its return: which of the open calls stands for it, how many bytes it moved. How
 * arguments are passed and whose stack of calls it is, is the programs' business.
 */
#ifndef TLSLENS_BPF_CALL_H
#define TLSLENS_BPF_CALL_H

#include "bpf/cookie.h"
#include "bpf/frame.h"
#include "bpf/emit.h"

#define MSG_PEEK 2 /* of recv(2), and of NSPR */

enum entry_result {
	WANT_RETURN = 0,
	NO_RETURN = 1, /* a session then does not run at the return, which costs nothing */
};

/*
 * Arguments by number, 0 for none. Read all of them first: from a switch over the registers clang makes one
 * load at a computed offset, which the verifier refuses ("dereference of modified ctx ptr").
 */
struct args {
	__u64 v[8];
};

static const struct call_stack no_calls;

static __always_inline bool is_handshake(const struct frame *f)
{
	__u32 kind = COOKIE_KIND(f->cookie);

	return kind == FN_HANDSHAKE || kind == FN_BEGIN;
}

/*
 * Whether an open call around the new one stands for it: a function of the library calling another
 * one on the same context or buffer. Handshakes move no plaintext, so they hide none.
 */
static __always_inline bool hides(const struct frame *outer, const struct frame *f)
{
	if (is_handshake(outer) && !is_handshake(f))
		return false;
	return (f->ctx && f->ctx == outer->ctx) || (f->buf && f->buf == outer->buf);
}

/*
 * How many of the frames are calls around the new one, or -1 when one of them hides it. Stacks grow down:
 * a frame that is not above the new call was left by longjmp, or handed its place on by a tail call, whose
 * target returns in its stead and counts for both.
 */
static __always_inline int depth_around(const struct call_stack *s, const struct frame *f)
{
	__u32 depth = s->depth;

	for (__u32 k = 0; k < CALL_DEPTH && k < depth; k++) {
		const struct frame *outer = &s->frame[k];

		if (outer->sp <= f->sp)
			return k;
		if (!hides(outer, f))
			continue;
		return frame_returns(s, outer) ? -1 : (int)k;
	}
	return depth;
}

/* How many bytes the call moved; 0 when it failed. */
static __always_inline __u64 moved(struct proc_state *p, const struct frame *f, __u64 ret)
{
	__u64 n = 0, pair[2];

	switch (COOKIE_SHAPE(f->cookie)) {
	case LEN_RET_UNLESS_PEEK:
		if (f->out & MSG_PEEK)
			return 0;
		n = (__s32)ret > 0 ? (__u32)ret : 0;
		return n;
	case LEN_RET:
		n = (__s32)ret > 0 ? (__u32)ret : 0;
		return n;
	case LEN_PAIR_IF_0:
		if (bpf_probe_read_user(pair, sizeof(pair), (const void *)f->out)) {
			ADD(p->n.lost_events, 1);
			return 0;
		}
		return pair[0] == 0 && pair[1] <= f->len ? pair[1] : 0;
	case LEN_RET_PAIR_IF_0:
	case LEN_RET_LONG:
	case LEN_RET_OF_DATA:
		return (__s64)ret > 0 ? ret : 0;
	case LEN_ARG_IF_0:
		return (__s32)ret == 0 ? f->len : 0;
	case LEN_OUT_IF_1:
		if ((__s32)ret != 1)
			return 0;
		break;
	case LEN_OUT_IF_0:
		if ((__s32)ret != 0)
			return 0;
		break;
	case LEN_OUT_IF_NOT_0:
		if ((__s32)ret == 0)
			return 0;
		break;
	default:
		return 0;
	}
	if (bpf_probe_read_user(&n, sizeof(n), (const void *)f->out)) {
		ADD(p->n.lost_events, 1);
		return 0;
	}
	/* A size_t, like the length it must not exceed: anything else is no count. */
	return f->len && n > f->len ? f->len : n;
}

/*
 * Takes the frame of the returning call off the stack. Frames below it in memory were left by longjmp; a
 * return that has no frame was hidden or belongs to a tail call already accounted for.
 */
static __always_inline bool frame_pop(struct call_stack *s, __u64 sp, __u64 cookie, struct frame *f)
{
	__u32 depth = s->depth;

	for (int k = 0; k < CALL_DEPTH; k++) {
		if (depth == 0 || depth > CALL_DEPTH || s->frame[(depth - 1) & 3].sp > sp)
			return false;
		depth--;
		if (s->frame[depth & 3].sp != sp)
			continue;
		if (COOKIE_FUNCTION(s->frame[depth & 3].cookie) != COOKIE_FUNCTION(cookie))
			return false;
		*f = s->frame[depth & 3];
		s->depth = depth;
		return true;
	}
	return false;
}

#endif
