/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The blocks of a pcapng file (draft-ietf-opsawg-pcapng), always little-endian so that the same
 * traffic gives the same file on every machine. Knows nothing of what the packets hold.
 */
#ifndef TLSLENS_WRITER_PCAPNG_BLOCKS_H
#define TLSLENS_WRITER_PCAPNG_BLOCKS_H

#include "core/buf.h"

#define PCAPNG_SNAPLEN_BYTES 262144u
#define PCAPNG_COMMENT_MAX 4096u /* longer comments, names and descriptions are cut */

/* Section header and interface description, appended to b; errors are b's. */
void pcapng_put_section(struct buf *b, struct str application, struct str comment);
void pcapng_put_interface(struct buf *b, struct str name, struct str description);

struct pcapng_stats {
	uint32_t iface;
	uint64_t last_ns; /* CLOCK_REALTIME of its last packet */
	uint64_t received, dropped;
};
void pcapng_put_stats(struct buf *b, const struct pcapng_stats *s);

/* What is said about a packet besides its octets. */
struct pcapng_packet {
	uint32_t iface;
	uint64_t ts_ns; /* CLOCK_REALTIME */
	enum dir dir;
	uint32_t pid, tid;
	uint64_t dropped;   /* events lost since the last packet; 0: not said */
	struct str comment; /* borrowed; absent: none */
};

/* Length of an enhanced packet block around a frame of n octets. */
size_t pcapng_packet_bytes(const struct pcapng_packet *k, size_t n);
/* Where the frame stands in a block: the caller puts it there before it seals the block. */
uint8_t *pcapng_packet_frame(uint8_t *block);
/* Writes all of the block but the n octets of its frame; pcapng_packet_bytes(k, n) in all. */
void pcapng_packet_seal(uint8_t *block, const struct pcapng_packet *k, size_t n);

/*
 * Appends at most PCAPNG_TEXT_MAX octets of a text as valid UTF-8 without control characters; what
 * is neither is written as \xNN. Names of processes and containers may hold anything.
 */
#define PCAPNG_TEXT_MAX 1024u
void pcapng_put_text(struct buf *b, struct str s);
/* The same, and spaces are written as \x20, too: a word that ends where the next space is. */
void pcapng_put_word(struct buf *b, struct str s);

#endif
