/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Contents of HTTP messages that are messages of another protocol: a row a media type. The parsers of HTTP
 * keep as much of a content as its row asks for, however little of bodies is to be shown, and emit an
 * exchange through content_emit(): the exchange stays what it is, what it carried comes behind it.
 */
#ifndef TLSLENS_PARSERS_CONTENT_H
#define TLSLENS_PARSERS_CONTENT_H

#include "core/proto.h"

/* One message of an exchange. Without headers when it was not seen. */
struct content_message {
	const struct header *headers; /* borrowed, with those below */
	uint32_t count;
	struct str body; /* the first octets of it, as kept */
	bool whole;	 /* they are all of it */
};

struct content_ops {
	const char *media_type; /* of at least one of the two messages */
	size_t bytes_max;	/* of a content that can be such a message */
	/*
	 * What the exchange carried as a transaction of its own, or NULL. `http` has its envelope and attributes.
	 */
	struct txn *(*describe)(struct proto_sink *sink, const struct txn *http,
				const struct content_message *req,
				const struct content_message *resp);
};

extern const struct content_ops content_dns; /* RFC 8484 */

/* How many octets of the content after these fields are to be kept: limits->body_bytes or more. */
size_t content_keep_bytes(const struct header *headers, uint32_t count,
			  const struct limits *limits);

/* Is a field the media type? Parameters do not count. Of a coded content false. */
bool content_is(const struct content_message *m, struct str media_type);

/* Octets of a body that came together, while its message goes on. */
struct content_piece {
	bool request;
	bool misplaced;		      /* nobody knows where in the body they stand */
	const struct header *headers; /* of the message; borrowed, with those below */
	uint32_t count;
	uint64_t offset;
	struct str octets;
};

static inline bool content_wants_pieces(const struct limits *limits)
{
	return limits->early && limits->body_bytes;
}

/* Makes an event of a transaction that has the request's part: this came of a body. */
void content_describe_piece(struct txn *t, const struct content_piece *p,
			    const struct limits *limits);

/* Hands the exchange to the sink, and then what it carried. */
void content_emit(struct proto_sink *sink, struct txn *http, const struct content_message *req,
		  const struct content_message *resp);

#endif
