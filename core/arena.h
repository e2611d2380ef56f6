/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bump allocator: everything of one transaction lives in one arena and goes with it. The first
 * block is kept over arena_reset(), so a recycled arena allocates nothing in the common case.
 */
#ifndef TLSLENS_CORE_ARENA_H
#define TLSLENS_CORE_ARENA_H

#include "core/slice.h"

struct arena_block;

struct arena {
	struct arena_block *head; /* owned list, newest first */
	uint8_t *pos, *end;
	size_t used_bytes, limit_bytes; /* limit 0: ARENA_LIMIT_DEFAULT */
};

#define ARENA_LIMIT_DEFAULT ((size_t)64 << 20)

/* NULL when memory or the limit is exhausted. Aligned to 16, valid until reset or free, not cleared. */
void *arena_alloc(struct arena *a, size_t n);
void *arena_zalloc(struct arena *a, size_t n);
/* A NUL-terminated copy; the NUL is not counted. Returns {NULL, 0} on exhaustion. */
struct str arena_str(struct arena *a, const void *p, size_t n);
struct str arena_printf(struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

#endif
