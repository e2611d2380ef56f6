/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growable byte buffer; see the header for the contract. */
#include "core/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST_BYTES 256

int buf_reserve(struct buf *b, size_t more)
{
	size_t limit = b->limit ? b->limit : BUF_LIMIT_DEFAULT;
	size_t want, cap;
	uint8_t *p;

	if (b->err)
		return b->err;
	if (more > limit || b->n > limit - more)
		return b->err = -ENOBUFS;
	want = b->n + more;
	if (want <= b->cap)
		return 0;
	cap = b->cap ? b->cap : BUF_FIRST_BYTES;
	while (cap < want)
		cap *= 2;
	if (cap > limit)
		cap = limit;
	p = realloc(b->p, cap);
	if (!p)
		return b->err = -ENOMEM;
	b->p = p;
	b->cap = cap;
	return 0;
}

int buf_put_slow(struct buf *b, const void *p, size_t n)
{
	int err = buf_reserve(b, n);

	if (err)
		return err;
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	return 0;
}

int buf_puts(struct buf *b, const char *z)
{
	return buf_put(b, z, strlen(z));
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n, err;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return b->err = -EINVAL;
	err = buf_reserve(b, (size_t)n + 1);
	if (err)
		return err;
	va_start(ap, fmt);
	vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
	return 0;
}

int buf_put_be(struct buf *b, uint64_t v, size_t octets)
{
	uint8_t o[8];

	for (size_t i = 0; i < octets; i++)
		o[i] = (uint8_t)(v >> (8 * (octets - 1 - i)));
	return buf_put(b, o, octets);
}

int buf_put_le(struct buf *b, uint64_t v, size_t octets)
{
	uint8_t o[8];

	for (size_t i = 0; i < octets; i++)
		o[i] = (uint8_t)(v >> (8 * i));
	return buf_put(b, o, octets);
}

void buf_consume(struct buf *b, size_t n)
{
	if (n > b->n)
		n = b->n;
	if (n && b->n > n)
		memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->err = 0;
}

void buf_free(struct buf *b)
{
	size_t limit = b->limit;

	free(b->p);
	*b = (struct buf){.limit = limit};
}
