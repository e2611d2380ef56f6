/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: one table serves parsing, --help and the test against the man page. */
#ifndef TLSLENS_CLI_OPTIONS_H
#define TLSLENS_CLI_OPTIONS_H

#include "cli/config.h"

#include <stdio.h>

/* One line for a person, without newline. */
struct why {
	char text[256];
};

struct option_row {
	char letter;	    /* 0: none */
	const char *name;   /* long name without the dashes */
	const char *arg;    /* what the value is called, or NULL: takes none */
	unsigned int modes; /* enum mode bits it goes with */
	const char *help;
	/* 0 or -EINVAL with the reason in `why`. `value` is NULL exactly when `arg` is. */
	int (*set)(struct config *cfg, const struct option_row *row, const char *value,
		   struct why *why);
	size_t at;	 /* field of struct config, for the setters of plain values */
	uint64_t lo, hi; /* range of a number */
};

#define OPTIONS_MAX 96 /* rows */

/* Terminated by name == NULL; option_rows.c. */
extern const struct option_row option_rows[];

/* Puts the reason into `why`; -EINVAL. */
__attribute__((format(printf, 2, 3))) int option_refuse(struct why *why, const char *fmt, ...);

/*
 * 0, or -EINVAL (usage) with the reason in `why`. `cfg` is to be given to config_free() in both cases; it
 * borrows from argv. `stdout_tty` chooses the default output and refuses binary data on a terminal.
 */
int options_parse(struct config *cfg, int argc, char *const argv[], bool stdout_tty,
		  struct why *why);
void config_free(struct config *cfg);
void options_help(FILE *out);

#endif
