/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows behind identity_fill(), and what they share. Private to identity/ and its tests.
 */
#ifndef TLSLENS_IDENTITY_ROWS_H
#define TLSLENS_IDENTITY_ROWS_H

#include "identity/identity.h"

extern const struct identity_ops identity_process, identity_cgroup, identity_runtime;

/* What a control group path says of the container in it. The pieces borrow from the path. */
struct cgroup_facts {
	struct str id;	     /* container id, or its name where the runtime has no other */
	const char *runtime; /* static, or NULL when the path does not tell */
	bool named;	     /* the id is a name */
	struct str pod_uid;  /* as in the path: systemd's driver writes '_' for '-' */
};

/* The innermost container of a path; everything absent when there is none. */
void cgroup_facts(struct str path, struct cgroup_facts *out);

/* The id of a version 2 group, the path as in /proc/PID/cgroup; 0 when it is not to be seen here. */
uint64_t cgroup_id_of(struct str path);

/* Fills from the text of a /proc/PID/cgroup, of version 1, 2 or both. 0 or -ENOMEM. */
int cgroup_fill_text(struct identity *id, const char *text);

#endif
