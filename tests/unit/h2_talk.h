/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole HTTP/2 conversation made in memory by two nghttp2 sessions, with a record of what each side
 * said: the truth that the parser is compared with.
 */
#ifndef TLSLENS_TESTS_H2_TALK_H
#define TLSLENS_TESTS_H2_TALK_H

#include "core/buf.h"
#include "core/txn.h"

#define TALK_FIELDS_MAX 24

enum talk_end {
	TALK_WHOLE,
	TALK_CLIENT_RESET, /* with CANCEL, when the response's header section came */
	TALK_SERVER_RESET, /* with INTERNAL_ERROR, instead of a response */
};

struct talk_side {
	struct header fields[TALK_FIELDS_MAX]; /* trailers at the end, marked */
	uint32_t count;
	uint32_t trailers;
	size_t body_bytes; /* planned */
	size_t sent_bytes;
};

struct talk_stream {
	struct talk_side request, response;
	enum talk_end end;
	uint32_t messages[2]; /* gRPC: planned in request and response; 0 and 0: plain HTTP */
	uint16_t interim;
	bool answered;
};

/* One call of an application: bytes in one direction. */
struct talk_call {
	enum dir dir; /* of a client's process */
	size_t at, n; /* in bytes */
};

struct talk {
	struct talk_stream *streams; /* stream id 2 * i + 1 */
	uint32_t count;
	struct talk_call *calls;
	size_t calls_n, calls_cap;
	struct buf bytes;
	struct arena arena;
};

struct talk_cfg {
	uint32_t streams, concurrent;
	uint32_t seed;
	size_t body_max;   /* of plain HTTP */
	size_t header_max; /* of one random field value */
	bool grpc;	   /* every stream is a call */
	bool padding, resets;
	bool chopped; /* calls end anywhere, not with a frame */
};

/* Aborts the test on any error. */
void talk_make(struct talk *t, const struct talk_cfg *cfg);
void talk_free(struct talk *t);

#endif
