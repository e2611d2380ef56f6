/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cursor: whatever is asked of it, it stays within its bytes, and its error stays. Each octet of the
 * first half of the input is a question, the second half is what it reads.
 */
#include <stdlib.h>

#include "core/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void require(bool ok)
{
	if (!ok)
		abort();
}

/* Takes n octets: all of them, or none and an error. */
static void step(struct cursor *c, uint8_t question, size_t n)
{
	static const uint8_t widths[] = {1, 2, 3, 4, 8, 2, 4, 8};
	struct cursor before = *c, sub;
	uint64_t value = 0;
	size_t take = n;

	switch (question % 10) {
	case 0:
		value = cursor_u8(c);
		break;
	case 1:
		value = cursor_u16(c);
		break;
	case 2:
		value = cursor_u24(c);
		break;
	case 3:
		value = cursor_u32(c);
		break;
	case 4:
		value = cursor_u64(c);
		break;
	case 5:
		value = cursor_u16le(c);
		break;
	case 6:
		value = cursor_u32le(c);
		break;
	case 7:
		value = cursor_u64le(c);
		break;
	case 8:
		cursor_skip(c, n);
		break;
	default:
		sub = cursor_sub(c, n);
		require(cursor_left(&sub) == (cursor_ok(c) ? n : 0));
		cursor_u64(&sub);
		require(sub.pos <= sub.end);
	}
	if (question % 10 < 8)
		take = widths[question % 10];
	require(take <= cursor_left(&before) ? cursor_offset(c) == cursor_offset(&before) + take
					     : !cursor_ok(c) && c->pos == before.pos && !value);
	require(cursor_ok(&before) || !cursor_ok(c));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cursor c = cursor_init(p + n / 2, n - n / 2);

	for (size_t i = 0; i < n / 2; i++) {
		if (p[i] == 0xff)
			cursor_seek(&c, i);
		else
			step(&c, p[i], p[i] / 10);
		require(c.pos >= c.begin && c.pos <= c.end);
		if (!cursor_ok(&c)) {
			step(&c, p[i], 1);
			c = cursor_init(p + n / 2, n - n / 2);
		}
	}
	return 0;
}
