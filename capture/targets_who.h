/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who the traced processes are: what /proc says now, what the kernel said at their execve, what is known of
 * those around them. A process may be gone, or be another program, by the time somebody looks.
 */
#ifndef TLSLENS_CAPTURE_TARGETS_WHO_H
#define TLSLENS_CAPTURE_TARGETS_WHO_H

#include "capture/targets.h"

/*
 * Who a process is by /proc. What is known already (`known`, or NULL) stands where /proc has nothing to say any
 * more. A new reference, or NULL without memory.
 */
struct identity *targets_identify(const struct targets *ts, struct proc_key key,
				  const struct identity *known);
/* The same of a child; `parent` may be NULL. */
struct identity *targets_identify_forked(const struct targets *ts, struct proc_key key,
					 const struct target *parent);
/* The same after an execve; `e` may be the first member of a struct ev_exec, which its length tells. */
struct identity *targets_identify_exec(const struct targets *ts, const struct target *t,
				       const struct ev_proc *e);

#endif
