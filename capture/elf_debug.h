/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Symbols of an ELF file that are kept outside of it, or packed in it: .gnu_debugdata, separate debug files
 * found by build-id or debuglink or named by the user.
 */
#ifndef TLSLENS_CAPTURE_ELF_DEBUG_H
#define TLSLENS_CAPTURE_ELF_DEBUG_H

#include "capture/elf.h"

#define DEBUG_FILES_MAX 16 /* named by the user */

struct debug_search {
	const char *root;	  /* "/proc/PID/root" of the process that maps the file, or "" */
	const char *path;	  /* of the file, as the process calls it */
	const char *const *files; /* named by the user; taken when the build-id is the same */
	size_t file_count;
};

/*
 * Makes elf_find_symbols() see the first of these that there is; looked for in the process's root, then in
 * ours. 0, -ENOENT, -ENOMEM, or the error of reading what is there. Once for a file.
 */
int elf_debug_attach(struct elf_file *e, const struct debug_search *s);

#endif
