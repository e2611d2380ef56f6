/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the user knows and says on the command line: debug files, and functions for libraries that no row knows:
 * KIND:PATH:SYMBOL_OR_0xOFFSET(ctx=N,buf=N,len=N,out=N)->RESULT
 */
#ifndef TLSLENS_CAPTURE_GIVEN_H
#define TLSLENS_CAPTURE_GIVEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "capture/elf_debug.h"
#include "capture/site.h"

#define GIVEN_MAX 64 /* functions */

struct given_func {
	char *path;	 /* owned: as seen from here, or as the process calls it */
	char *symbol;	 /* owned: the symbol, or the offset as it was written */
	uint64_t offset; /* in the file; counts when by_offset */
	bool by_offset;
	uint64_t cookie;
};

struct given {
	struct given_func v[GIVEN_MAX];
	size_t count;
	const char *debug_files[DEBUG_FILES_MAX]; /* borrowed: symbols of stripped files */
	size_t debug_file_count;
};

/* Adds one. -EINVAL with *why (static) telling what is wrong, -ENOMEM, -ENOSPC. */
int given_parse(struct given *g, const char *spec, const char **why);
void given_free(struct given *g);

/* Does any function lie in this file? `shown_path` is what the process calls it. */
bool given_matches(const struct given *g, const struct stat *st, const char *shown_path);
/*
 * Adds the sites in an open file to what was found there; names that it does not define go to f->missing.
 * 0, or -ENOEXEC, -ENOMEM. Names are borrowed from g.
 */
int given_add_sites(const struct given *g, int fd, const char *root, const struct stat *st,
		    const char *shown_path, struct tls_file *f);

#endif
