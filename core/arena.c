/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bump allocator; see the header. Blocks double in size, so a large transaction has few of them. */
#include "core/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_FIRST_BYTES 4096
#define BLOCK_MAX_BYTES ((size_t)1 << 20)
#define ALIGN 16u

struct arena_block {
	struct arena_block *next;
	size_t cap;
	_Alignas(ALIGN) uint8_t data[];
};

static int grow(struct arena *a, size_t n)
{
	size_t cap = a->head ? a->head->cap * 2 : BLOCK_FIRST_BYTES;
	size_t limit = a->limit_bytes ? a->limit_bytes : ARENA_LIMIT_DEFAULT;
	struct arena_block *b;

	if (cap > BLOCK_MAX_BYTES)
		cap = BLOCK_MAX_BYTES;
	if (cap < n)
		cap = n;
	if (cap > limit || a->used_bytes > limit - cap) {
		cap = n; /* the last block may be a tight one */
		if (cap > limit || a->used_bytes > limit - cap)
			return -1;
	}
	b = malloc(sizeof(*b) + cap);
	if (!b)
		return -1;
	b->next = a->head;
	b->cap = cap;
	a->head = b;
	a->pos = b->data;
	a->end = b->data + cap;
	a->used_bytes += cap;
	return 0;
}

void *arena_alloc(struct arena *a, size_t n)
{
	uint8_t *p;

	if (n > SIZE_MAX - ALIGN)
		return NULL;
	n = n ? (n + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
	if ((size_t)(a->end - a->pos) < n && grow(a, n))
		return NULL;
	p = a->pos;
	a->pos += n;
	return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
	void *p = arena_alloc(a, n);

	return p ? memset(p, 0, n) : NULL;
}

struct str arena_str(struct arena *a, const void *p, size_t n)
{
	char *q = n < SIZE_MAX ? arena_alloc(a, n + 1) : NULL;

	if (!q)
		return STR_NONE;
	if (n)
		memcpy(q, p, n);
	q[n] = '\0';
	return (struct str){q, n};
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *q;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	q = n >= 0 ? arena_alloc(a, (size_t)n + 1) : NULL;
	if (!q)
		return STR_NONE;
	va_start(ap, fmt);
	vsnprintf(q, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return (struct str){q, (size_t)n};
}

void arena_reset(struct arena *a)
{
	struct arena_block *b = a->head, *next;

	for (; b && b->next; b = next) {
		next = b->next;
		a->used_bytes -= b->cap;
		free(b);
	}
	a->head = b;
	a->pos = b ? b->data : NULL;
	a->end = b ? b->data + b->cap : NULL;
}

void arena_free(struct arena *a)
{
	arena_reset(a);
	free(a->head);
	a->head = NULL;
	a->pos = a->end = NULL;
	a->used_bytes = 0;
}
