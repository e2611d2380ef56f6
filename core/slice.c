/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/slice.h"

#define ONES 0x0101010101010101ULL
#define HIGH 0x8080808080808080ULL

/* Eight octets with A to Z in lower case; those above 0x7f stay as they are. */
static inline uint64_t lower8(uint64_t v)
{
	uint64_t low = v & ~HIGH;
	/* The high bit of each octet of these: it is at least 'A', it is beyond 'Z'. */
	uint64_t from = low + ONES * (0x80 - 'A'), beyond = low + ONES * (0x80 - 'Z' - 1);

	return v | ((from & ~beyond & ~v & HIGH) >> 2);
}

static inline uint64_t load(const char *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

bool str_ieq_bytes(const char *a, const char *b, size_t n)
{
	size_t i;

	if (n >= 8) {
		for (i = 0; i + 8 < n; i += 8)
			if (lower8(load(a + i, 8)) != lower8(load(b + i, 8)))
				return false;
		return lower8(load(a + n - 8, 8)) == lower8(load(b + n - 8, 8));
	}
	if (n >= 4)
		return lower8(load(a, 4) | load(a + n - 4, 4) << 32) ==
		       lower8(load(b, 4) | load(b + n - 4, 4) << 32);
	for (i = 0; i < n; i++)
		if (lower8((unsigned char)a[i]) != lower8((unsigned char)b[i]))
			return false;
	return true;
}
