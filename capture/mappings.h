/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files that a process maps executable, each once.
 */
#ifndef TLSLENS_CAPTURE_MAPPINGS_H
#define TLSLENS_CAPTURE_MAPPINGS_H

#include <stddef.h>
#include <stdint.h>

#define MAPPED_FILES_MAX 8192 /* of one process; later ones are left out */

struct mapping {
	unsigned long start, end;  /* of its first executable mapping */
	unsigned int major, minor; /* of the device, as the kernel sees it */
	unsigned long ino;
	char *path; /* owned; as the kernel shows it: newlines are \012, deleted files are marked */
};

struct mappings {
	struct mapping *v; /* owned */
	size_t count, cap;
};

/* Appends. 0, -ESRCH when the process is gone, -EACCES, -ENOMEM, -ENOBUFS; free in any case. */
int mappings_read(uint32_t pid, struct mappings *m);
void mappings_free(struct mappings *m);

#endif
