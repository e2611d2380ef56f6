/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes that are traced, as user space sees them: who they are, which TLS files they map, what was
 * placed in them. The kernel's process table decides what is traced; this table explains it.
 */
#ifndef TLSLENS_CAPTURE_TARGETS_H
#define TLSLENS_CAPTURE_TARGETS_H

#include <stdio.h>
#include <uthash.h>

#include "capture/attach.h"
#include "capture/bpf_load.h"
#include "capture/discover.h"
#include "capture/inject.h"

#define TARGETS_ENDED_MAX 256 /* ended processes kept for the report; of more only the number */

struct target {
	struct proc_key key;
	struct identity *identity;	/* owned reference */
	struct identity *next_identity; /* as looked up at a stop at execve, or NULL */
	uint64_t next_noted_ns; /* CLOCK_MONOTONIC of that look: an EV_EXEC after it is another's */
	struct discovery found;
	const char *spared; /* static or NULL: why it gets no return probes */
	char *trouble;	    /* owned or NULL: why a file could not be probed */
	size_t sites;	    /* placed for this process */
	uint64_t maps_sum;  /* of its executable mappings when last looked at */
	bool fresh_exec;    /* its next stop at execve was already taken care of */
	bool stands_still;  /* stopped at its execve: nothing is left to do when the record comes */
	struct thread_names *threads; /* owned; made when the first is looked at */
	UT_hash_handle hh;	      /* by key.tgid while it lives */
	struct target *prev, *next;   /* in the list of ended ones */
};

struct targets {
	struct bpf_side *bpf;	      /* borrowed */
	struct attacher *attacher;    /* owned */
	struct discover_cache *cache; /* owned */
	struct inject *inject;	      /* borrowed: identities go there */
	const struct given *given;    /* borrowed, or NULL */
	bool detached;
	bool no_return_probes;	/* nowhere */
	struct attach_for wide; /* what every process with a file bears, by those seen so far */
	bool file_wide; /* probes for every process that maps a file; the kernel side filters */
	struct identity_cfg identity;
	uint32_t proc_flags; /* enum proc_flag of processes put into the table */
	struct target *live, *ended;
	size_t ended_count, ended_dropped, sites_dropped;
	uint64_t lost_events; /* of processes already accounted for */
};

/* 0 or -ENOMEM. */
int targets_open(struct targets *ts, struct bpf_side *bpf, struct inject *inject);
void targets_close(struct targets *ts);
/* Takes every probe away. */
void targets_detach(struct targets *ts);

struct target *targets_find(const struct targets *ts, uint32_t pid);
/*
 * Begins to trace a process that exists: kernel table first, then its identity; no probes yet.
 * -ESRCH, -EEXIST when it is already there, -EPERM for this process itself, whoever its parent is, -ENOMEM, -ENOSPC
 * when the kernel's table is full.
 */
int targets_add(struct targets *ts, uint32_t pid, struct target **out);
/* The same for a child that the kernel side put into its table at fork; `parent` may be NULL. */
int targets_add_forked(struct targets *ts, struct proc_key key, const struct target *parent,
		       struct target **out);
/* Every descendant that exists now. */
void targets_add_descendants(struct targets *ts);

/*
 * Looks for TLS files and places probes in them; again after changes. `linkable`: also what it may open
 * later. Troubles are kept for the report. Number of sites newly placed for it.
 */
size_t target_arm(struct targets *ts, struct target *t, bool linkable);
/* Arms again when its executable mappings changed since. */
void target_rearm_if_changed(struct targets *ts, struct target *t);
/* Maps a TLS file already, or may load one: it, or what it needs, imports dlopen. */
bool target_has_tls(const struct target *t);
bool target_may_load_tls(const struct target *t);

/* What /proc says of its new image, for when its EV_EXEC comes by. */
void target_note_exec(const struct targets *ts, struct target *t);
/* Its EV_EXEC came by: contexts of the old image end, its identity changes. */
void target_execed(struct targets *ts, struct target *t,
		   const struct ev_proc *e); /* or a struct ev_exec */
/* Tells the name of a thread of which a record comes, when it is new or has changed since it was last told. */
void target_note_thread(struct targets *ts, struct target *t, uint32_t tid, uint64_t now_ns);
/*
 * Accounts for a process that ended or is let go: ends of contexts, counters. It leaves the kernel's
 * table and the live ones, and is kept for the report.
 */
void target_end(struct targets *ts, struct target *t, uint64_t now_ns);

/*
 * Brings both tables together where records of forks and ends found no room: what the kernel's table has and
 * this one has not is added, what has ended is accounted for. To be called while the ring is empty.
 */
void targets_reconcile(struct targets *ts, uint64_t now_ns);

void targets_describe(const struct targets *ts, char *out, size_t n);
void targets_report(const struct targets *ts, FILE *out);
/* Why no plaintext of a process is seen, as far as is known; else "". */
void targets_why(const struct targets *ts, const struct proc_key *proc, char *out, size_t n);

#endif
