/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Columns of a terminal, for text that is valid UTF-8 without control characters. */
#ifndef TLSLENS_WRITER_TEXT_WIDTH_H
#define TLSLENS_WRITER_TEXT_WIDTH_H

#include "core/buf.h"

/* Columns that the buffer takes from byte `from` on. */
unsigned int text_width(const struct buf *b, size_t from);
/* Spaces until what began at byte `from` takes so many columns. */
void text_pad(struct buf *b, size_t from, unsigned int columns);
/* Makes what began at byte `from` fit; what was longer ends in an ellipsis, and true is returned. */
bool text_cut(struct buf *b, size_t from, unsigned int columns);

#endif
