/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What flow/ knows, all of it hanging at struct flow. Nothing here reads a clock: `now_ns` is the latest
 * record's time.
 */
#ifndef TLSLENS_FLOW_STATE_H
#define TLSLENS_FLOW_STATE_H

#include "flow/flow.h"
#include "flow/hash.h"
#include "flow/sock.h"
#include "identity/identity.h"

#define NS_PER_MS 1000000ull

struct flow_cipher; /* cipher.c */
struct flow_name;   /* names.c */

enum timer_kind {
	TIMER_REORDER, /* a record waits for its predecessor */
	TIMER_WAIT,    /* a parser waits for the other direction */
	TIMER_PEER,    /* a connection waits for evidence of its peer */
	TIMER_KINDS,
};

struct flow_timer {
	struct flow_timer *prev, *next;
	uint64_t due_ns;
	struct flow_conn *conn;
	enum dir dir;
	bool armed;
};

/* A record that came before its predecessor; sorted by offset. */
struct flow_held {
	struct flow_held *prev, *next;
	uint64_t since_ns;
	_Alignas(8) struct ev_data data; /* with its payload behind it */
};

/* Input a parser could not take yet: bytes, or a gap when gap_bytes is not 0. */
struct flow_seg {
	struct flow_seg *prev, *next;
	uint64_t seq; /* order of arrival over both directions */
	uint64_t since_ns;
	uint64_t gap_bytes;
	struct slice slice; /* p in bytes[], moves on as it is consumed */
	uint8_t bytes[];
};

/* Bytes [off, end) to be masked. */
struct flow_span {
	uint64_t off, end;
	uint8_t fill;
};

struct flow_stream {
	/* order: stream.c */
	bool begun;
	uint64_t next_off, lost;
	struct flow_held *held;
	size_t held_bytes;
	struct flow_timer reorder;
	/* parsing: drive.c, detect.c */
	bool in_step; /* the parser stands at the right place */
	bool fed;     /* it got bytes of this direction before */
	bool stalled; /* the head of pend was tried, nothing changed since */
	struct flow_seg *pend;
	size_t pend_bytes;
	struct flow_timer wait;
	uint64_t parsed_off;  /* everything before was consumed or given up */
	uint64_t settled_off; /* no secret comes below */
	/* secrets: queue.c */
	uint64_t released_off;	 /* chunks below are out */
	struct flow_span *spans; /* owned; sorted, not overlapping */
	uint32_t span_count, span_cap;
};

/* A chunk that may not go out yet. */
struct flow_chunk {
	struct flow_chunk *prev, *next;
	struct chunk chunk; /* data in bytes[] */
	bool told;	    /* CHUNK_GAP: the parser knows of it, resync_unsafe is final */
	uint8_t bytes[];
};

/*
 * A context of a process, or a plain socket, whoever has it: processes hand sockets on. On a datagram socket
 * that is connected to nobody each peer is a connection of its own; a peer that is not known is all zero.
 */
struct flow_conn_key {
	uint64_t conn;
	union {
		struct {
			uint64_t start_ns, gen;
			uint32_t tgid, pad;
		};
		struct {
			uint8_t addr[16];
			uint16_t family, port;
		} peer;
	};
	uint32_t plain, pad2;
};

struct flow_conn {
	struct conn pub;
	struct proto_sink sink;
	struct flow *flow;
	struct flow_conn_key key;
	UT_hash_handle hh;
	struct flow_conn *idle_prev, *idle_next; /* idle longest first */
	struct flow_conn *proc_prev, *proc_next; /* of one process */
	struct flow_conn *tick_prev, *tick_next; /* whose parser has a tick */
	struct flow_proc *proc;
	struct identity *identity; /* a reference: pub.proc */
	struct flow_stream stream[DIR_COUNT];
	uint64_t seg_seq;
	const struct proto_ops *ops; /* NULL: not recognised (yet) */
	void *parser;
	bool ticking, opaque;	   /* opaque: upgraded to something nobody parses */
	bool dgram, refused, told; /* refused: nobody wants the protocol; told: the source knows */
	bool ending;		   /* nothing will come any more: no waiting */
	bool known; /* TLS, or plain and its protocol was recognised: worth counting and showing */
	/* of a plain one: its socket, among the connections of which it is (plain.c) */
	struct flow_sock *home;
	struct flow_conn *home_prev, *home_next;
	/* the peer: socks.c */
	uint64_t sock;				  /* last proven, 0: none */
	uint64_t bound_ns;			  /* latest binding */
	uint64_t nested_ns, cached_ns, record_ns; /* latest record with that evidence */
	bool bound, nested, cached, recorded;	  /* the times above are set */
	bool peer_settled;			  /* proven, or waited for in vain */
	struct flow_timer peer_timer;
	struct flow_hello *hello; /* a reference to that of its socket: hellos.c */
	/* what waits: queue.c */
	struct txn *txns, *txns_tail;
	uint32_t txn_count;
	struct flow_chunk *chunks;
	size_t chunk_bytes;
	bool had_chunks;
};

_Static_assert(sizeof(struct flow_conn) <= 1024, "an idle connection costs little");

/* The thread that came last of those whose ids are alike in their last digits. */
struct flow_thread {
	uint32_t tid;
	char name[EV_COMM_BYTES + 1];
};

struct flow_proc {
	struct proc_key key; /* padding zero */
	UT_hash_handle hh;   /* in order of first sight */
	struct identity *identity;
	const char *lib;
	uint64_t conn_count, tls_conns, tls_socks, txns, bytes[DIR_COUNT];
	struct ev_counters counters;
	struct flow_conn *conns;
	struct flow_thread *threads; /* owned, FLOW_THREADS of them; NULL before the first */
};

struct flow {
	struct flow_cfg cfg;
	struct sink *out;
	int err; /* first error of the sink or of memory; sticky */
	uint64_t now_ns, sink_tick_ns, parser_tick_ns;
	int64_t clock_offset_ns;
	struct flow_conn *conns;
	struct flow_conn *idle;
	struct flow_conn *ticking;
	struct flow_proc *procs;
	struct flow_sock *socks;
	struct flow_sock *closed_socks;
	struct flow_sock *unwanted_socks; /* to be given up at the end of this record */
	struct flow_cipher *ciphers;
	struct flow_name *names;
	struct flow_timer *timers[TIMER_KINDS]; /* soonest first */
	char *libs[256];
	uint64_t conn_seq;
	size_t hello_bytes; /* of hellos that are not whole yet */
	size_t held_bytes;  /* copies of payload that wait anywhere */
	struct flow_stats stats;
	struct mask masks[FLOW_SECRETS_MAX];
	uint8_t probe[FLOW_PROBE_BYTES];
};

/* Is what is held in a place, n bytes, too much for it or for all together? */
static inline bool flow_held_over(const struct flow *f, size_t n, size_t limit)
{
	return n > limit || f->held_bytes > FLOW_HELD_TOTAL_BYTES;
}

static inline void flow_fail(struct flow *f, int err)
{
	if (!f->err)
		f->err = err;
}

#endif
