/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens what -o and -w asked for: writers behind a fan-out, the recording apart from them. */
#ifndef TLSLENS_CLI_OUTPUTS_H
#define TLSLENS_CLI_OUTPUTS_H

#include "capture/recording.h"
#include "cli/config.h"
#include "writer/writer.h"

struct outputs {
	struct fanout *fanout;	     /* owned */
	struct recording *recording; /* owned, NULL when not asked for */
	const char *recording_path;
};

/* Is there a file that can be opened anew while it is written? */
bool outputs_files(const struct config *cfg);
/* 0, or a negative errno after one line on stderr. To be given to outputs_close() in both cases. */
int outputs_open(struct outputs *o, const struct config *cfg);
/* Everything accepted so far goes to its file. */
int outputs_flush(struct outputs *o);
/* Does an output wait for its reader, so that it is to be flushed again soon? */
bool outputs_wait(const struct outputs *o);
/* Files that were moved away are opened anew by their names; a recording goes on where it is. */
int outputs_reopen(struct outputs *o);
/*
 * Waits until all is read, or for a moment when somebody asked for the end. The first error of any output, also
 * of earlier calls; each was reported once.
 */
int outputs_close(struct outputs *o);

#endif
