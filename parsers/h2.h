/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP/2 (RFC 9113), inside: the state of a connection and what its files do for each other.
 *
 *   h2_frame.c   frame headers, and whether bytes are frames
 *   h2.c         the row: bytes of a direction into frames
 *   h2_search.c  the first frame boundary of a direction joined in its middle
 *   h2_block.c   header blocks: put together, walked, their secrets told
 *   h2_stream.c  the streams and when their exchange is over
 *   h2_tunnel.c  streams that became WebSocket
 *   h2_upgrade.c the request that upgraded from HTTP/1
 *   h2_txn.c     a finished stream as a transaction
 */
#ifndef TLSLENS_PARSERS_H2_H
#define TLSLENS_PARSERS_H2_H

#include "parsers/h2_frame.h"
#include "parsers/h2_stream.h"
#include "parsers/hpack.h"

#define H2_SEARCH_BYTES 65536	/* kept while looking for a frame boundary */
#define H2_SEARCH_MARKS 256	/* slices remembered by time in them */
#define H2_SEARCH_CANDIDATES 32 /* positions that may be one; the oldest goes */
#define H2_HOLES_MAX 8		/* ranges of streams opened unseen; more are merged */
#define H2_GONE_MAX 128		/* of those, emitted ones remembered: frames of them may go on */

/* A header block in the making. */
struct h2_block {
	bool open; /* END_HEADERS is to come */
	bool skip; /* its beginning or a part is missing, or it is over a limit: not to be walked */
	bool limit; /* ... the latter */
	bool push;
	bool end_stream;
	uint32_t on;	 /* the frames' stream */
	uint32_t stream; /* that the fields belong to: the promised one of PUSH_PROMISE */
	uint32_t continuations;
	uint64_t lost; /* octets of it that are missing, when that is known */
	uint64_t ts_ns;
	uint32_t tid;
	struct buf octets; /* when it came in parts */
	struct buf pieces; /* struct h2_piece[]: where the octets stood in the stream */
};

struct h2_piece {
	size_t at;    /* in the block */
	uint64_t off; /* in the direction */
};

enum h2_phase {
	H2_START, /* preface or frame */
	H2_HEAD,
	H2_FIXED, /* octets of the payload that say what the rest is */
	H2_BULK,
	H2_PAD,
	H2_SEARCH,
};

struct h2_mark {
	size_t at;
	uint64_t ts_ns;
	uint32_t tid;
};

/* A frame may begin there. */
struct h2_candidate {
	size_t at;	 /* in what is held */
	size_t want;	 /* nothing more can be said before so much is */
	bool call_start; /* an application's call began there */
};

/* Bytes without a known boundary. */
struct h2_search {
	struct buf held;
	uint64_t off; /* of held.p[0] */
	size_t next;  /* positions before it are candidates or no frame */
	uint32_t candidates_n;
	struct h2_candidate *candidates; /* owned, as marks; rising */
	uint32_t marks_n;
	struct h2_mark *marks; /* owned */
};

struct h2_dir {
	enum h2_phase phase;
	uint8_t gather[H2_PREFACE_BYTES]; /* frame head or fixed octets */
	uint8_t have, need;
	struct h2_frame frame;
	uint32_t bulk, pad; /* octets to come of the frame */
	uint64_t frame_ts_ns;
	uint32_t frame_tid;
	uint32_t frame_max; /* SETTINGS_MAX_FRAME_SIZE the receiver allows, as far as seen */
	uint64_t missed_ns; /* up to when bytes of it were missed; UINT64_MAX: they still are */
	struct hpack hpack;
	struct h2_block block;
	struct h2_search search;
};

/* Numbers of streams that may have been opened unseen. */
struct h2_hole {
	uint32_t first, last; /* last UINT32_MAX: no request was seen since */
	enum h2_hole_kind kind;
};

struct h2 {
	const struct conn *conn;
	struct proto_sink *sink;
	const struct limits *limits;
	int requests; /* the direction requests go, -1: not known yet */
	bool learnt;  /* ... just now */
	bool lost;    /* bytes were lost: streams may linger */
	uint32_t holes_n;
	struct h2_hole holes[H2_HOLES_MAX];
	uint32_t gone_n;
	uint32_t gone[H2_GONE_MAX]; /* a ring */
	uint32_t opened;	    /* highest stream a request opened */
	uint32_t evicted;	    /* highest stream that limits->streams cost us */
	uint32_t unpaired;	    /* streams with a whole response that wait for their request */
	size_t kept_bytes;
	uint64_t scan_ns; /* of the last look for overdue streams */
	struct h2_stream *streams;
	struct h2_tunnel *tunnels; /* by stream; not among the streams any more */
	struct h2_dir dir[DIR_COUNT];
};

/* h2.c: enters the frame loop with bytes that begin where the direction stands. */
struct parse_res h2_frames(struct h2 *h, enum dir d, const struct slice *s);

/* h2_search.c */
struct parse_res h2_search_feed(struct h2 *h, enum dir d, const struct slice *s);
/* What is held is given up. */
void h2_search_begin(struct h2 *h, enum dir d);
void h2_search_free(struct h2_search *s);

/* h2_block.c: `piece` is the next part of the open block's fragment; `last` ends the block. */
void h2_block_begin(struct h2 *h, enum dir d, uint32_t stream, bool push);
void h2_block_piece(struct h2 *h, enum dir d, const struct h2_bytes *piece, bool last);
/* The block cannot be read any more; its octets so far are masked and the context begins anew. */
void h2_block_spoil(struct h2 *h, enum dir d, bool limit);
/* Nor will its end be seen: tells the stream what there was. Nothing without an open block. */
void h2_block_cut(struct h2 *h, enum dir d);
void h2_block_free(struct h2_block *b);

/* h2_tunnel.c: was WebSocket asked for, and granted just now? */
bool h2_tunnel_begins(const struct h2 *h, const struct h2_stream *st);
/* `connect`: the exchange that opened it, borrowed for the call. */
void h2_tunnel_open(struct h2 *h, uint32_t id, const struct txn *connect);
/* False: the stream is no tunnel. */
bool h2_tunnel_data(struct h2 *h, enum dir d, uint32_t id, const struct h2_bytes *b);
void h2_tunnel_lost(struct h2 *h, enum dir d, uint32_t id, uint64_t n, uint64_t ts_ns);
void h2_tunnel_end(struct h2 *h, enum dir d, uint32_t id, uint64_t ts_ns);
void h2_tunnel_reset(struct h2 *h, uint32_t id, uint64_t ts_ns);
void h2_tunnels_lost(struct h2 *h, enum dir d);
void h2_tunnels_close(struct h2 *h, uint64_t now_ns);

/* h2_upgrade.c: the exchange that switched to HTTP/2 opens stream 1. 0 or -ENOMEM. */
int h2_upgraded(struct h2 *h, const struct txn *from);

#endif
