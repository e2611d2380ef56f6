/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Undoing content codings (RFC 9110 section 8.4): gzip, deflate, br, zstd, in any chain. What goes in is
 * hostile and may be only the beginning of a body; what comes out, and what is worked through on the way,
 * is bounded, so a bomb costs no more than a body that is honest about its size.
 */
#ifndef TLSLENS_SELECT_CODING_H
#define TLSLENS_SELECT_CODING_H

#include "core/buf.h"

#define CODINGS_MAX 4			     /* in a chain; longer ones are not undone */
#define CODING_STAGE_BYTES ((size_t)1 << 20) /* between two codings of a chain */
#define CODING_WINDOW_LOG_MAX 23 /* zstd: 8 MiB, as RFC 8878 section 3.1.1.1.2 recommends */

enum coding_result {
	CODING_WHOLE,	/* everything there was */
	CODING_CUT,	/* a limit was reached or the input ended early: a true beginning */
	CODING_DAMAGED, /* not what the coding's name says, from some point on */
	CODING_UNKNOWN, /* a coding that nobody here knows, or too many */
	CODING_NO_MEMORY,
};

/*
 * `codings` is the value of Content-Encoding, the outermost last. At most `limit` bytes are appended to
 * `out`, which is empty. Only WHOLE and CUT leave something of use there.
 */
enum coding_result coding_undo(struct str codings, struct str in, size_t limit, struct buf *out);

#endif
