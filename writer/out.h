/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a writer's bytes go: a file (created 0600, never through a symlink), standard output, a pipe.
 * Buffered; the first error is sticky and returned by every later call.
 *
 * What one out_put() or out_commit() brings is a record: never split between two flushes, and where a
 * file of ours has no room for all of it, none of it stays. So what was written before an error is whole.
 */
#ifndef TLSLENS_WRITER_OUT_H
#define TLSLENS_WRITER_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUT_BUFFER_BYTES (256u << 10)

struct out;

/* path "-" is standard output. 0 or a negative errno (-ELOOP for a symlink). A FIFO is opened for writing. */
int out_open(struct out **o, const char *path);
/* Takes over a descriptor; for tests. */
int out_fd(struct out **o, int fd);
int out_put(struct out *o, const void *p, size_t n);
/* Room for n bytes (n <= OUT_BUFFER_BYTES) to write straight into; out_commit says how many were used. */
uint8_t *out_room(struct out *o, size_t n);
int out_commit(struct out *o, size_t n);
int out_flush(struct out *o);
bool out_is_tty(const struct out *o);
uint64_t out_bytes(const struct out *o); /* accepted so far */
/* Flushes, closes, frees; the first error seen. */
int out_close(struct out *o);

#endif
