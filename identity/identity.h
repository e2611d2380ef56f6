/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who a process is. Keyed by (tgid, start time), taken at first sight, immutable afterwards,
 * reference counted so that it outlives its process until the last transaction is written.
 *
 * Every field is a string in one table (identity_fields), so that a recording stores it and JSON
 * prints it without knowing it; a new field is one enum constant and one row.
 */
#ifndef TLSLENS_IDENTITY_IDENTITY_H
#define TLSLENS_IDENTITY_IDENTITY_H

#include "core/buf.h"
#include "core/slice.h"

struct proc_key {
	uint64_t start_ns; /* CLOCK_BOOTTIME, task->group_leader->start_boottime */
	uint32_t tgid;
};

enum identity_field {
	ID_PARENT_PID,
	ID_COMM,
	ID_EXE,
	ID_CMDLINE,
	ID_USER_ID,
	ID_CGROUP,
	ID_NS_PID, /* pid inside its own pid namespace, when that differs */
	ID_CONTAINER_ID,
	ID_CONTAINER_NAME,
	ID_CONTAINER_IMAGE,
	ID_CONTAINER_RUNTIME,
	ID_K8S_NAMESPACE,
	ID_K8S_POD,
	ID_K8S_POD_UID,
	ID_K8S_CONTAINER,
	ID_K8S_NODE,
	ID_FIELDS,
};

#define IDENTITY_VALUE_MAX_BYTES (32u << 10) /* longer ones (command lines) are cut */

struct identity_field_row {
	const char *name; /* output name */
	bool number;	  /* digits only: printed as a JSON number */
};

extern const struct identity_field_row identity_fields[ID_FIELDS];

struct identity {
	struct proc_key key;
	struct str v[ID_FIELDS]; /* owned, NUL-terminated; {NULL, 0} when not known */
	uint32_t refs;
};

/* A new identity with one reference, or NULL. */
struct identity *identity_new(struct proc_key key);
struct identity *identity_ref(struct identity *id);
void identity_unref(struct identity *id); /* NULL is fine */
/*
 * Copies the value up to its first NUL or IDENTITY_VALUE_MAX_BYTES; an empty one makes the field
 * unknown. 0 or -ENOMEM.
 */
int identity_set(struct identity *id, enum identity_field f, const char *v, size_t n);

/*
 * The wire form of EV_IDENTITY: pairs of NUL-terminated strings. Unknown names are skipped.
 * Decoding returns 0, -ENOMEM, or -EBADMSG when the last pair is cut, with those before it taken.
 */
int identity_encode(const struct identity *id, struct buf *out);
int identity_decode(struct identity *id, const char *pairs, size_t n);

/* Where to look; NULL in place of it, or of a member: the defaults. Borrowed. */
struct identity_cfg {
	const char *host_root; /* stands before the runtimes' paths, where we are in a container */
	const char *node;      /* name of this Kubernetes node */
};

/*
 * Fills what a live system tells (/proc, the files of container runtimes), in the order of the rows
 * of identity/identity.c; missing facts stay absent. Never used in replay. 0; -ESRCH when the
 * process is gone or its pid belongs to another by now (key.start_ns 0: any): then nothing is
 * filled.
 *
 * Command lines may hold secrets: they are stored as they are and cleaned by select/ before output.
 */
struct identity_ops {
	const char *name;
	int (*fill)(struct identity *id, const struct identity_cfg *cfg);
};
int identity_fill(struct identity *id, const struct identity_cfg *cfg);

/*
 * Start time of a process from /proc/PID/stat in CLOCK_BOOTTIME ns; 0 or a negative errno (-ESRCH).
 * It is cut off to a clock tick, while records of the kernel have all digits.
 */
int identity_start_time(uint32_t tgid, uint64_t *start_ns);
/* Are these the same start time, one or both cut off to a clock tick? */
bool identity_same_start(uint64_t a_ns, uint64_t b_ns);

#endif
