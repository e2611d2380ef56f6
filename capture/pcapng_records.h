/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes records of the blocks of a pcapng that tlslens wrote: takes the synthetic framing off again and reads
 * names and comments for who it was. Sequence numbers are checked; bytes of packets that are not in the file,
 * as of one that Wireshark saved a part of, are gaps.
 */
#ifndef TLSLENS_CAPTURE_PCAPNG_RECORDS_H
#define TLSLENS_CAPTURE_PCAPNG_RECORDS_H

#include "bpf/event.h"
#include "capture/packet_filter.h"
#include "capture/pcapng_read.h"
#include "core/buf.h"

#define PCAPNG_RECORDS_CONNS_MAX 65536u /* at once; packets of later ones are skipped */

struct pcapng_skipped {
	uint64_t unread;  /* packets that are no TCP or UDP over IP, or cut */
	uint64_t unknown; /* packets of a connection whose beginning is not in the file */
	uint64_t again;	  /* packets whose bytes were there before */
	uint64_t beyond;  /* packets of connections beyond the limit */
};

struct pcapng_records;

/*
 * NULL without memory. The filter is borrowed; NULL: all packets. Of a connection of which some packets fit, the
 * others are gaps.
 */
struct pcapng_records *pcapng_records_new(const struct packet_filter *filter);
void pcapng_records_free(struct pcapng_records *r);
/* Appends what the block means to *out, each record at a multiple of eight. 0 or -ENOMEM. */
int pcapng_records_put(struct pcapng_records *r, const struct pcapng_block *b, struct buf *out);
const struct pcapng_skipped *pcapng_records_skipped(const struct pcapng_records *r);

#endif
