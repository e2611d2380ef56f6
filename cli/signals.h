/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SIGINT, SIGTERM and SIGHUP ask for a clean end; the second one ends the program at once.
 *
 * With a command, what the terminal sends (Ctrl-C, Ctrl-\) is the command's: it goes to both, the command may
 * end of it or not, and the run lasts as long as the command. And what was ignored when the program started
 * stays ignored, as the command is to find it. Without a command only SIGHUP does (nohup): shells start
 * background jobs with SIGINT ignored, and there it must work.
 *
 * Where there are files to reopen, a SIGHUP that somebody sent asks for that; one of a terminal that is gone still
 * asks for the end.
 */
#ifndef TLSLENS_CLI_SIGNALS_H
#define TLSLENS_CLI_SIGNALS_H

#include <stdbool.h>

void signals_install(bool with_command, bool reopens);
/* Somebody asked for the end. */
bool signals_stop_asked(void);
/* Somebody asked, since the last call, for files to be opened anew. */
bool signals_reopen_asked(void);
/* The terminal interrupted the command: the end, once the command is over. */
bool signals_command_interrupted(void);
/* Somebody at the terminal or elsewhere waits for the end. */
bool signals_in_a_hurry(void);
/* From now on the next signal ends the program at once. */
void signals_stopping(void);
/* A first signal only hurries what is left to do. */
void signals_finishing(void);

#endif
