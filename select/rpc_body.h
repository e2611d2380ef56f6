/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a gRPC body says: its messages are taken out of their frames, their compression is undone within
 * bounds, and each is written as JSON.
 */
#ifndef TLSLENS_SELECT_RPC_BODY_H
#define TLSLENS_SELECT_RPC_BODY_H

#include "select/coding.h"
#include "select/protobuf_json.h"

struct rpc_body {
	struct str framed;	    /* from the first octet on, as far as it was kept */
	struct str encoding;	    /* of grpc-encoding; {NULL, 0} when it is not known */
	const struct pb_type *type; /* of each message; NULL: not known */
	size_t limit; /* octets of messages to show, after the compression is undone */
};

/*
 * A JSON array of the messages, appended. CODING_CUT: there is more than it shows; DAMAGED and UNKNOWN: a
 * compression cannot be undone, and nothing of use was appended.
 */
enum coding_result rpc_body_json(struct buf *out, const struct rpc_body *body);

#endif
