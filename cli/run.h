/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run: source -> recording -> flow -> select -> writers, until the source ends, a limit is reached or a
 * signal comes. Live and replay are the same but for the source.
 */
#ifndef TLSLENS_CLI_RUN_H
#define TLSLENS_CLI_RUN_H

#include "cli/config.h"

#define EXIT_DONE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2
#define EXIT_NOTHING 3 /* nothing could be attached */

/* Exit status of the program. */
int run(const struct config *cfg);

#endif
