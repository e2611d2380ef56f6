/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a writer's bytes go: a file (created 0600, never through a symlink), files that follow each other,
 * standard output, a pipe. Buffered; the first error is sticky and returned by every later call.
 *
 * What one out_put() or out_commit() brings is a record: never split between two flushes or two files, and
 * where a file of ours has no room for all of it, none of it stays. So what was written before an error is
 * whole.
 *
 * A next file is begun only in out_time() and out_reopen(), never between two records that one event of the
 * run brings. Where files follow each other, a full disk is no error at once: what finds no room is counted,
 * and tried again with the next file.
 *
 * A run that must not be held up calls out_never_wait(): then records wait for a slow reader in the queue of
 * writer/out_reader.h, and what finds no room there is counted, too.
 */
#ifndef TLSLENS_WRITER_OUT_H
#define TLSLENS_WRITER_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUT_BUFFER_BYTES (256u << 10)
#define OUT_RETRY_NS 1000000000u /* of record time, until a full disk is tried again */

struct out;

/* When a file is followed by the next one; what is 0 does not count, all 0: never. */
struct out_rotation {
	uint64_t max_bytes; /* that a file holds at least when the next one begins */
	uint64_t
		period_ns; /* of record time, counted from the epoch: 3600 s are the hours of UTC */
	uint32_t files;	   /* how many are kept, at most OUT_FILES_MAX; 0: all */
};

/* What a format puts at the beginning of every file, and at its end. 0 or a negative errno. */
struct out_frame {
	int (*begin)(void *arg), (*end)(void *arg);
	void *arg; /* borrowed until out_close() */
};

/* path "-" is standard output. 0 or a negative errno (-ELOOP for a symlink). A FIFO is opened for writing. */
int out_open(struct out **o, const char *path);
/*
 * As out_open(), but the path is a pattern of writer/out_names.h, and a regular file is followed by others. One
 * whose name depends on the time is made with its first record.
 */
int out_open_files(struct out **o, const char *path, const struct out_rotation *rotation);
/* Takes over a descriptor; for tests. */
int out_fd(struct out **o, int fd);
/*
 * From now on a pipe, socket or terminal is never waited for, but in out_close(): there until all is read, or for
 * a moment when hurry() says so. 0 or -ENOMEM.
 */
int out_never_wait(struct out *o, bool (*hurry)(void));
/* fn is called before each record that is to be read at once (out_never_wait); NULL: nothing is. */
void out_set_before(struct out *o, void (*fn)(void *), void *arg);
/* Begins the file, at once when it is there already. */
int out_set_frame(struct out *o, const struct out_frame *frame);
/* Makes sure that what is put next goes where the frame's beginning is. */
int out_begin(struct out *o);
/* Record time (CLOCK_REALTIME) came to now_ns: ends a file whose time or size has come. */
int out_time(struct out *o, uint64_t now_ns);
/* Opens the file anew by its name when it was moved or removed, and adds to what is there. */
int out_reopen(struct out *o);
int out_put(struct out *o, const void *p, size_t n);
/* As out_put(), but what others refer to: a slow reader is no reason to drop it. */
int out_put_kept(struct out *o, const void *p, size_t n);
/* Room for n bytes (n <= OUT_BUFFER_BYTES) to write straight into; out_commit says how many were used. */
uint8_t *out_room(struct out *o, size_t n);
int out_commit(struct out *o, size_t n);
/* Writes what is there; a reader that must not be waited for gets what it takes at once. */
int out_flush(struct out *o);
/* Does anything wait for a reader, so that out_flush() is to be called again soon? */
bool out_waits(const struct out *o);
bool out_is_tty(const struct out *o);
unsigned int out_columns(const struct out *o); /* of the terminal, now; 0 where there is none */
uint64_t out_bytes(const struct out *o);       /* accepted so far */
uint64_t
out_lost(const struct out *o); /* records that found no room, on the disk or in the queue */
/* Ends the file, flushes, closes, frees; the first error seen, -ENOSPC when anything was lost. */
int out_close(struct out *o);

#endif
