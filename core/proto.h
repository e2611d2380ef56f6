/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A protocol is a row: struct proto_ops. flow/ drives it and knows none by name.
 *
 * A parser is a state machine over both directions of one connection, resumable at every byte. It does no
 * I/O, reads no clock, logs nothing, keeps no pointer into a slice after feed() returned. Time comes with
 * the bytes and with tick(). Whatever the bytes are, it neither crashes nor aborts: what it cannot read
 * is PARSE_LOST, and flow/ looks for the next place to start.
 */
#ifndef TLSLENS_CORE_PROTO_H
#define TLSLENS_CORE_PROTO_H

#include "core/txn.h"

enum probe_res {
	PROBE_NO,   /* these bytes do not begin a message of this protocol */
	PROBE_MORE, /* they might, with more of them */
	PROBE_YES,
};

enum parse_status {
	PARSE_OK, /* everything was taken */
	PARSE_WAIT, /* what was not consumed makes sense only after bytes of the other direction: flow/
			* keeps it, feeds it again after those, and again after WAIT_PEER_MS with
			* slice-independent flag proto_feed.expired, when it must be taken */
	PARSE_UPGRADE, /* from the first unconsumed byte on the connection speaks `next` */
	PARSE_LOST,    /* out of step in this direction: resync at a later message start */
};

#define WAIT_PEER_MS 200

struct parse_res {
	enum parse_status status;
	size_t consumed;
	const char *next; /* PARSE_UPGRADE: name of a row, or NULL for bytes nobody parses */
};

struct secret_rules; /* core/secrets.h */

/* What a parser may keep, from the command line; no policy. */
struct limits {
	size_t body_bytes;   /* of each body to keep (0: none) */
	size_t header_bytes; /* of one header section; more sets TXN_LIMIT */
	uint32_t headers;    /* fields in a section */
	uint32_t pipeline;   /* requests without a response on one connection */
	uint32_t streams;    /* live HTTP/2 streams a connection */
	uint32_t continuation_frames;
	bool early;			    /* emit TXN_EARLY when a transaction starts */
	bool rpc_messages;		    /* one event per gRPC message */
	const struct secret_rules *secrets; /* borrowed; NULL: the names of the table alone */
};

extern const struct limits limits_default;

/* Which limit cut something: counted by flow/, and TXN_LIMIT in the transaction where there is one. */
enum limit_kind {
	LIMIT_HEADER_BYTES,  /* limits.header_bytes */
	LIMIT_HEADERS,	     /* limits.headers */
	LIMIT_INTERIM,	     /* 1xx responses listed for an exchange */
	LIMIT_REQUESTS,	     /* limits.pipeline */
	LIMIT_STREAMS,	     /* limits.streams */
	LIMIT_CONTINUATIONS, /* limits.continuation_frames */
	LIMIT_KEPT_BYTES,    /* of headers and bodies held for the exchanges of a connection */
	LIMIT_HPACK_TABLE,   /* a larger one is known in part */
	LIMIT_HPACK_STRING,
	LIMIT_FRAME_BYTES, /* the receiver's own: no such frame can be */
	LIMIT_SEARCH,	   /* octets without a frame boundary */
	LIMIT_KINDS,
};

/* The traced process was told an address of a name that it had asked for. */
struct resolved {
	struct str name; /* as it was asked for, in presentation format and lower case */
	enum addr_family family;
	const uint8_t *addr; /* 4 or 16 octets, network order */
	uint32_t ttl_s;
	uint64_t ts_ns; /* of the answer */
};

/* Where a parser puts what it finds. Implemented by flow/ and by tests. */
struct proto_sink {
	const struct proto_sink_ops *ops;
};

struct proto_sink_ops {
	/* Takes ownership of a finished transaction. */
	void (*txn)(struct proto_sink *s, struct txn *t);
	/* Bytes [off, off + n) of a direction are a secret. Must come before they are settled. */
	void (*secret)(struct proto_sink *s, enum dir d, uint64_t off, uint64_t n, uint8_t fill);
	/*
	 * No secret will be reported below `off` any more; flow/ releases chunks up to here. A parser that
	 * never calls it has everything it consumed settled at once; one that does calls settles_itself.
	 * What is settled in a call that ends in PARSE_LOST counts for nothing.
	 */
	void (*settled)(struct proto_sink *s, enum dir d, uint64_t off);
	/* The traced process turned out to be this side of the connection. */
	void (*role)(struct proto_sink *s, enum role r);
	/* Borrowed for the call. May be NULL: nobody remembers names. */
	void (*resolved)(struct proto_sink *s, const struct resolved *r);
	/* May be NULL: nobody counts. */
	void (*limit)(struct proto_sink *s, enum limit_kind k);
};

static inline void proto_limit(struct proto_sink *s, enum limit_kind k)
{
	if (s->ops->limit)
		s->ops->limit(s, k);
}

/* How a parser comes to a connection. All borrowed for the call of open() only. */
struct proto_open {
	const struct conn *conn;	 /* borrowed until close() */
	struct proto_sink *sink;	 /* borrowed until close() */
	const struct limits *limits;	 /* borrowed until close() */
	bool late;			 /* not the first byte of the connection */
	const struct txn *upgraded_from; /* the exchange that switched protocols, or NULL */
};

struct proto_ops {
	const char *name; /* "http/1", "http/2", "websocket", "dns" ... */
	const char *alpn; /* ALPN identifier for pcapng, or NULL: "http/1.1", "h2", "dot" */
	/*
	 * Every txn.proto_name that may come of a connection once this row has it, NULL behind the last; NULL where
	 * it must be read whatever is asked for, as others need what it says.
	 */
	const char *const *txn_names;
	uint16_t port, tls_port; /* where a reader of packets looks for it, or 0: anywhere */
	bool datagram;		 /* each slice is one whole message */
	bool settles_itself;	 /* calls sink->settled() */
	bool seeks; /* after a late open() or PARSE_LOST it may be fed from anywhere: finds the
			      * next message start itself, wherever in a call that is */
	/* Do these bytes begin a message? They stand at the start of a call or of the connection. */
	enum probe_res (*probe)(enum dir d, const uint8_t *p, size_t n);
	/* NULL without memory. */
	void *(*open)(const struct proto_open *o);
	/* `expired`: no bytes of the other direction came in time, do not answer PARSE_WAIT. */
	struct parse_res (*feed)(void *st, enum dir d, const struct slice *s, bool expired);
	/* `lost` bytes are missing before the next feed of this direction. PARSE_OK: it could go on. */
	struct parse_res (*gap)(void *st, enum dir d, uint64_t lost, uint64_t ts_ns);
	/* This direction of the parser must start anew at a message boundary (after PARSE_LOST). */
	void (*resync)(void *st, enum dir d);
	/* Record time reached now_ns. May be NULL. */
	void (*tick)(void *st, uint64_t now_ns);
	/* The connection ended: emit what is in flight, marked so. Frees the state. */
	void (*close)(void *st, uint64_t now_ns);
};

/* Every row, in the order of asking, NULL-terminated; parsers/registry.c. */
extern const struct proto_ops *const proto_rows[];
const struct proto_ops *proto_by_name(const char *name);

#endif
