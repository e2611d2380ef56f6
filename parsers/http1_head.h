/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One header section of HTTP/1 (RFC 9112 sections 2 to 6): where it ends, what it says, how long the
 * content after it is. A section is read when all of it is there, so that every span is whole.
 *
 * llhttp, in strict mode, reads it. What llhttp refuses, or accepts though peers read it in different
 * ways, is read again by the lenient reader, which names what it met.
 */
#ifndef TLSLENS_PARSERS_HTTP1_HEAD_H
#define TLSLENS_PARSERS_HTTP1_HEAD_H

#include "core/proto.h"

/* What makes a message ambiguous: bits, in the order in which they are named in the output. */
enum http1_ambiguity {
	AMBIGUOUS_CL_TE,	    /* Content-Length and Transfer-Encoding */
	AMBIGUOUS_CL_REPEATED,	    /* the same Content-Length twice, or "3, 3" */
	AMBIGUOUS_CL_CONFLICT,	    /* different Content-Lengths */
	AMBIGUOUS_CL_INVALID,	    /* "+3", "0x3", "" */
	AMBIGUOUS_TE,		    /* chunked is not the final coding, or is applied twice */
	AMBIGUOUS_TE_HTTP10,	    /* Transfer-Encoding in an HTTP/1.0 message */
	AMBIGUOUS_HOST,		    /* different Host fields */
	AMBIGUOUS_BARE_LF,	    /* LF without CR ends a line */
	AMBIGUOUS_BARE_CR,	    /* CR without LF inside a line */
	AMBIGUOUS_OBS_FOLD,	    /* a field value goes on in the next line */
	AMBIGUOUS_SPACE_COLON,	    /* white space between field name and colon */
	AMBIGUOUS_LEADING_SPACE,    /* white space before the first field */
	AMBIGUOUS_FIELD_LINE,	    /* a line without colon, or an empty name */
	AMBIGUOUS_FIELD_CHARS,	    /* octets that names or values cannot have */
	AMBIGUOUS_START_LINE_SPACE, /* not single spaces between the parts of the start line */
	AMBIGUOUS_METHOD,	    /* a method llhttp does not know */
	AMBIGUOUS_TARGET,	    /* octets that a request-target cannot have */
	AMBIGUOUS_VERSION,	    /* HTTP/1.x with x > 1 */
	AMBIGUOUS_CHUNK_LINE,	    /* white space or control octets around a chunk size */
	AMBIGUOUS_CHUNK_INVALID,    /* no chunk where one must be */
	AMBIGUOUS_REFUSED,	    /* llhttp refused it for a reason not in this list */
	AMBIGUOUS_COUNT,
};

const char *http1_ambiguity_name(enum http1_ambiguity a);

/* Finds the end of a header section, resumable at every octet; also of a trailer section. */
struct http1_scan {
	enum {
		SCAN_LINE_START,
		SCAN_LINE_CR, /* a line that so far is CR alone */
		SCAN_LINE,
	} state;
	uint8_t last;		/* octet before the next one */
	uint32_t lines;		/* ended so far, the empty one too */
	unsigned int ambiguity; /* seen in the line structure */
};

/* Octets up to and with the empty line that ends the section; 0 when it is not in these n. */
size_t http1_scan(struct http1_scan *sc, const uint8_t *p, size_t n);

enum http1_length {
	LENGTH_NONE,
	LENGTH_VALID,
	LENGTH_INVALID,
};

struct http1_head {
	bool request;
	uint8_t minor; /* HTTP/1.minor */
	unsigned int status;
	struct str method, target, status_text; /* status_text: three digits */

	struct header *headers; /* in the arena */
	uint32_t count, cap;

	/* What the framing needs. */
	enum http1_length length;
	uint64_t content_length;
	bool coded;   /* Transfer-Encoding is there */
	bool chunked; /* and its final coding is chunked */
	bool connection_upgrade;
	struct str host, upgrade;

	bool cut; /* the section ended inside its last line, which is the last header */
	unsigned int ambiguity;
};

/*
 * Reads a whole section of n > 0 octets in the arena (the lenient reader edits it in place). `lines`
 * bounds the number of fields. The head points into the section. 0; -EBADMSG when it is no HTTP/1 start
 * line; -ENOMEM.
 */
int http1_head_read(struct http1_head *h, struct arena *a, struct str section,
		    const struct http1_scan *sc);

/*
 * The lenient reader: the same with what servers accept and llhttp does not. Also for sections that are
 * cut off (lost bytes, a limit, the end of the connection): the last line counts without its end.
 */
int http1_head_read_lenient(struct http1_head *h, struct arena *a, struct str section,
			    uint32_t lines);

/* The fields of a trailer section (RFC 9112 section 7.1.2), appended to h->headers with `trailer` set. */
int http1_trailers_read(struct http1_head *h, struct arena *a, struct str section, uint32_t lines);

/* For the readers: appends a field and notes what it says about framing; appends a trailer field. */
void http1_head_field(struct http1_head *h, struct str name, struct str value);
void http1_head_trailer(struct http1_head *h, struct str name, struct str value);

/* A comma-separated list holds the token, case-insensitively (RFC 9110 section 5.6.1). */
bool http1_list_has(struct str list, struct str token);

enum http1_body {
	BODY_NONE,
	BODY_LENGTH,
	BODY_CHUNKED,
	BODY_UNTIL_CLOSE,
	BODY_TUNNEL,  /* 101, or 2xx to CONNECT: what follows is another protocol */
	BODY_UNKNOWN, /* the fields do not say: what follows cannot be placed */
};

/*
 * RFC 9112 section 6.3, point by point. The method is that of the request (of the one that a response
 * answers; absent when not seen). May add to h->ambiguity.
 */
enum http1_body http1_framing(struct http1_head *h, struct str method);

/* See proto_ops.probe. */
enum probe_res http1_probe(enum dir d, const uint8_t *p, size_t n);

#endif
