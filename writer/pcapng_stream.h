/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packets of one connection: a TCP conversation made up around the bytes that a process sent
 * and received, in TLS records of the NULL cipher or plain, or UDP datagrams. Sequence numbers,
 * acknowledgements and windows hold as in a real one.
 */
#ifndef TLSLENS_WRITER_PCAPNG_STREAM_H
#define TLSLENS_WRITER_PCAPNG_STREAM_H

#include "core/chunk.h"
#include "writer/out.h"
#include "writer/pcapng_blocks.h"
#include "writer/pcapng_paths.h"

enum framing {
	FRAMING_NULL_CIPHER,
	FRAMING_TCP,
	FRAMING_UDP,
};

struct iface;
struct packet_filter;

struct stream {
	uint64_t seq; /* struct conn.seq */
	struct path_node node;
	struct frame_path path;
	enum path_kind path_kind;
	enum framing framing;
	enum dir client;     /* the direction in which the client sends */
	struct iface *iface; /* pcapng.c; borrowed, as are its counts */
	struct pcapng_stats *stats;
	uint32_t pid, tid; /* tid: of the last event */

	bool open;	       /* SYN sent, FIN not; of datagrams: one was sent */
	uint32_t epoch;	       /* how often it was opened */
	uint32_t next_seq[2];  /* by enum dir: of the next octet sent */
	uint32_t acked_seq[2]; /* up to where the other end acknowledged */
	uint16_t ip_id;
	uint64_t dropped;   /* losses to be told with the next packet, */
	uint64_t untold[2]; /* and bytes, by enum dir, of those while it was not open */
	bool continued;	    /* it was open in the file before */

	UT_hash_handle hh;
	struct stream *prev, *next; /* the one idle longest first */
};

/* What packets are written for. */
struct stream_event {
	struct out *out;
	const struct packet_filter *filter; /* of packets; NULL: all are written */
	const struct chunk *chunk;
	struct str comment; /* for the first packet of the call; absent: none */
};

/* All return 0 or a negative errno of `out`. */

/* SYN exchange and, with the NULL cipher, the handshake; `alpn` may be absent. TCP only. */
int pcapng_stream_open(struct stream *s, const struct stream_event *ev, struct str alpn);
/* The data of a CHUNK_DATA, masked; a datagram as it is. A TCP stream must be open. */
int pcapng_stream_data(struct stream *s, const struct stream_event *ev);
/* The gap_bytes of a CHUNK_GAP as zeros, each packet with the comment. The stream must be open. */
int pcapng_stream_pad(struct stream *s, const struct stream_event *ev);
/* FIN both ways; it can be opened anew. Only the time of the event's chunk is looked at. */
int pcapng_stream_close(struct stream *s, const struct stream_event *ev);

#endif
