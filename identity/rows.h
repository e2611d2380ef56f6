/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows behind identity_fill(), and what they share. Private to identity/ and its tests.
 */
#ifndef TLSLENS_IDENTITY_ROWS_H
#define TLSLENS_IDENTITY_ROWS_H

#include "identity/identity.h"

extern const struct identity_ops identity_process, identity_cgroup, identity_runtime;

/*
 * Reads /proc/PID/NAME into p, NUL-terminated. Bytes read, at most size - 1; -ESRCH when the
 * process is gone, else a negative errno.
 */
int identity_read(uint32_t tgid, const char *name, char *p, size_t size);

/* What a control group path says of the container in it. The pieces borrow from the path. */
struct cgroup_facts {
	struct str id;	     /* container id, or its name where the runtime has no other */
	const char *runtime; /* static, or NULL when the path does not tell */
	bool named;	     /* the id is a name */
	struct str pod_uid;  /* as in the path: systemd's driver writes '_' for '-' */
};

/* The innermost container of a path; everything absent when there is none. */
void cgroup_facts(struct str path, struct cgroup_facts *out);

/* Fills from the text of a /proc/PID/cgroup, of version 1, 2 or both. 0 or -ENOMEM. */
int cgroup_fill_text(struct identity *id, const char *text);

#endif
