/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an executable made by Go's toolchain says of itself, stripped or not.
 */
#ifndef TLSLENS_CAPTURE_GO_PROGRAM_H
#define TLSLENS_CAPTURE_GO_PROGRAM_H

#include "capture/elf.h"
#include "capture/gopclntab.h"

bool go_is_program(struct elf_file *e);
/* The release that built it, as "go1.19.8"; owned, or NULL when it does not say. */
char *go_version(struct elf_file *e);
/*
 * Looks functions up in its own table of them. 0; -ENOENT: no table was found; -ENOTSUP, -EINVAL, -ENOMEM as for
 * gopclntab_open(). Functions that it has not have the address 0.
 */
int go_find_functions(struct elf_file *e, struct go_func *funcs, size_t count);
/* Why a Go program's crypto/tls cannot be traced, after no row has matched; owned, or NULL. */
char *go_explain(struct elf_file *e);

#endif
