/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a process to its TLS libraries: the files it maps, the rows they match, the sites in them.
 * Opens nothing but /proc and the mapped files; attaches nothing.
 */
#ifndef TLSLENS_CAPTURE_DISCOVER_H
#define TLSLENS_CAPTURE_DISCOVER_H

#include "capture/site.h"

struct discovery {
	struct tls_file *files; /* owned */
	size_t count, cap;
	/* What stood in the way, one sentence per thing, for doctor and the summary. Owned. */
	char **notes;
	size_t note_count;
};

/*
 * Finds the TLS files that a process has mapped now (executable mappings of regular files).
 * 0 also when there are none; -ESRCH when the process is gone, -EACCES, -ENOMEM.
 */
int discover_process(uint32_t pid, struct discovery *d);
/*
 * Adds the files that the process may open later: every library of its linker cache whose name matches a
 * row's sonames, seen through /proc/PID/root. For programs that dlopen.
 */
int discover_linkable(uint32_t pid, struct discovery *d);
/*
 * One file by path. 0 with the file added, -ENOENT when no row matches, -ENOEXEC when it is no ELF file,
 * else a negative errno.
 */
int discover_file(const char *open_path, const char *shown_path, struct discovery *d);
void discovery_clear(struct discovery *d);

#endif
