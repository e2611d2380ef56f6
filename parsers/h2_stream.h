/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The streams of an HTTP/2 connection: what is known of each, and what the frames do to them. Times and
 * threads are those of the frame's first byte, or of the bytes given.
 */
#ifndef TLSLENS_PARSERS_H2_STREAM_H
#define TLSLENS_PARSERS_H2_STREAM_H

#include "core/buf.h"
#include "core/proto.h"
#include "parsers/grpc.h"

/* uthash must not end the process when memory does */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define H2_KEPT_BYTES (32u << 20) /* headers and bodies held for the live streams of a connection */
#define H2_LOST_IDLE_MS 30000	  /* a stream whose end may be lost is over after so much silence */
#define H2_INTERIM_MAX 16	  /* 1xx codes listed for a stream */

struct h2;
struct h2_block;

/* One direction of a stream. */
struct h2_msg {
	struct header *headers; /* in the transaction's arena; trailers follow */
	uint32_t count, cap;
	size_t header_bytes; /* kept of all blocks, interim ones too: limits->header_bytes */
	uint32_t fields;     /* kept of all blocks: limits->headers */
	uint64_t body_bytes;
	struct buf body;   /* the first keep_bytes of it */
	size_t keep_bytes; /* what is shown of bodies, or what its media type needs */
	struct grpc_framing framing;
	struct buf
		message; /* of gRPC, that is coming in: with its prefix, as far as it may be kept */
	bool message_lost; /* octets of it are missing */
	uint64_t start_ns, end_ns;
	bool seen;    /* a block of it was, readable or not */
	bool ended;   /* END_STREAM */
	bool unknown; /* some field has no name: absence of a field proves nothing */
	bool lost;    /* bytes of it are missing */
	bool inexact; /* its size and messages are not known: its beginning or a part is missing */
};

/* The parts of a request that make its line and its URL. */
struct h2_request {
	struct str method, scheme, authority, path;
};

/* Why a stream may exist that no request opened before our eyes. */
enum h2_hole_kind {
	H2_NO_HOLE,
	H2_HOLE_JOIN, /* opened before we joined */
	H2_HOLE_GAP,  /* opened in lost bytes */
};

/* Lives in the arena of its transaction. */
struct h2_stream {
	UT_hash_handle hh;
	uint32_t id;
	uint16_t status; /* 0: none, or not known */
	uint8_t hole;	 /* enum h2_hole_kind: it began where we did not see it */
	bool unpaired;	 /* its response is whole, its request may come yet */
	bool evicted;	 /* by limits->streams: it may well go on */
	bool tunnel;	 /* it goes on as WebSocket when it is emitted */
	bool reset;
	uint32_t reset_code;
	uint32_t interim_count;
	struct str *interim;
	const struct h2_request *upgraded; /* h2c: the HTTP/1 request it answers, in the arena */
	uint64_t active_ns;
	size_t kept_bytes;
	struct h2_msg msg[DIR_COUNT]; /* by direction: which is the request may not be known yet */
	struct txn *txn;
};

/* A slice of a direction's payload at a stream offset. */
struct h2_bytes {
	const uint8_t *p;
	size_t n;
	uint64_t off, ts_ns;
	uint32_t tid;
	bool last; /* of DATA: the stream's last in this direction */
};

/* The fields of one block. */
struct h2_section {
	struct header *v; /* in the stream's arena */
	uint32_t count;
	bool broken;	 /* could not be read: says nothing */
	bool limit;	 /* a limit cut some */
	bool unknown;	 /* some have no name */
	bool method;	 /* :method is there */
	bool pseudo;	 /* some pseudo-header is */
	uint16_t status; /* of a readable :status, else 0 */
	uint32_t fields; /* that were there */
	bool regular;	 /* begins with a field that is not a pseudo-header: trailers */
};

struct h2_stream *h2_stream_find(struct h2 *h, uint32_t id);
/* A stream that no table holds yet; add or discard it. NULL without memory. */
struct h2_stream *h2_stream_new(struct h2 *h, uint32_t id, uint64_t ts_ns, uint32_t tid);
/* False without memory: it is discarded. Over limits->streams the oldest one goes out. */
bool h2_stream_add(struct h2 *h, struct h2_stream *st);
void h2_stream_discard(struct h2 *h, struct h2_stream *st);
/* The block `b` of direction d was walked; admits a new stream or frees it. */
void h2_stream_section(struct h2 *h, enum dir d, struct h2_stream *st, const struct h2_section *sec,
		       const struct h2_block *b);
void h2_stream_data(struct h2 *h, enum dir d, uint32_t id, const struct h2_bytes *b);
void h2_stream_data_lost(struct h2 *h, enum dir d, uint32_t id, uint64_t n, uint64_t ts_ns);
void h2_stream_end(struct h2 *h, enum dir d, uint32_t id, uint64_t ts_ns);
void h2_stream_reset(struct h2 *h, uint32_t id, uint32_t code, uint64_t ts_ns);
void h2_streams_goaway(struct h2 *h, enum dir d, uint32_t last, uint32_t code, uint64_t ts_ns);
/* Bytes of a direction are missing, nobody knows whose. */
void h2_streams_lost(struct h2 *h, enum dir d);
/* Streams above `first` may be opened unseen from now on. */
void h2_hole_open(struct h2 *h, uint32_t first, enum h2_hole_kind kind);
void h2_streams_tick(struct h2 *h, uint64_t now_ns);
void h2_streams_close(struct h2 *h);
/* After requests were learnt: what waited for that and is over. */
void h2_streams_sweep(struct h2 *h);
/* Requests go this way. */
void h2_learn_requests(struct h2 *h, enum dir d);

/* Were bytes of direction d missed since the stream's request began? */
bool h2_stream_missed(const struct h2 *h, enum dir d, const struct h2_stream *st);

/* A limit cut something of the stream; counted once for it. */
void h2_stream_limit(struct h2 *h, struct h2_stream *st, enum limit_kind k);

/* h2_txn.c: the stream is over; hands its transaction to the sink. */
void h2_txn_emit(struct h2 *h, struct h2_stream *st);
/* Its request began, in direction d: a transaction of its own shows that. */
void h2_txn_begun(struct h2 *h, enum dir d, const struct h2_stream *st);
/* A message of direction d ended in `b`: an event of its own, when this is known to be gRPC. */
void h2_txn_message(struct h2 *h, enum dir d, const struct h2_stream *st, const struct h2_bytes *b);
/* `b` came of a body in direction d, counted already: an event of its own, when this is not gRPC. */
void h2_txn_piece(struct h2 *h, enum dir d, const struct h2_stream *st, const struct h2_bytes *b);

#endif
