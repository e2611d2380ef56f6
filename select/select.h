/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between flow and writers: decides what is emitted (sampling, filter, count) and makes it fit to be seen
 * (bodies, redaction). A sink in front of a sink, so that every writer gets the same.
 */
#ifndef TLSLENS_SELECT_SELECT_H
#define TLSLENS_SELECT_SELECT_H

#include "core/sink.h"
#include "select/bodies.h"

struct filter;
struct secret_rules;

struct select_cfg {
	bool redact;
	const struct secret_rules
		*secrets; /* borrowed: more that is secret; NULL: the table alone */
	struct bodies_cfg bodies;
	struct filter *filter; /* borrowed; NULL: every transaction. Packets pass. */
	uint64_t sample;       /* one connection in so many, all of it; 0 and 1: every one */
	uint64_t count;	       /* stop after so many transactions; 0: no limit */
};

struct selector;

struct selector *select_new(const struct select_cfg *cfg, struct sink *next); /* borrows next */
struct sink *select_sink(struct selector *s);
uint64_t select_txns(const struct selector *s); /* passed on so far */
bool select_done(const struct selector *s);	/* the count is reached */
void select_free(struct selector *s);

#endif
