/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A piece of the byte stream of a connection, in order within its direction: what pcapng shows.
 * Borrowed by sinks for the duration of the call.
 */
#ifndef TLSLENS_CORE_CHUNK_H
#define TLSLENS_CORE_CHUNK_H

#include "core/conn.h"

enum chunk_kind {
	CHUNK_DATA,
	CHUNK_GAP,   /* gap_bytes of this direction are missing here */
	CHUNK_CLOSE, /* nothing follows on this connection */
};

/* Bytes of a chunk that carry a secret, to be masked in place with `fill`. */
struct mask {
	size_t at, n; /* within chunk.data */
	uint8_t fill; /* 0x2a for raw octets, 0xf9 for Huffman-coded ones */
};

struct chunk {
	const struct conn *conn;
	enum chunk_kind kind;
	enum dir dir;
	uint64_t off;	/* of the first byte in its direction */
	uint64_t ts_ns; /* CLOCK_REALTIME */
	uint32_t tid;
	struct str data;    /* CHUNK_DATA */
	uint64_t gap_bytes; /* CHUNK_GAP */
	bool resync_unsafe; /* CHUNK_GAP: framing bytes are missing, a reader cannot go on by length */
	const struct mask *masks; /* sorted, not overlapping */
	size_t mask_count;
};

#endif
