/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIGINT, SIGTERM and SIGHUP ask for a clean end; the second one ends the program at once. What was ignored
 * when the program started stays ignored, for itself and for the command it runs.
 */
#ifndef TLSLENS_CLI_SIGNALS_H
#define TLSLENS_CLI_SIGNALS_H

#include <stdbool.h>

void signals_install(void);
bool signals_stop_asked(void);

#endif
