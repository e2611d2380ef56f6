/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of /proc have no size until they are read.
 */
#include "capture/read_file.h"

#include <errno.h>
#include <unistd.h>

#define STEP_BYTES 65536

int read_file(int fd, struct buf *out)
{
	for (;;) {
		ssize_t n;

		if (buf_reserve(out, STEP_BYTES) < 0)
			return out->err;
		n = read(fd, out->p + out->n, STEP_BYTES);
		if (n == 0)
			return 0;
		if (n > 0)
			out->n += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
}
