/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A growable byte buffer with a hard limit and a sticky error, for output that is built up and for
 * input that must wait. Growth is geometric; a buffer that hit its limit or ran out of memory keeps
 * what it has and says so through buf_ok().
 */
#ifndef TLSLENS_CORE_BUF_H
#define TLSLENS_CORE_BUF_H

#include "core/slice.h"

struct buf {
	uint8_t *p; /* owned */
	size_t n, cap;
	size_t limit; /* n never exceeds this; 0 means BUF_LIMIT_DEFAULT */
	int err;      /* 0, -ENOMEM or -ENOBUFS (limit) */
};

#define BUF_LIMIT_DEFAULT ((size_t)256 << 20)

static inline bool buf_ok(const struct buf *b)
{
	return b->err == 0;
}

/* All return 0 or the sticky negative errno; nothing is written on error. */
int buf_reserve(struct buf *b, size_t more);
int buf_put_slow(struct buf *b, const void *p, size_t n);
int buf_puts(struct buf *b, const char *z);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline int buf_put(struct buf *b, const void *p, size_t n)
{
	if (b->err || n > b->cap - b->n || !n)
		return buf_put_slow(b, p, n);
	memcpy(b->p + b->n, p, n);
	b->n += n;
	return 0;
}

static inline int buf_putc(struct buf *b, uint8_t c)
{
	return buf_put(b, &c, 1);
}

/* Big-endian and little-endian integers. */
int buf_put_be(struct buf *b, uint64_t v, size_t octets);
int buf_put_le(struct buf *b, uint64_t v, size_t octets);

/* Drops the first n bytes (n <= b->n); the rest moves to the front. */
void buf_consume(struct buf *b, size_t n);
/* Empties without giving memory back, and clears the error. */
void buf_clear(struct buf *b);
/* Frees the memory; the buffer is then as new, keeping its limit. */
void buf_free(struct buf *b);

#endif
