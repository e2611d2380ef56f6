/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The content of a message after its header section (RFC 9112 sections 6 and 7): by length, chunked or
 * until the connection closes. Resumable at every octet, keeps none of them. It is not llhttp's, because a
 * passive reader must step over lost octets inside a chunk of known size, and go on where servers do.
 */
#ifndef TLSLENS_PARSERS_HTTP1_BODY_H
#define TLSLENS_PARSERS_HTTP1_BODY_H

#include "parsers/http1_head.h"

struct http1_content {
	enum {
		CONTENT_LENGTH,
		CONTENT_UNTIL_CLOSE,
		CONTENT_CHUNK_SIZE,
		CONTENT_CHUNK_SIZE_END, /* white space after the size */
		CONTENT_CHUNK_EXT,
		CONTENT_CHUNK_LINE_CR, /* CR seen in the chunk line */
		CONTENT_CHUNK_DATA,
		CONTENT_CHUNK_CRLF, /* after the data */
		CONTENT_CHUNK_LF,
	} state;
	uint64_t left;	     /* of the content or the chunk; the size while it is being read */
	uint32_t line_bytes; /* of the chunk line so far */
	bool digits;	     /* the size has some */
	unsigned int ambiguity;
};

enum http1_piece {
	PIECE_DATA,	/* `taken` octets are content */
	PIECE_FRAMING,	/* are not */
	PIECE_TRAILERS, /* are not, and a trailer section follows */
	PIECE_BAD,	/* not chunked framing */
};

/* For BODY_LENGTH (length > 0), BODY_CHUNKED and BODY_UNTIL_CLOSE. */
void http1_content_begin(struct http1_content *c, enum http1_body kind, uint64_t length);

/* Takes 1 to n octets. PIECE_DATA that completes the content by length is followed by http1_content_done(). */
enum http1_piece http1_content_next(struct http1_content *c, const uint8_t *p, size_t n,
				    size_t *taken);
bool http1_content_done(const struct http1_content *c);

/* `lost` octets are missing here. How many of them were content for sure; false: framing went with them. */
bool http1_content_gap(struct http1_content *c, uint64_t lost, uint64_t *content);

#endif
