/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of a run in a few lines for a person: what was seen of whom, what was lost and why, and, when
 * there is nothing to show, the reason. */
#ifndef TLSLENS_CLI_SUMMARY_H
#define TLSLENS_CLI_SUMMARY_H

#include <stdio.h>

#include "capture/source.h"
#include "flow/flow.h"

struct summary_totals {
	uint64_t txns; /* that reached the writers */
	struct flow_stats flow;
	struct source_stats source;
	uint64_t calls, generated_bytes, filtered_bytes; /* of all processes */
	bool doubted;	  /* of functions found by their shape nothing that was seen to be TLS */
	bool packets;	  /* replayed: nobody counted calls */
	bool interrupted; /* the output failed: what follows is not all there was */
};

/* Everything, in order. `t->calls` and the bytes are filled in here. */
void summary_write(FILE *out, const struct flow *flow, struct summary_totals *t);

/* The parts, for tests. */
void summary_proc(FILE *out, const struct flow_proc_stats *p, bool packets);
/* Why nothing was shown, or NULL when something was. Static. */
const char *summary_reason(const struct summary_totals *t);

#endif
