/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What flows to the right: flow/ feeds a sink, select/ is a sink in front of sinks, the writers hang at
 * the end. Everything passed is borrowed for the call. A negative errno is an output error and ends the
 * run; malformed traffic is never an error here.
 */
#ifndef TLSLENS_CORE_SINK_H
#define TLSLENS_CORE_SINK_H

#include "core/chunk.h"
#include "core/txn.h"

struct sink {
	const struct sink_ops *ops;
};

struct sink_ops {
	int (*txn)(struct sink *s, struct txn *t); /* may change the transaction, not keep it */
	int (*chunk)(struct sink *s, const struct chunk *c);
	/* Record time moved on to now_ns (CLOCK_REALTIME): for timers that must replay alike. */
	int (*tick)(struct sink *s, uint64_t now_ns);
};

#endif
