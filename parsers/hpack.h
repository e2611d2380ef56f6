/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HPACK (RFC 7541) for an onlooker: header blocks of one direction of a connection, from its start or
 * joined late, one code path for both.
 *
 * Indices count from the newest entry (RFC 7541 section 2.3.3), so what was inserted since we joined
 * resolves exactly, and an index past that is unknown, never wrong, as long as every block of the
 * direction is walked in order and the context starts anew after each one that was lost, cut or broken.
 */
#ifndef TLSLENS_PARSERS_HPACK_H
#define TLSLENS_PARSERS_HPACK_H

#include "core/slice.h"

struct nghttp2_hd_inflater;

#define HPACK_TABLE_BYTES 65536	 /* a dynamic table larger than that is known in part */
#define HPACK_STRING_BYTES 65536 /* encoded octets of a name or a value that are decoded at all */

/* One direction. All zero is a context that joins with the next block. */
struct hpack {
	struct nghttp2_hd_inflater *inflater; /* owned; NULL: made with the next block */
	int64_t inserted;		      /* entries since the context began */
	bool cut;			      /* the true table may be over HPACK_TABLE_BYTES */
};

/* A field of a block. The strings are borrowed for the call. */
struct hpack_field {
	struct str name, value; /* {NULL, 0}: not known */
	int64_t ref;	    /* both unknown: the table entry, counted from the context's first */
	bool never_indexed; /* RFC 7541 section 7.1.3 */
	bool oversize;	    /* a string over HPACK_STRING_BYTES: the value is absent */
	bool huffman;	    /* how the value's octets are coded */
	size_t at, n;	    /* the value's octets in the block; n == 0: the block holds none */
};

typedef void hpack_field_fn(void *arg, const struct hpack_field *f);

/*
 * Walks a whole block (HEADERS or PUSH_PROMISE with its CONTINUATIONs) and calls fn for each field. 0,
 * -EBADMSG or -ENOMEM. After an error the context has begun anew, the fields told so far must not be
 * used, and *walked octets hold no field that was not told.
 */
int hpack_block(struct hpack *h, const uint8_t *p, size_t n, hpack_field_fn *fn, void *arg,
		size_t *walked);

/* A block was missed: forget the context. Also frees; the context may be used again. */
void hpack_reset(struct hpack *h);

/* Could these octets be a whole block? Looks at structure alone. */
bool hpack_plausible(const uint8_t *p, size_t n);

#endif
