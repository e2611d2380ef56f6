/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file, a pipe or standard input, whose beginning can be looked at before somebody decides to read it. */
#ifndef TLSLENS_CAPTURE_INPUT_H
#define TLSLENS_CAPTURE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/source.h"

#define INPUT_BYTES ((size_t)1 << 20) /* that can be looked at together */

struct input {
	int fd; /* owned */
	bool eof;
	uint64_t off; /* in the file, of buf[at] */
	size_t at, n; /* unread: buf[at, n) */
	uint8_t buf[INPUT_BYTES];
};

/* Of a descriptor, which is owned from now on. NULL without memory: it is closed. */
struct input *input_new(int fd);
/*
 * What a source reads: cfg->input, which is its own from now on, or cfg->path opened, "-" for standard input. 0 or
 * a negative errno after one line through log_error().
 */
int input_of(struct input **in, const struct source_cfg *cfg);
void input_free(struct input *in);

/* Makes `want` bytes available at buf[at], or all that are left. 0, -EINTR or an error of read(2). */
int input_fill(struct input *in, size_t want);
void input_skip(struct input *in, size_t n);
/* To the first byte again; only while no more than INPUT_BYTES were asked for in all. */
void input_rewind(struct input *in);
/* 1: something can be read, or it is at its end. 0: not within timeout_ms. -EINTR: a signal came. */
int input_wait(const struct input *in, int timeout_ms);

#endif
