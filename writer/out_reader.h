/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Somebody reads what is written: the other end of a pipe, a FIFO, a socket, a terminal. It may be slow, stop or go
 * away, and none of that may hold up the run: records wait in a queue, and one that finds no room is dropped whole
 * and counted.
 *
 * Into a pipe no more is written at once than surely fits, so a reader that comes back after the end finds whole
 * records, but for one that is longer than the pipe.
 */
#ifndef TLSLENS_WRITER_OUT_READER_H
#define TLSLENS_WRITER_OUT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUT_QUEUE_BYTES \
	(16u << 20) /* that wait; one record may when nothing else does, however long */
#define OUT_QUEUE_RECORDS (1u << 16)	  /* that wait */
#define OUT_QUEUE_KEPT_BYTES (1u << 20)	  /* more, for what must not be dropped, */
#define OUT_QUEUE_KEPT_RECORDS (1u << 12) /* of the records above */
#define OUT_PATIENCE_MS 2000 /* of a run that was told to stop, with a reader that does not read */

struct out_reader;

/*
 * NULL in *r: nobody reads there (a file), or it cannot be written without waiting. Else *fd may have become
 * another descriptor, and stays the caller's. 0 or -ENOMEM.
 */
int out_reader_new(struct out_reader **r, int *fd);
void out_reader_free(struct out_reader *r);
/* Room for n bytes, valid until the next call; NULL without memory. */
uint8_t *out_reader_room(struct out_reader *r, size_t n);
/* The first n bytes of the room are a record, which is never dropped when `kept`. 0, 1: dropped, or a negative errno. */
int out_reader_commit(struct out_reader *r, size_t n, bool kept);
/* Writes what can be written at once. 0 or a negative errno, -EPIPE also when nothing waits: the reader is gone. */
int out_reader_drain(struct out_reader *r);
/* Does anything wait? */
bool out_reader_waits(const struct out_reader *r);
/*
 * Waits until all is written; once `hurry` says so, no longer than OUT_PATIENCE_MS without progress. 0 or a
 * negative errno; *left is how many records were not, or not wholly, written.
 */
int out_reader_finish(struct out_reader *r, bool (*hurry)(void), uint64_t *left);

#endif
