/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TLSLENS_CLI_COMMAND_H
#define TLSLENS_CLI_COMMAND_H

#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND 127

/*
 * Whether execvp(3) will find a program of that name: 0, or, after one line on stderr, the exit status that
 * shells and env(1) give. Looked at before anything is attached, so that a typo costs nothing.
 */
int command_check(const char *name);

#endif
