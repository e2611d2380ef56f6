/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Places the sites of a file: one uprobe_multi or session link per program and file where the kernel has
 * them, perf events otherwise. Detaches everything in one go.
 */
#ifndef TLSLENS_CAPTURE_ATTACH_H
#define TLSLENS_CAPTURE_ATTACH_H

#include "capture/site.h"

enum attach_kind {
	ATTACH_SESSION, /* 6.13+: entry and return through one program */
	ATTACH_MULTI,	/* 6.6+: a link for entries, a link for returns */
	ATTACH_PERF,	/* everywhere */
};

const char *attach_kind_name(enum attach_kind k);

struct attacher; /* owns the links */

/* prog fds by role are the loader's business; see capture/source_bpf.c. */
struct attach_progs {
	enum attach_kind kind;
	int session_fd, return_fd; /* -1 when the kind has none */
	int entry_fd;		   /* serves everything but return probes */
	int go_fd;		   /* the same, for functions of Go's ABI */
	bool plain;		   /* first instructions only, no places inside */
};

/* In which process, and what it bears. */
struct attach_for {
	uint32_t pid;	       /* with its threads and through execve, not its children; 0: all */
	bool no_return_probes; /* only returns that are seen without: capture/returns.h */
	bool switches_stacks;
};

struct attacher *attacher_new(const struct attach_progs *progs);
/*
 * Attaches every site of a file; for all processes the BPF side filters. The same file for the same process is a
 * no-op that returns 0, unless it bears less than it did: then it is attached anew. Returns the number of
 * breakpoints placed, or a negative errno with *what naming the step that failed.
 */
int attacher_add(struct attacher *a, const struct tls_file *f, const struct attach_for *who,
		 const char **what);
/* Takes the links of one process away (it ended). */
void attacher_drop_pid(struct attacher *a, uint32_t pid);
size_t attacher_site_count(const struct attacher *a);
/*
 * Begins to detach all; nothing can be added after. Links are gone when it returns. Of perf events the kernel
 * takes one after the other away, tens of milliseconds each: that goes on in the background.
 */
void attacher_stop(struct attacher *a);
/* Detaches all, waits until that is done, and frees. */
void attacher_free(struct attacher *a);

#endif
