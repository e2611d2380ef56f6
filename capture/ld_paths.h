/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a process's dynamic linker would look: its linker cache, its search directories, what its
 * executable needs. Everything is resolved inside the process's root; symbolic links do not escape
 * it.
 */
#ifndef TLSLENS_CAPTURE_LD_PATHS_H
#define TLSLENS_CAPTURE_LD_PATHS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * One library: an open descriptor of a regular file, a path that opens the same file from here, and
 * the path as the process knows it; borrowed for the call. A non-zero result ends the walk and is
 * returned.
 */
typedef int ld_found_fn(void *arg, int fd, const char *open_path, const char *shown_path);

#define LD_LIBRARIES_MAX 1024 /* looked at for one process */

/*
 * Every library of the linker cache (or, without one, of the usual directories) and of the
 * directories that the executable's RPATH and RUNPATH and LD_LIBRARY_PATH name, whose file name
 * begins with one of the prefixes. 0, fn's result, -ESRCH, -EACCES or -ENOMEM.
 */
int ld_each_named(uint32_t pid, const char *const *prefixes, ld_found_fn *fn, void *arg);

/*
 * What the executable of the process needs, and what that needs in turn, and LD_PRELOAD, found as
 * ld.so(8) says. *opens tells whether any of these, or the executable, can open further libraries
 * by itself (dlopen); true when that cannot be known.
 */
int ld_each_needed(uint32_t pid, ld_found_fn *fn, void *arg, bool *opens);

#endif
