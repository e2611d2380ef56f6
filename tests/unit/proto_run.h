/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a parser over pieces of both directions as flow/ would, and writes down what it says, as text:
 *
 *   role client
 *   GET https://h/a -> 200 ok ...       (see txn_dump.h)
 *   out of step > in call 3
 *   upgrade < in call 4: websocket
 *   resolved example.com = 192.0.2.1 for 60 s at 2
 *   secret > @45 "Bearer abc"           (all of them at the end, in order)
 *
 * Checks on the way what every parser must keep: it takes no more than it was given, PARSE_OK takes all,
 * settled positions only grow and never pass what was fed, no secret comes below them.
 */
#ifndef TLSLENS_TESTS_PROTO_RUN_H
#define TLSLENS_TESTS_PROTO_RUN_H

#include "core/buf.h"
#include "core/proto.h"

struct piece {
	enum dir dir;
	const uint8_t *p; /* borrowed; NULL for a gap */
	size_t n;
	unsigned int call; /* 1, 2, ... */
	uint64_t ts_ns;
	bool call_start;
	bool expire; /* no bytes: those that wait are fed for the last time */
};

struct run_cfg {
	const struct proto_ops *ops;
	struct conn conn;
	struct limits limits;
	bool late;   /* neither direction is known to be at a message start */
	bool follow; /* goes on in the row that an upgrade names */
};

struct run {
	struct buf text;
	struct txn *txns; /* as emitted; owned */
	bool lost;	  /* PARSE_LOST was answered, or bytes were skipped */
	bool upgraded;
	char fault[128]; /* the first broken rule, else empty */
};

/* Runs all pieces and the end of the connection. */
void run_pieces(struct run *r, const struct run_cfg *cfg, const struct piece *pieces, size_t count);
void run_free(struct run *r);

#endif
