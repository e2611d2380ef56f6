/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bounds-checked reader over untrusted bytes with a sticky error: read straight through, check
 * cursor_ok() once. After the first short read every further read yields 0 and moves nothing.
 */
#ifndef TLSLENS_CORE_CURSOR_H
#define TLSLENS_CORE_CURSOR_H

#include "core/slice.h"

struct cursor {
	const uint8_t *begin, *pos, *end; /* borrowed */
	bool failed;
};

static inline struct cursor cursor_init(const void *p, size_t n)
{
	const uint8_t *b = p;

	/* of nothing there is no pointer to add to */
	return (struct cursor){b, b, n ? b + n : b, false};
}

static inline bool cursor_ok(const struct cursor *c)
{
	return !c->failed;
}

static inline size_t cursor_left(const struct cursor *c)
{
	return c->failed ? 0 : (size_t)(c->end - c->pos);
}

/* Bytes consumed so far. */
static inline size_t cursor_offset(const struct cursor *c)
{
	return (size_t)(c->pos - c->begin);
}

/* Borrows the next n bytes and steps over them; NULL and the sticky error when fewer are left. */
static inline const uint8_t *cursor_bytes(struct cursor *c, size_t n)
{
	const uint8_t *p = c->pos;

	if (cursor_left(c) < n || c->failed) {
		c->failed = true;
		return NULL;
	}
	c->pos += n;
	return p;
}

static inline bool cursor_skip(struct cursor *c, size_t n)
{
	cursor_bytes(c, n);
	return !c->failed;
}

/* Moves to an absolute offset inside the range, for formats with pointers (DNS names). */
static inline bool cursor_seek(struct cursor *c, size_t off)
{
	if (c->failed || off > (size_t)(c->end - c->begin)) {
		c->failed = true;
		return false;
	}
	c->pos = c->begin + off;
	return true;
}

/* A sub-cursor over the next n bytes; the parent steps over them. Failed when they are not there. */
static inline struct cursor cursor_sub(struct cursor *c, size_t n)
{
	const uint8_t *p = cursor_bytes(c, n);
	struct cursor s = cursor_init(p, p ? n : 0);

	s.failed = c->failed;
	return s;
}

/* Big-endian unsigned integers of 1, 2, 3, 4 and 8 octets, and little-endian ones. */
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u24(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
uint16_t cursor_u16le(struct cursor *c);
uint32_t cursor_u32le(struct cursor *c);
uint64_t cursor_u64le(struct cursor *c);

#endif
