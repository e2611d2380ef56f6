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
	ID_CMDLINE,   /* its arguments */
	ID_ANCESTORS, /* on request: NAME[PID] of its parent, of that one's parent and so on */
	ID_USER_ID,
	ID_USER_NAME,
	ID_CGROUP,
	ID_CGROUP_ID, /* of version 2: the inode number of its directory */
	ID_NS_PID,    /* pid inside its own pid namespace, when that differs */
	ID_PID_NS,    /* inode numbers, as in /proc/PID/ns */
	ID_NET_NS,
	ID_MNT_NS,
	ID_CONTAINER_ID,
	ID_CONTAINER_NAME,
	ID_CONTAINER_IMAGE,
	ID_CONTAINER_RUNTIME,
	ID_K8S_NAMESPACE,
	ID_K8S_POD,
	ID_K8S_POD_UID,
	ID_K8S_CONTAINER,
	ID_K8S_NODE,
	ID_CONTAINER_LABELS, /* on request: KEY=VALUE each */
	ID_POD_LABELS,
	ID_FIELDS,
};

#define IDENTITY_VALUE_MAX_BYTES (32u << 10) /* longer ones (command lines) are cut */
#define ANCESTORS_MAX 16		     /* the nearest; what is further up is left out */
#define LABELS_MAX 64			     /* of a container, and of a pod */
#define LABEL_MAX_BYTES 1024		     /* longer ones are left out */

enum identity_kind {
	ID_TEXT,
	ID_NUMBER, /* digits only: printed as a JSON number */
	ID_LIST,   /* texts with a NUL between two */
};

struct identity_field_row {
	const char *name; /* output name; of labels what stands before their own */
	enum identity_kind kind;
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
 * Copies the value, of all but lists up to its first NUL, or IDENTITY_VALUE_MAX_BYTES of it; an empty one
 * makes the field unknown. 0 or -ENOMEM.
 */
int identity_set(struct identity *id, enum identity_field f, const char *v, size_t n);
/* One more element of a list. 0 or -ENOMEM. */
int identity_add(struct identity *id, enum identity_field f, const char *v, size_t n);
/* The first element of what is left of a list, taken off; false at its end. */
bool identity_next(struct str *list, struct str *element);
/* Takes from another what this one does not know. 0 or -ENOMEM. */
int identity_fill_up(struct identity *id, const struct identity *from);

/*
 * The wire form of EV_IDENTITY: pairs of NUL-terminated strings, of a list one for each element. Unknown names
 * are skipped. Decoding returns 0, -ENOMEM, or -EBADMSG when the last pair is cut, with those before it taken.
 */
int identity_encode(const struct identity *id, struct buf *out);
int identity_decode(struct identity *id, const char *pairs, size_t n);

/* Where to look; NULL in place of it, or of a member: the defaults. Borrowed. */
struct identity_cfg {
	const char *host_root; /* stands before the runtimes' paths, where we are in a container */
	const char *node;      /* name of this Kubernetes node */
	bool ancestors, labels;
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
 * Reads /proc/PID/NAME into p, NUL-terminated. Bytes read, at most size - 1; -ESRCH when the
 * process is gone, else a negative errno.
 */
int identity_read(uint32_t tgid, const char *name, char *p, size_t size);

/*
 * Start time of a process from /proc/PID/stat in CLOCK_BOOTTIME ns; 0 or a negative errno (-ESRCH).
 * It is cut off to a clock tick, while records of the kernel have all digits.
 */
int identity_start_time(uint32_t tgid, uint64_t *start_ns);
/* Are these the same start time, one or both cut off to a clock tick? */
bool identity_same_start(uint64_t a_ns, uint64_t b_ns);

#endif
