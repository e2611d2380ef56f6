/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From records to connections: order and gaps of each direction, the socket of each context, the protocol,
 * and the queue in which transactions and chunks wait until their evidence and their secrets are settled.
 * Runs on record time alone; the same records give the same output.
 */
#ifndef TLSLENS_FLOW_FLOW_H
#define TLSLENS_FLOW_FLOW_H

#include "bpf/event.h"
#include "core/proto.h"
#include "core/sink.h"

#define FLOW_CONNS_MAX 65536  /* live connections; the one idle longest goes */
#define FLOW_PEER_WAIT_MS 500 /* a transaction waits this long for evidence of its peer */
#define FLOW_REORDER_MS 20    /* a record out of order waits this long for its predecessor */
#define FLOW_REORDER_BYTES (4u << 20) /* per direction */
#define FLOW_HELD_BYTES (1u << 20)    /* chunks of a connection waiting to be released */
#define FLOW_PROBE_BYTES 4096 /* looked at before a direction is declared of no known protocol */
#define FLOW_WAIT_BYTES (1u << 20)	   /* per direction, while a parser answers PARSE_WAIT */
#define FLOW_HELD_TXNS 1024		   /* of a connection, waiting for evidence of the peer */
#define FLOW_HELD_TOTAL_BYTES (128u << 20) /* of all connections; over it nobody may hold more */
#define FLOW_SECRETS_MAX 1024 /* spans of a direction not yet released; more are merged */
#define FLOW_PROCS_MAX 65536  /* the oldest without connections goes */
#define FLOW_THREADS 64	      /* of a process, whose names are known at a time */
#define FLOW_SOCKS_MAX 131072 /* the one announced first goes */
#define FLOW_NAMES_MAX 65536  /* addresses with a name; the one answered longest ago goes */
#define FLOW_NAME_GRACE_S 60  /* a name is good for its TTL and so long: programs keep answers */
/*
 * What a plain socket may say before it is given up as one that speaks no protocol known here: so many calls
 * and bytes, seen from its first byte or joined late (in the middle of a body, say), or so many datagrams.
 */
#define FLOW_PLAIN_CALLS 8
#define FLOW_PLAIN_BYTES (16u << 10)
#define FLOW_PLAIN_LATE_CALLS 256
#define FLOW_PLAIN_LATE_BYTES (1u << 20)
#define FLOW_PLAIN_DATAGRAMS 4
#define FLOW_CIPHERS_MAX \
	8192 /* beginnings of records not yet matched, or matched; the oldest goes */
#define FLOW_HELLO_TOTAL_BYTES (16u << 20) /* of hellos not yet whole; over it one is given up */
#define FLOW_SINK_TICK_MS 10
#define FLOW_PARSER_TICK_MS 100

struct flow;

struct flow_cfg {
	struct limits limits;
	bool chunks;			     /* somebody wants them */
	bool process_events;		     /* forks, execs and exits, too */
	const struct proto_ops *const *rows; /* NULL: proto_rows */
	/*
	 * Nothing more is wanted of this plain socket, or of `all` that goes over it; called within flow_event().
	 * May be NULL.
	 */
	void (*unwanted)(void *arg, uint64_t sock, bool all);
	void *unwanted_arg; /* borrowed as long as the flow */
	/* Is a connection that this row takes of any use? NULL: every one is. */
	bool (*wants)(void *arg, const struct proto_ops *row);
	void *wants_arg; /* borrowed as long as the flow */
};

struct flow_stats {
	uint64_t conns, conns_live, conns_evicted;
	uint64_t procs_evicted, socks_evicted, ciphers_evicted, names_evicted;
	uint64_t txns;
	uint64_t bytes;		 /* payload fed */
	uint64_t gap_bytes;	 /* told to parsers as missing */
	uint64_t unparsed_bytes; /* of TLS connections whose protocol was not recognised */
	uint64_t unwanted;	 /* plain sockets given up: TLS, or no protocol known here */
	uint64_t refused;	 /* connections of protocols that nobody wants */
	/* plain sockets of which nothing was shown, those given up and those that ended before */
	struct flow_unread {
		uint64_t socks, bytes;
	} unread_tls, unread_unknown;
	uint64_t resyncs;
	uint64_t hellos_dropped; /* not read to their end because too much waited */
	uint64_t reordered;	 /* records that came before their predecessor */
	uint64_t stale;		 /* records for positions already passed: dropped */
	uint64_t held_over;	 /* transactions and chunks let go early because too much waited */
	uint64_t limits[LIMIT_KINDS]; /* how often each cut something */
};

/* One process, for the summary. */
struct flow_proc_stats {
	const struct identity *proc; /* borrowed */
	const char *lib;	     /* row name of its last connection */
	uint64_t conns, txns, bytes[2];
	uint64_t tls_conns;	     /* of them; with plaintext, that is */
	uint64_t tls_socks;	     /* sockets that records of TLS were seen on */
	struct ev_counters counters; /* the last received; zero when none */
};

/* The sink is borrowed until flow_free(). NULL without memory. */
struct flow *flow_new(const struct flow_cfg *cfg, struct sink *out);
/* One record, already checked. 0 or the sink's negative errno. */
int flow_event(struct flow *f, const struct ev_hdr *ev);
/* End of input: everything waiting is decided and written. 0 or the sink's negative errno. */
int flow_finish(struct flow *f);
void flow_stats(const struct flow *f, struct flow_stats *st);
/* Calls fn for every process seen, in order of first sight. */
void flow_each_proc(const struct flow *f, void (*fn)(const struct flow_proc_stats *, void *),
		    void *arg);
void flow_free(struct flow *f);

#endif
