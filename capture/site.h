/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A site is where a probe sits: a file, an offset in it, a role. Discovery proposes sites, attach places
 * them; a better place for the same function is another offset and role and touches nothing else.
 */
#ifndef TLSLENS_CAPTURE_SITE_H
#define TLSLENS_CAPTURE_SITE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum site_role {
	SITE_SESSION, /* entry of a function; entry and return are both wanted */
	SITE_ENTRY,   /* only the entry is wanted */
	SITE_RETURN, /* an instruction inside the function where the result is final (no uretprobe) */
};

struct site {
	uint64_t offset; /* in the file, bytes */
	uint64_t cookie; /* bpf/cookie.h */
	enum site_role role;
};

/* A file with TLS functions, as one process maps it. */
struct tls_file {
	dev_t dev; /* as the kernel sees it: deduplicates */
	ino_t ino;
	unsigned int lib; /* row of tls_libs */
	char *open_path; /* owned: opens the very file, also when deleted or in another mount namespace */
	char *shown_path; /* owned: what the process calls it, for people */
	char *version;	/* owned or NULL: what the file says of itself, e.g. "OpenSSL 3.0.22 ..." */
	char *build_id; /* owned or NULL, hex */
	struct site *sites; /* owned */
	size_t site_count;
	char **missing; /* owned: optional symbols of the row that were not found, borrowed names */
	size_t missing_count;
};

void tls_file_clear(struct tls_file *f);

#endif
