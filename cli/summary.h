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
	bool doubted; /* of functions found by their shape nothing that was seen to be TLS */
	bool packets; /* replayed: nobody counted calls */
	/* Why no plaintext of a process is seen, as the source knows it; may be NULL. See source_ops.why. */
	void (*why)(void *source, const struct proc_key *proc, char *out, size_t n);
	void *why_source; /* borrowed */
	bool unread;	  /* of a process: TLS on its sockets, but no plaintext */
	bool copied_less; /* what does not fit --filter may not have been copied */
	bool interrupted; /* the output failed: what follows is not all there was */
};

/* Everything, in order. `t->calls` and the bytes are filled in here. */
void summary_write(FILE *out, const struct flow *flow, struct summary_totals *t);

/* The parts, for tests. */
void summary_proc(FILE *out, const struct flow_proc_stats *p, bool packets);
/* Of a process that speaks TLS, as its sockets tell, of which no plaintext came; else nothing. */
void summary_unread(FILE *out, const struct flow_proc_stats *p, const struct summary_totals *t);
/* Why nothing was shown, or NULL when something was. Static. */
const char *summary_reason(const struct summary_totals *t);

#endif
