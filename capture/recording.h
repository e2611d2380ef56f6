/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recording (-o raw:FILE): every record that came in, in order, as it came. A tee behind the source,
 * not a writer; source_recording reads it back. Mode 0600 and unredacted.
 *
 *   file:   "TLSLENS\n" u16 version u16 byte-order-mark(0x1234) u32 header length, text (NUL-padded) saying
 *           that the file holds plaintext
 *   record: u32 CRC-32 (that of zlib) of the record, then the record (its ev_hdr.len is its length)
 */
#ifndef TLSLENS_CAPTURE_RECORDING_H
#define TLSLENS_CAPTURE_RECORDING_H

#include "bpf/event.h"

#define RECORDING_VERSION 1

struct recording;

/*
 * Creates the file, 0600, in place of a regular file of that name; a pipe or device is written to as it is,
 * "-" is standard output. -EEXIST for a symbolic link, else a negative errno.
 */
int recording_create(struct recording **r, const char *path);
/* 0 or a negative errno: the disk is full ... */
int recording_put(struct recording *r, const struct ev_hdr *ev);
int recording_flush(struct recording *r);
/* Writes EV_END, closes, frees; the first error that was seen. */
int recording_close(struct recording *r);

#endif
