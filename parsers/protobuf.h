/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire format of Protocol Buffers (protobuf.dev/programming-guides/encoding): the fields of a message,
 * one after the other. Without the message's type nobody can say more than number, wire type and octets.
 */
#ifndef TLSLENS_PARSERS_PROTOBUF_H
#define TLSLENS_PARSERS_PROTOBUF_H

#include "core/cursor.h"

#define PB_DEPTH_MAX 32 /* messages within messages; protobuf's own readers take 100 */

enum pb_wire {
	PB_VARINT = 0,
	PB_I64 = 1,
	PB_LEN = 2,
	PB_GROUP = 3, /* from its start to its end; the fields between them are its octets */
	PB_GROUP_END = 4,
	PB_I32 = 5,
};

struct pb_field {
	uint32_t number;
	enum pb_wire wire;
	uint64_t value;	  /* of varint, I64 and I32 */
	struct str bytes; /* borrowed from the message: of LEN and GROUP, never NULL there */
};

/* The next field. False at the end, and where there is no whole field: then the cursor has failed. */
bool pb_next(struct cursor *c, struct pb_field *f);

/* The next number of a packed field: VARINT, I64 or I32. As pb_next(). */
bool pb_next_packed(struct cursor *c, enum pb_wire wire, uint64_t *v);

/* Nothing but whole fields, looked at one level deep. So are many strings. */
bool pb_plausible(struct str s);

static inline int64_t pb_zigzag(uint64_t v)
{
	return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

#endif
