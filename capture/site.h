/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A site is a function to be probed: a file, an offset in it, a role, and where in it breakpoints are
 * cheap. Discovery proposes sites, attach places them.
 */
#ifndef TLSLENS_CAPTURE_SITE_H
#define TLSLENS_CAPTURE_SITE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "capture/site_find.h"

enum site_role {
	SITE_SESSION, /* entry and return are both wanted */
	SITE_ENTRY,   /* only the entry is wanted */
};

struct site {
	uint64_t offset; /* of the function's first instruction in the file, bytes */
	uint64_t cookie; /* bpf/cookie.h */
	enum site_role role;
	const char *name;      /* borrowed; NULL: the row's */
	struct site_plan plan; /* of SITE_SESSION: cheaper places in the same function */
};

enum site_cost {
	SITE_CHEAP_INSIDE, /* every breakpoint emulated, at the places of the plan */
	SITE_CHEAP_ENTRY,  /* the first instruction is emulated */
	SITE_STEPPED,	   /* the first instruction is single-stepped; plan.why says why there */
};

enum site_cost site_cost(const struct site *s);
/* Its name, borrowed; for people. */
const char *site_function(const struct site *s);

/* tls_file.found_by of what has no symbols: capture/shape.h */
#define TLS_FOUND_BY_SHAPE "code shape"

/* A file with TLS functions, as one process maps it. */
struct tls_file {
	dev_t dev; /* as the kernel sees it: deduplicates */
	ino_t ino;
	unsigned int lib; /* row of tls_libs */
	char *open_path; /* owned: opens the very file, also when deleted or in another mount namespace */
	int fd;		 /* owned: the file itself, for when the process is gone by now; 0: none */
	char *shown_path; /* owned: what the process calls it, for people */
	char *version; /* owned or NULL: what the file says of itself, e.g. "OpenSSL 3.0.22 ..." */
	const char *found_by; /* static: the symbols it was recognised by, or NULL */
	char *build_id;	      /* owned or NULL, hex */
	struct site *sites;   /* owned */
	size_t site_count;
	char **missing; /* owned: optional symbols of the row that were not found, borrowed names */
	size_t missing_count;
};

void tls_file_clear(struct tls_file *f);
/* Lets go of the file itself, which nobody's mounts should wait for. */
void tls_file_release(struct tls_file *f);
#define TLS_FILE_PATH_BYTES 32
/* Where it is to be opened now: `room` has so many bytes, and may be what is returned. */
const char *tls_file_path(const struct tls_file *f, char *room);
/* Found by shape: its functions have yet to prove that they are what they look like. */
bool tls_file_is_likely(const struct tls_file *f);

#endif
