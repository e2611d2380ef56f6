/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a return probe may be placed in a process. It replaces the return address of a running call by that of
 * a trampoline, which ends in a system call or a trap; two kinds of programs do not survive that:
 *
 *   Those that switch stacks within a call. The kernel takes calls for nested that are not, forgets the ones that
 *   are above in memory (kernel/events/uprobes.c: cleanup_return_instances()), and the trampoline of such a call
 *   ends the process.
 *   Those whose seccomp filter does not know uretprobe(2), on kernels that have this call (6.11) and let filters
 *   see it (before 6.14, and before 6.12.11 and 6.13.1 of the stable series). A program may put up its filter
 *   at any time, so there it is no question of whether one is up.
 *
 * In both, breakpoints at the functions' own returns do instead, and functions without them are left alone.
 */
#ifndef TLSLENS_CAPTURE_RETURNS_H
#define TLSLENS_CAPTURE_RETURNS_H

#include <stdbool.h>
#include <stdint.h>

struct elf_file;

struct returns_facts {
	bool switches_stacks; /* returns_switch() of one of its files, or the user says so */
	uint32_t kernel;      /* KERNEL_VERSION() of linux/version.h */
};

/* Why there must be no return probe; NULL when there may. Static. */
const char *returns_refused(const struct returns_facts *f);

/* Does a program or library use, or offer, what switches stacks within a thread? */
bool returns_switch(struct elf_file *e);
/* The running one, as KERNEL_VERSION() has it. */
uint32_t returns_kernel(void);

#endif
