/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TLSLENS_CAPTURE_READ_FILE_H
#define TLSLENS_CAPTURE_READ_FILE_H

#include "core/buf.h"

/*
 * Appends everything from the descriptor's position to its end, up to the buffer's limit. 0 or a
 * negative errno.
 */
int read_file(int fd, struct buf *out);

#endif
