/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "writer/text_width.h"

#include "select/human.h"
#include "select/utf8.h"

#define ELLIPSIS "\xe2\x80\xa6"

/* How many bytes from `from` on take at most `columns`; *took is how many they take. */
static size_t fitting(const struct buf *b, size_t from, unsigned int columns, unsigned int *took)
{
	size_t at = from;
	struct utf8_char c;
	unsigned int width;

	*took = 0;
	while (at < b->n) {
		c = utf8_next(b->p + at, b->n - at);
		width = human_width(c.cp);
		if (width > columns - *took)
			break;
		*took += width;
		at += c.n;
	}
	return at - from;
}

unsigned int text_width(const struct buf *b, size_t from)
{
	unsigned int took;

	fitting(b, from, UINT32_MAX, &took);
	return took;
}

void text_pad(struct buf *b, size_t from, unsigned int columns)
{
	unsigned int width = text_width(b, from);

	for (; width < columns; width++)
		buf_putc(b, ' ');
}

bool text_cut(struct buf *b, size_t from, unsigned int columns)
{
	unsigned int took;

	if (from >= b->n || !columns || fitting(b, from, columns, &took) == b->n - from)
		return false;
	b->n = from + fitting(b, from, columns - 1, &took);
	buf_puts(b, ELLIPSIS);
	return true;
}
