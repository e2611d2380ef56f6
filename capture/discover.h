/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a process to its TLS libraries: the files it maps, the rows they match, the sites in them.
 * Opens nothing but /proc and the mapped files; attaches nothing.
 */
#ifndef TLSLENS_CAPTURE_DISCOVER_H
#define TLSLENS_CAPTURE_DISCOVER_H

#include "capture/given.h"
#include "capture/site.h"

struct discover_cache; /* what was learnt about files, kept over many discoveries */

struct discovery {
	struct tls_file *files; /* owned */
	size_t count, cap;
	/* What stood in the way, one sentence per thing, for doctor and the summary. Owned. */
	char **notes;
	size_t note_count;
	bool switches_stacks;	      /* a file of the process does: capture/returns.h */
	struct discover_cache *cache; /* borrowed, or NULL: every file is read anew */
	const struct given *given;    /* borrowed, or NULL: what the command line says */
	char root[32]; /* of the process looked at last; set by discover_ functions */
};

/*
 * Remembers by (device, inode, mtime, size) what each file held, TLS library or not, so that
 * looking at the next process costs no more than its maps. Bounded; the oldest entries go. NULL
 * without memory.
 */
struct discover_cache *discover_cache_new(void);
void discover_cache_free(struct discover_cache *c); /* NULL is fine */

/*
 * Finds the TLS files that a process has mapped now (executable mappings of regular files), deleted
 * and replaced ones included. A file that is already in the discovery is not added again. 0 also
 * when there are none; -ESRCH when the process is gone, -EACCES, -ENOMEM.
 */
int discover_process(uint32_t pid, struct discovery *d);
/*
 * Adds the files that a process that has just been exec'd may map later, seen through
 * /proc/PID/root: what its executable needs (by RPATH, RUNPATH, LD_LIBRARY_PATH and LD_PRELOAD too)
 * and, when it or one of these can call dlopen, every library of its linker cache and search path
 * whose name matches a row's sonames.
 */
int discover_linkable(uint32_t pid, struct discovery *d);
/*
 * One file by path. 0 with the file added, -ENOENT when no row matches, -ENOEXEC when it is no ELF
 * file, else a negative errno.
 */
int discover_file(const char *open_path, const char *shown_path, struct discovery *d);
/* Frees files and notes; what was borrowed stays. */
void discovery_clear(struct discovery *d);

#endif
