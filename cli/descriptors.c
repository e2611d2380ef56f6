/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/buf.h"

#define STEP_BYTES 65536

int descriptors_read(struct pb_types **types, const char *path)
{
	struct buf b = {.limit = PB_DESCRIPTOR_BYTES_MAX + 1};
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = fd < 0 ? -errno : 0;
	ssize_t n = 1;

	while (!err && n) {
		err = buf_reserve(&b, STEP_BYTES);
		if (err)
			break;
		n = read(fd, b.p + b.n, STEP_BYTES);
		if (n > 0)
			b.n += (size_t)n;
		else if (n < 0 && errno != EINTR)
			err = -errno;
	}
	if (err == -ENOBUFS)
		err = -EFBIG;
	if (!err)
		err = pb_types_load(types, b.p, b.n);
	if (fd >= 0)
		close(fd);
	buf_free(&b);
	return err;
}
