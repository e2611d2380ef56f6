/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads pcapng (draft-ietf-opsawg-pcapng) block by block, with the names, options and comments that libpcap's
 * reader drops. Either byte order, several sections. Every length is checked; what is wrong ends the reading.
 * Knows nothing of what the packets hold.
 */
#ifndef TLSLENS_CAPTURE_PCAPNG_READ_H
#define TLSLENS_CAPTURE_PCAPNG_READ_H

#include "capture/input.h"
#include "core/slice.h"

#define PCAPNG_READ_BLOCK_MAX INPUT_BYTES /* a longer block is damage */
#define PCAPNG_READ_IFACES_MAX 65536u	  /* of one section */
#define PCAPNG_READ_TIME_MAX_NS (1ull << 62)

enum pcapng_kind {
	PCAPNG_SECTION,
	PCAPNG_INTERFACE,
	PCAPNG_PACKET,
};

/* The two directions of epb_flags. */
#define PCAPNG_INBOUND 1
#define PCAPNG_OUTBOUND 2

/* One block; texts and octets are borrowed until the next call, absent where the file has none. */
struct pcapng_block {
	enum pcapng_kind kind;
	struct str application; /* section */
	struct str comment;	/* section, packet: the first one */
	uint32_t iface;		/* interface, packet: its number in the section */
	uint16_t linktype;	/* interface, packet */
	struct str name, description;
	uint64_t ts_ns; /* packet, since the epoch */
	const uint8_t *frame;
	size_t captured, len;
	uint32_t direction; /* 0 when not told */
	uint32_t pid, tid;
	uint64_t dropped;
};

struct pcapng_reader;

/* Borrows the input. NULL without memory. */
struct pcapng_reader *pcapng_reader_new(struct input *in);
void pcapng_reader_free(struct pcapng_reader *r);
/*
 * 1: *b is the next section, interface or packet; other blocks are stepped over. 0: the end. -EBADMSG: damaged,
 * pcapng_reader_damage() tells how. Else an error of read(2), -EINTR among them: then call again.
 */
int pcapng_read(struct pcapng_reader *r, struct pcapng_block *b);
const char *pcapng_reader_damage(const struct pcapng_reader *r);

#endif
