/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening what an output's name says. */
#ifndef TLSLENS_WRITER_OUT_FILE_H
#define TLSLENS_WRITER_OUT_FILE_H

#include <stdbool.h>

/* The descriptor that a name such as "-" or /dev/fd/N stands for; -1: it is the name of a file. */
int out_file_inherited(const char *path);

/*
 * Opens for writing: created 0600, or a file of ours that is made so and emptied (`append`: added to), or a
 * FIFO or device as it is. Never through a symlink. A descriptor or a negative errno.
 */
int out_file_open(const char *path, bool append);
bool out_file_regular(int fd);
/* Is this what stands at the path now? */
bool out_file_same(int fd, const char *path);

#endif
