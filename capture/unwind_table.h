/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where functions begin and end, from what unwinding needs (.eh_frame, which is loaded and so survives strip).
 * A function may have several extents (its cold part), and code built without unwind tables has none.
 */
#ifndef TLSLENS_CAPTURE_UNWIND_TABLE_H
#define TLSLENS_CAPTURE_UNWIND_TABLE_H

#include <stddef.h>

#include "capture/elf.h"

#define UNWIND_EXTENTS_MAX (4u << 20) /* of one file; what is beyond is as if it were not there */
#define UNWIND_AUGMENTATION_MAX 16    /* characters; compilers use up to five */

struct unwind_extent {
	uint64_t start, end;
};

struct unwind_table {
	struct unwind_extent *v; /* owned, by start */
	size_t count, cap;
};

/* 0, also when the file has none or a damaged one; -ENOMEM. */
int unwind_table_read(struct elf_file *e, struct unwind_table *t);
/* The same of the bytes of such a section, which is loaded at an address. */
int unwind_table_parse(const void *p, size_t n, uint64_t addr, struct unwind_table *t);
/* The extent that holds an address, borrowed, or NULL. */
const struct unwind_extent *unwind_table_at(const struct unwind_table *t, uint64_t addr);
void unwind_table_free(struct unwind_table *t);

#endif
