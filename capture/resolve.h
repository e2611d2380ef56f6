/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From one ELF file and one row of tls_libs to the sites in it.
 */
#ifndef TLSLENS_CAPTURE_RESOLVE_H
#define TLSLENS_CAPTURE_RESOLVE_H

#include "capture/elf.h"
#include "capture/site.h"

/*
 * Fills f->lib, version, build_id, sites and missing. -ENOENT: the file lacks a required function
 * and is not this library; -ENOMEM. f is untouched on error.
 */
int resolve_sites(struct elf_file *e, unsigned int lib, struct tls_file *f);

#endif
