/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From one ELF file and one row of tls_libs to the sites in it.
 */
#ifndef TLSLENS_CAPTURE_RESOLVE_H
#define TLSLENS_CAPTURE_RESOLVE_H

#include "capture/elf.h"
#include "capture/site.h"

struct tls_lib;

/*
 * Fills f->lib, version, build_id, sites and missing. -ENOENT: the file lacks a required function
 * and is not this library; -ENOMEM. f is untouched on error.
 */
int resolve_sites(struct elf_file *e, unsigned int lib, struct tls_file *f);

/*
 * The same without symbols, by the row's shapes. -ENOENT: they are not in the file, or, when *why (static) is set,
 * they are and that is why none of the functions could be found; *name (static) is what is inside.
 */
int resolve_shapes(struct elf_file *e, unsigned int lib, struct tls_file *f, const char **name,
		   const char **why);

/* What a file says of the version of a library with a mark that is in it; owned, or NULL. */
char *resolve_version(struct elf_file *e, const struct tls_lib *lib);

#endif
