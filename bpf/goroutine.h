/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Goroutines. Go runs them on whatever thread is free and moves their stacks when they grow. What stays is
 * the address of a goroutine's record (runtime.g), held by a register in all code of the register ABI, and the
 * distance of everything on its stack from the stack's upper end. The record begins with the bounds of the
 * stack: the one part of it with a fixed place, which cgo's C code relies on.
 */
#ifndef TLSLENS_BPF_GOROUTINE_H
#define TLSLENS_BPF_GOROUTINE_H

#include "bpf/kernel_types.h"

struct goroutine {
	__u64 addr;
	__u64 lo, hi; /* its stack */
};

/*
 * The goroutine that the register names, when the thread is on its stack: no other thread can be, and a register
 * that holds something else, or a signal's or a system stack, is found out.
 */
static __always_inline bool goroutine_read(struct goroutine *g, __u64 addr, __u64 sp)
{
	g->addr = addr;
	return bpf_probe_read_user(&g->lo, 2 * sizeof(g->lo), (const void *)addr) == 0 &&
	       sp > g->lo && sp < g->hi;
}

#endif
