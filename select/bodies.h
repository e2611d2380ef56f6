/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of kept bodies on their way to the writers: the content coding is undone, text in a declared
 * character set becomes `.body.content` in UTF-8, messages of gRPC become JSON, everything else stays octets
 * for base64.
 *
 * A character set is never guessed: what the message (or the media type's definition) does not say is text
 * only as far as it is ASCII.
 */
#ifndef TLSLENS_SELECT_BODIES_H
#define TLSLENS_SELECT_BODIES_H

#include "core/txn.h"

struct pb_types;

struct bodies_cfg {
	size_t body_bytes; /* of each body to show, after the coding is undone */
	/* borrowed: fnmatch(3) patterns of media types to show, commas between; NULL: all */
	const char *types;
	const struct pb_types
		*protos; /* borrowed: what messages of gRPC are made of; NULL: not known */
};

/* Rewrites the body attributes of a transaction, if it has any. */
void bodies_shape(const struct bodies_cfg *cfg, struct txn *t);

#endif
