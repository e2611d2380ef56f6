/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands below a line of the text writer: headers (-v) and bodies (-vv). */
#ifndef TLSLENS_WRITER_TEXT_DETAIL_H
#define TLSLENS_WRITER_TEXT_DETAIL_H

#include "core/buf.h"
#include "core/txn.h"

/*
 * Indented lines, `>` for what the client sent and `<` for what the server sent. A body that is UTF-8
 * without NULs is shown as text, any other as a hex dump.
 */
void text_detail(struct buf *b, const struct txn *t, unsigned int verbose);

#endif
