/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cursor's integers. Shifts instead of casts: alignment and host order do not matter. */
#include "core/cursor.h"

static uint64_t take_be(struct cursor *c, size_t n)
{
	const uint8_t *p = cursor_bytes(c, n);
	uint64_t v = 0;

	for (size_t i = 0; p && i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static uint64_t take_le(struct cursor *c, size_t n)
{
	const uint8_t *p = cursor_bytes(c, n);
	uint64_t v = 0;

	for (size_t i = 0; p && i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint8_t cursor_u8(struct cursor *c)
{
	return (uint8_t)take_be(c, 1);
}

uint16_t cursor_u16(struct cursor *c)
{
	return (uint16_t)take_be(c, 2);
}

uint32_t cursor_u24(struct cursor *c)
{
	return (uint32_t)take_be(c, 3);
}

uint32_t cursor_u32(struct cursor *c)
{
	return (uint32_t)take_be(c, 4);
}

uint64_t cursor_u64(struct cursor *c)
{
	return take_be(c, 8);
}

uint16_t cursor_u16le(struct cursor *c)
{
	return (uint16_t)take_le(c, 2);
}

uint32_t cursor_u32le(struct cursor *c)
{
	return (uint32_t)take_le(c, 4);
}

uint64_t cursor_u64le(struct cursor *c)
{
	return take_le(c, 8);
}
