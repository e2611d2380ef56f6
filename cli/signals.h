/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIGINT, SIGTERM and SIGHUP ask for a clean end; the second one ends the program at once. SIGHUP stays
 * ignored when it was (nohup). With a command so do the others, which it is to find as they were; without
 * one they always work, since shells start background jobs with SIGINT ignored.
 */
#ifndef TLSLENS_CLI_SIGNALS_H
#define TLSLENS_CLI_SIGNALS_H

#include <stdbool.h>

void signals_install(bool with_command);
bool signals_stop_asked(void);

#endif
