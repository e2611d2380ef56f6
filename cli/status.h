/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line at the bottom of the terminal while a run lasts: how many transactions, how fast, what was lost.
 *
 *   tlslens: 1234 transactions, 56/s, 789 connections, 12 open, lost 0B
 *
 * It goes to standard error when that is a terminal and nobody else writes there: with a command or -q there is
 * none. It makes way for lines of text and messages, and is gone at the end.
 */
#ifndef TLSLENS_CLI_STATUS_H
#define TLSLENS_CLI_STATUS_H

#include "cli/config.h"

#define STATUS_NS 1000000000u /* between two lines that differ */

struct status;

/* What it tells of. */
struct status_facts {
	uint64_t txns, conns, conns_live, lost_bytes;
	uint64_t dropped; /* records that found no room where they were written to */
};

/* NULL: no terminal, not asked for, or no memory; every other call takes that. */
struct status *status_new(const struct config *cfg);
/* Makes way for what others write there; the argument is a struct status, for them to call. */
void status_hide(void *s);
/* Is it time for another line? */
bool status_due(const struct status *s, uint64_t now_ns);
void status_show(struct status *s, const struct status_facts *facts, uint64_t now_ns);
/* Takes the line away. */
void status_free(struct status *s);

#endif
