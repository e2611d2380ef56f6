/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What packets say of their connection in a comment: words `key=value` with no space inside, which replay reads
 * back (capture/pcapng_words.c), then notes for people in parentheses. Errors are those of the buffer.
 */
#ifndef TLSLENS_WRITER_PCAPNG_COMMENT_H
#define TLSLENS_WRITER_PCAPNG_COMMENT_H

#include "core/buf.h"
#include "writer/pcapng_stream.h"

/* Empties b; whose connection it is. `opening`: also all that is known of it. */
void pcapng_comment_begin(struct buf *b, const struct stream *s, const struct conn *conn,
			  bool opening);
void pcapng_comment_lost(struct buf *b, uint64_t n, enum dir dir);
/* What was lost while nothing could be told; then it is told. */
void pcapng_comment_untold(struct buf *b, struct stream *s);
void pcapng_comment_note(struct buf *b, const char *note);
/* Without the space at its end; absent when there was no memory: the packet matters more. */
struct str pcapng_comment_end(struct buf *b);

#endif
