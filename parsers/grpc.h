/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gRPC over HTTP/2 (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md): messages in the DATA of a stream, a
 * status in the trailers. Knows nothing of frames or streams.
 */
#ifndef TLSLENS_PARSERS_GRPC_H
#define TLSLENS_PARSERS_GRPC_H

#include "core/txn.h"

#define GRPC_PREFIX 5 /* Compressed-Flag, Message-Length */

/* The boundaries of Length-Prefixed-Messages in one direction. All zero is the start of the DATA. */
struct grpc_framing {
	uint8_t prefix[GRPC_PREFIX];
	uint8_t prefix_n;
	bool broken;	   /* no longer known where a message begins; `messages` is a lower bound */
	uint32_t left;	   /* octets of the message that are to come */
	uint64_t messages; /* whole ones */
};

/* Takes octets up to the end of the next message, or all there are; returns how many. */
size_t grpc_next(struct grpc_framing *g, const uint8_t *p, size_t n);
/* Takes all of them. */
void grpc_data(struct grpc_framing *g, const uint8_t *p, size_t n);
/* n octets of DATA are missing; they do not matter when they lie within a message. */
void grpc_data_lost(struct grpc_framing *g, uint64_t n);

static inline bool grpc_between_messages(const struct grpc_framing *g)
{
	return !g->broken && g->prefix_n == 0;
}

/* A call as HTTP/2 saw it. {NULL, 0}: absent or unknown. */
struct grpc_call {
	struct str path;    /* "/pkg.Service/Method" */
	struct str timeout; /* grpc-timeout */
	struct str request_encoding, response_encoding;
	struct str status, message; /* of the trailers, or of a trailers-only response */
	const struct grpc_framing *request, *response; /* NULL: the count is not known */
};

/* application/grpc, with a subtype or parameters; gRPC-Web is another protocol. */
bool grpc_content_type(struct str v);

/*
 * Makes an RPC of a transaction: envelope and rpc.* and tlslens.grpc.* attributes. The strings of the call
 * must live in its arena.
 */
void grpc_describe(struct txn *t, const struct grpc_call *c);

/* Makes an rpc.message event of it: the message of the call that just ended in `g`. */
void grpc_describe_message(struct txn *t, const struct grpc_framing *g, const struct grpc_call *c,
			   bool sent);
/* On the wire, its prefix too. */
uint64_t grpc_message_bytes(const struct grpc_framing *g);

#endif
