/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drives the pcapng writer: chunks of connections made by hand, a file in a private folder. */
#ifndef TLSLENS_TESTS_PCAPNG_MAKER_H
#define TLSLENS_TESTS_PCAPNG_MAKER_H

#include "identity/identity.h"
#include "writer/writer.h"

struct maker {
	char dir[256], path[288]; /* owned folder, the file in it */
	void *writer;
	struct out *out;	     /* the writer's */
	uint64_t now_ns;	     /* of the next chunk; each takes a millisecond */
	uint64_t off[64][DIR_COUNT]; /* positions, by conn.seq */
};

void maker_open(struct maker *m, const struct writer_cfg *cfg); /* NULL: redacted, NULL cipher */
/* The file, "t.pcapng", is followed by others ("t.1.pcapng"). */
void maker_open_files(struct maker *m, const struct writer_cfg *cfg,
		      const struct out_rotation *rotation);
void maker_send(struct maker *m, const struct conn *c, enum dir dir, const void *p, size_t n);
void maker_text(struct maker *m, const struct conn *c, enum dir dir, const char *text);
void maker_masked(struct maker *m, const struct conn *c, enum dir dir, const void *p, size_t n,
		  const struct mask *masks, size_t mask_count);
void maker_gap(struct maker *m, const struct conn *c, enum dir dir, uint64_t n, bool unsafe);
void maker_end(struct maker *m, const struct conn *c);
/* Closes the writer; the file stays for reading until maker_remove(). */
void maker_finish(struct maker *m);
void maker_remove(struct maker *m);

/* A process: values borrowed from literals. */
struct identity maker_process(uint32_t pid, const char *comm, const char *container);
/*
 * A TLS connection of a process with addresses as text, "10.1.2.3" or "2001:db8::1"; peer NULL:
 * unknown. The traced process is the client when its port is the higher one.
 */
struct conn maker_conn(uint64_t seq, const struct identity *id, const char *local, uint16_t lport,
		       const char *peer, uint16_t pport);

#endif
