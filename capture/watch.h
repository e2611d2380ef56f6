/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules for processes that are traced whenever they come: of a container, a pod, a control group, a user, by
 * name or executable.
 * What matches is put into the kernel's process table, and only what is there is copied from.
 */
#ifndef TLSLENS_CAPTURE_WATCH_H
#define TLSLENS_CAPTURE_WATCH_H

#include "identity/identity.h"

#define WATCH_RULES_MAX 64
#define WATCH_ID_MIN_CHARS 4 /* of a container's id, for a prefix to be one */

enum watch_kind {
	WATCH_CONTAINER, /* name, or id or its beginning */
	WATCH_POD,	 /* NAMESPACE/NAME, or NAME in any */
	WATCH_CGROUP,	 /* path, with or without /sys/fs/cgroup, and what is below it */
	WATCH_UID,
	WATCH_COMM, /* name of the process, of which the kernel keeps 15 characters */
	WATCH_EXE,  /* path of the executable, as the process sees it */
	WATCH_ALL,
	WATCH_KINDS,
};

struct watch_rule {
	enum watch_kind kind;
	const char *value; /* borrowed */
	uint32_t uid;	   /* of WATCH_UID */
};

/* Of each kind that is named one rule must fit. False when there are no rules. */
bool watch_fits(const struct watch_rule *rules, size_t count, const struct identity *id);

/* Calls fn for each process that exists, has an executable and fits, except this program. */
void watch_scan(const struct watch_rule *rules, size_t count, const struct identity_cfg *cfg,
		void (*fn)(void *arg, uint32_t pid), void *arg);
/* What of the rules the kernel side can decide by itself: enum watch_bit of bpf/state.h. */
unsigned int watch_bits(const struct watch_rule *rules, size_t count);
/*
 * The id of the control group of a process that fits, when everything in that group must fit too as far as rules
 * about groups, containers and pods go; else 0.
 */
uint64_t watch_cgroup_id(const struct watch_rule *rules, size_t count, const struct identity *id);

/* Does the process that has this id now fit? */
bool watch_fits_pid(const struct watch_rule *rules, size_t count, const struct identity_cfg *cfg,
		    uint32_t pid);

#endif
