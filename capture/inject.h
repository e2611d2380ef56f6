/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records that user space adds to those of the kernel, so that what follows needs nothing else: a queue
 * that is emptied before the next record of the ring is handed out.
 */
#ifndef TLSLENS_CAPTURE_INJECT_H
#define TLSLENS_CAPTURE_INJECT_H

#include "bpf/event.h"
#include "bpf/state.h"
#include "identity/identity.h"

struct injected;

struct inject {
	struct injected *head; /* owned list, oldest first */
	struct injected *out;  /* handed out last */
};

/*
 * A zeroed record of `len` bytes at the end of the queue, its header filled for the process and the time now;
 * valid until it has been handed out. NULL without memory.
 */
void *inject_new(struct inject *q, enum ev_type type, size_t len, struct proc_key proc);
/* 1 with the oldest record, valid until the next call; 0 when the queue is empty. */
int inject_next(struct inject *q, const struct ev_hdr **ev);
void inject_free(struct inject *q);

/* 0 or -ENOMEM. */
int inject_identity(struct inject *q, const struct identity *id);
/* Of a process whose execve was not seen by the kernel side. */
int inject_exec(struct inject *q, const struct identity *id);
int inject_lib(struct inject *q, unsigned int lib, const char *name);
int inject_clock(struct inject *q, uint64_t mono_ns, uint64_t real_ns);
int inject_conn_end(struct inject *q, struct proc_key proc, const struct conn_key *key,
		    const struct conn_state *conn);
int inject_counters(struct inject *q, struct proc_key proc, const struct proc_state *state);

#endif
