/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes records of packets that anybody captured: each TCP connection and each pair of UDP ends is a plain socket,
 * whose bytes stand where their sequence numbers say; order, gaps and what comes twice are flow's. Nobody knows the
 * process; the end that began, or was seen first, is taken for the local one. No reassembly of IP fragments.
 */
#ifndef TLSLENS_CAPTURE_PACKET_RECORDS_H
#define TLSLENS_CAPTURE_PACKET_RECORDS_H

#include "bpf/event.h"
#include "capture/frame_read.h"
#include "core/buf.h"

#define PACKET_RECORDS_CONNS_MAX 65536u /* at once; the one that began first goes */

struct packet {
	uint64_t ts_ns; /* since the epoch */
	int dlt;
	const uint8_t *frame;
	size_t captured;
};

struct packet_counts {
	uint64_t packets;
	uint64_t skipped[FRAME_RESULTS]; /* by why there is nothing to read in them */
	uint64_t cut;			 /* of whose payload only a part was captured */
	uint64_t strays;  /* of connections that had ended, or far outside their window */
	uint64_t evicted; /* connections ended for want of room */
};

struct packet_records;

struct packet_records *packet_records_new(void); /* NULL without memory */
void packet_records_free(struct packet_records *r);
/* Appends what the packet means to *out, each record at a multiple of eight. 0 or -ENOMEM. */
int packet_records_put(struct packet_records *r, const struct packet *p, struct buf *out);
const struct packet_counts *packet_records_counts(const struct packet_records *r);

#endif
