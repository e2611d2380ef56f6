/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wireshark's extcap interface: the binary, linked into an extcap folder, is a capture interface of its own.
 * Wireshark asks it questions (interfaces, link types, options) and then starts it with a FIFO to write to.
 * Documented in Wireshark's doc/extcap.4 and extcap_example.py.
 */
#ifndef TLSLENS_CLI_EXTCAP_H
#define TLSLENS_CLI_EXTCAP_H

#include <stdbool.h>
#include <stdio.h>

/* Is this command line one of Wireshark's? */
bool extcap_asked(int argc, char *const argv[]);

/* Prints the answer when it is a question. False: it is the call to capture. */
bool extcap_answer(int argc, char *const argv[], FILE *out);

/*
 * The call to capture as an ordinary command line: owned, NULL-terminated, its strings borrowed from argv but
 * for one output that *output owns. NULL without memory or without a FIFO to write to. Free both.
 */
char **extcap_command_line(int argc, char *const argv[], char **output);

#endif
