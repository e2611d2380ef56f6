/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The names of files that follow each other: a pattern of strftime(3), expanded by record time in UTC so
 * that a replay gives the same names anywhere; a name that comes twice in a row gets a number before its
 * extension ("a.pcapng", "a.1.pcapng"). Of the files made, the newest `keep` stay.
 */
#ifndef TLSLENS_WRITER_OUT_NAMES_H
#define TLSLENS_WRITER_OUT_NAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define OUT_FILES_MAX 65536u /* that can be kept by number */

struct out_names_file;

struct out_names {
	char *pattern; /* owned */
	char *last;    /* owned: what it last expanded to, or NULL */
	uint64_t number;
	uint32_t keep;		      /* 0: all */
	struct out_names_file *files; /* owned, oldest first; empty when all are kept */
	uint32_t count;
};

int out_names_init(struct out_names *s, const char *pattern, uint32_t keep);
void out_names_free(struct out_names *s);
/* Does the name depend on the time? */
bool out_names_timed(const struct out_names *s);
/* The name of the next file, owned by the caller; NULL without memory or when it is longer than a path can be. */
char *out_names_next(struct out_names *s, uint64_t now_ns);
/* Removes what is too much when one more file is to come; a file that is not the one we made stays. */
void out_names_make_room(struct out_names *s, const char *next);
/* The file was made; fd is open on it. 0 or -ENOMEM. */
int out_names_made(struct out_names *s, const char *name, int fd);

#endif
