/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stage for the user-space half: records made by hand go into a flow, what comes out is written down as
 * lines of text, so that a test says what it expects as a person would:
 *
 *   txn 4242-1000-1 nested Q /a 200          (flags and "lost N" follow when there are any)
 *   data 4242-1000-1 > @0 "Q /a\n"           (masked bytes show as their fill)
 *   gap 4242-1000-1 < @5 100 unsafe
 *   close 4242-1000-1
 *
 * On the way it checks what must hold for every output: positions without holes, masks sorted and inside,
 * nothing after the close.
 */
#ifndef TLSLENS_TESTS_HARNESS_H
#define TLSLENS_TESTS_HARNESS_H

#include "core/buf.h"
#include "flow/flow.h"

#define HARNESS_PID 4242
#define HARNESS_CONN 0x1000
#define HARNESS_START_NS 77
#define HARNESS_SOCK 9

struct harness_place; /* where a connection's chunks stand */

struct harness {
	struct sink sink; /* first */
	struct flow *flow;
	struct flow_cfg cfg;
	uint64_t now_ms; /* of the records to come */
	struct buf out;	 /* the lines */
	struct harness_place *places;
	uint64_t chunk_bytes, masked_bytes, gap_bytes, txns, ticks, last_tick_ns;
	uint64_t last_chunk_ts_ns; /* CLOCK_REALTIME */
	int fail_with;		   /* what the sink returns */
	uint64_t unwanted, unwanted_sock;
	bool unwanted_all; /* how many, the last */
	bool quiet;	   /* count, write no lines */
	/* called with each transaction before it is written down; may be NULL */
	void (*on_txn)(struct harness *h, struct txn *t);
};

void harness_open(struct harness *h, const struct flow_cfg *cfg);
void harness_close(struct harness *h);
/* Ends the input, and checks that every connection that had chunks was closed. */
void harness_finish(struct harness *h);
/* The lines so far, NUL-terminated, valid until the next record; harness_clear() forgets them. */
const char *harness_out(struct harness *h);
void harness_clear(struct harness *h);

/* Members left 0 get the defaults above; direction 0 is DIR_WRITE. */
struct harness_data {
	uint32_t tgid, tid;
	uint64_t conn, gen, off, lost, sock;
	enum dir dir;
	const char *text; /* the payload, */
	size_t n;	  /* of which this many bytes; 0: strlen(text) */
	uint32_t more;	  /* wanted beyond what was copied */
	uint16_t flags, part;
	const struct ev_peer *peer; /* of EV_DATA_PEER, which it sets */
};

/* Each feeds one record at now_ms and asserts that flow_event() returned fail_with or 0. */
void harness_data(struct harness *h, const struct harness_data *d);
#define DATA(h, ...) harness_data(h, &(struct harness_data){__VA_ARGS__})
void harness_sock(struct harness *h, uint64_t conn, uint64_t gen, uint64_t sock, uint16_t rport);
/* Any other socket; its header is filled in. */
void harness_socket(struct harness *h, const struct ev_sock *sock);
void harness_sock_close(struct harness *h, uint64_t sock);
void harness_conn_end(struct harness *h, uint64_t conn, uint64_t gen, uint64_t off_write,
		      uint64_t off_read);
/* EV_TICK, EV_EXEC, EV_EXIT ... without a body beyond the header's process */
void harness_bare(struct harness *h, uint16_t type);
void harness_tick(struct harness *h, uint64_t now_ms);
void harness_clock(struct harness *h, int64_t offset_ns);
void harness_identity(struct harness *h, const char *comm);
void harness_lib(struct harness *h, uint8_t lib, const char *name);

/* The record itself, to be freed: for recordings and sources. */
struct ev_data *harness_make_data(const struct harness_data *d, uint64_t ts_ns);

#endif
