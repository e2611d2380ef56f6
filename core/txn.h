/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A transaction: one exchange of one protocol, described by a common envelope and a list of typed
 * attributes with their output names (core/attr_names.h). Writers know the envelope and the attribute
 * types, never a protocol; that is why a new protocol touches no writer.
 *
 * A parser makes one with txn_new(), fills it from its arena and hands it over with sink->txn(); from
 * then on it belongs to flow/, which frees it after the writers have seen it.
 */
#ifndef TLSLENS_CORE_TXN_H
#define TLSLENS_CORE_TXN_H

#include "core/arena.h"
#include "core/conn.h"

/* One field of a header section, in the order of the wire. */
struct header {
	struct str name, value; /* as on the wire; {NULL, 0} when unknown (HTTP/2 joined late) */
	int64_t ref;		/* which unknown table entry, when both are unknown; else 0 */
	bool never_indexed;	/* RFC 7541 section 7.1.3 */
	bool oversize;		/* longer than the decoder takes; value absent */
	bool trailer;
};

enum attr_type {
	ATTR_STR, /* any bytes; writers make them safe for their format */
	ATTR_INT, /* int64 */
	ATTR_BOOL,
	ATTR_STRS,    /* array of strings */
	ATTR_HEADERS, /* array of struct header */
	ATTR_BYTES,   /* written as base64 */
	ATTR_JSON,    /* a JSON value already made, valid UTF-8 */
};

struct attr {
	const char *name; /* a constant of core/attr_names.h */
	enum attr_type type;
	uint32_t count; /* elements of ATTR_STRS and ATTR_HEADERS */
	union {
		struct str str;
		int64_t num;
		bool flag;
		struct str *strs;
		struct header *headers;
	};
};

/* How a transaction went, for colours, sums and filters: never guessed from the protocol by a writer. */
enum outcome {
	OUTCOME_UNKNOWN = 0,
	OUTCOME_OK,
	OUTCOME_REDIRECT, /* no error, nothing served: HTTP 3xx */
	OUTCOME_CLIENT_ERROR,
	OUTCOME_SERVER_ERROR,
	OUTCOME_ABORTED, /* reset, cut off or never answered */
};

/* Reasons in `tlslens.truncated`. */
enum txn_flag {
	TXN_LOST_REQUEST = 1 << 0, /* bytes of the request were lost */
	TXN_LOST_RESPONSE = 1 << 1,
	TXN_LATE = 1 << 2,	  /* joined after its first byte: `tlslens.partial` */
	TXN_NO_REQUEST = 1 << 3,  /* the response alone was seen: `tlslens.partial` */
	TXN_NO_RESPONSE = 1 << 4, /* ended without a whole response: `tlslens.partial` */
	TXN_AMBIGUOUS = 1 << 5,	  /* `tlslens.ambiguous`: peers may read these bytes differently */
	TXN_LIMIT = 1 << 6,	  /* a stated limit cut something */
	TXN_UNKNOWN_HEADERS = 1 << 7,
	TXN_EARLY = 1 << 8,	  /* not over yet: more will follow under the same txn id */
	TXN_CUT_REQUEST = 1 << 9, /* ended before the request was whole: `tlslens.partial` */
	TXN_EVENT = 1 << 10, /* no exchange: it happened to the process, without a connection */
};

#define TXN_ATTRS_MAX 96

struct txn {
	/* the envelope */
	const struct conn *conn;   /* borrowed */
	const char *event_name;	   /* `event.name`: http.exchange, rpc.exchange, ... static */
	const char *proto_name;	   /* `network.protocol.name` */
	const char *proto_version; /* `network.protocol.version` or NULL */
	uint64_t start_ns; /* record time of the first byte of the request (or of what was seen) */
	uint64_t end_ns;   /* of the last byte */
	uint64_t request_end_ns, response_start_ns; /* 0 when not seen */
	int64_t clock_offset_ns; /* add to record time for CLOCK_REALTIME; set by flow/ */
	uint32_t tid;		 /* thread that moved the first byte */
	struct str thread_name;	 /* {NULL, 0} when not known; set by flow/, which owns it */
	enum role role;		 /* of the traced process in this transaction */
	uint64_t stream_id;	 /* HTTP/2 stream, else 0 with has_stream false */
	bool has_stream;
	unsigned int flags; /* enum txn_flag */
	enum outcome outcome;
	uint64_t lost_bytes;	 /* `tlslens.lost_bytes`, both directions */
	enum peer_source source; /* evidence at the time; set by flow/ */

	/* for a person's line: verb target status, e.g. "GET" "https://h/p" "200". Bytes may be anything */
	struct str verb, target, status;
	struct str
		gist; /* ... and what the answer says in a few words, where that is not bytes: addresses */
	uint64_t request_body_bytes, response_body_bytes; /* on the wire */

	struct attr *attrs; /* in output order, in the arena */
	uint32_t attr_count, attr_cap;

	struct arena arena;
	struct txn *next; /* for whoever owns it */
};

static inline bool txn_is_event(const struct txn *t)
{
	return t->flags & TXN_EVENT;
}

/* A fresh transaction of a connection, recycled where possible; NULL without memory. */
struct txn *txn_new(const struct conn *conn);
void txn_free(struct txn *t);
/* Frees what the recycler keeps; at exit. */
void txn_pool_drain(void);

/*
 * Append an attribute. The name must be a constant of attr_names.h; values are borrowed, so they must
 * live in the arena or be static. Past TXN_ATTRS_MAX the attribute is dropped and TXN_LIMIT set.
 */
void txn_str(struct txn *t, const char *name, struct str v);
void txn_int(struct txn *t, const char *name, int64_t v);
void txn_bool(struct txn *t, const char *name, bool v);
void txn_strs(struct txn *t, const char *name, struct str *v, uint32_t count);
void txn_headers(struct txn *t, const char *name, struct header *v, uint32_t count);
void txn_bytes(struct txn *t, const char *name, struct str v);
void txn_json(struct txn *t, const char *name, struct str v);

/* Has it no value to be shown? */
static inline bool attr_absent(const struct attr *a)
{
	return ((a->type == ATTR_STR || a->type == ATTR_BYTES) && !a->str.p) ||
	       (a->type == ATTR_JSON && !a->str.n);
}

/* The attribute of that name, or NULL. Compares contents. */
struct attr *txn_attr(const struct txn *t, const char *name);

#endif
