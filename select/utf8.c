/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "select/utf8.h"

/* RFC 3629 section 4: what may follow a lead byte, so that overlong forms and surrogates are refused. */
static bool lead(uint8_t b, uint8_t *more, uint8_t *lo, uint8_t *hi)
{
	*lo = 0x80;
	*hi = 0xbf;
	if (b >= 0xc2 && b <= 0xdf) {
		*more = 1;
	} else if (b >= 0xe0 && b <= 0xef) {
		*more = 2;
		if (b == 0xe0)
			*lo = 0xa0;
		if (b == 0xed)
			*hi = 0x9f;
	} else if (b >= 0xf0 && b <= 0xf4) {
		*more = 3;
		if (b == 0xf0)
			*lo = 0x90;
		if (b == 0xf4)
			*hi = 0x8f;
	} else {
		return false;
	}
	return true;
}

struct utf8_char utf8_next(const uint8_t *p, size_t n)
{
	struct utf8_char c = {.n = 1};
	uint8_t more, lo, hi;
	uint32_t cp;

	if (p[0] < 0x80)
		return (struct utf8_char){.cp = p[0], .n = 1, .valid = true};
	if (!lead(p[0], &more, &lo, &hi))
		return c;
	cp = p[0] & (0x3fu >> more);
	for (; c.n <= more; c.n++) {
		if (c.n == n || p[c.n] < lo || p[c.n] > hi)
			return c;
		cp = cp << 6 | (p[c.n] & 0x3fu);
		lo = 0x80;
		hi = 0xbf;
	}
	c.cp = cp;
	c.valid = true;
	return c;
}

bool utf8_valid(struct str s)
{
	const uint8_t *p = (const uint8_t *)s.p;
	struct utf8_char c;

	for (size_t i = 0; i < s.n; i += c.n) {
		c = utf8_next(p + i, s.n - i);
		if (!c.valid)
			return false;
	}
	return true;
}
