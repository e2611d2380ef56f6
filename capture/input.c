/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/input.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"

struct input *input_new(int fd)
{
	struct input *in = malloc(sizeof(*in));

	if (!in) {
		close(fd);
		return NULL;
	}
	memset(in, 0, offsetof(struct input, buf));
	in->fd = fd;
	return in;
}

int input_of(struct input **in, const struct source_cfg *cfg)
{
	int fd, err;

	*in = cfg->input;
	if (*in)
		return 0;
	fd = strcmp(cfg->path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
					 : open(cfg->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		log_error("cannot open %s: %s", cfg->path, strerror(errno));
		return err;
	}
	*in = input_new(fd);
	return *in ? 0 : -ENOMEM;
}

void input_free(struct input *in)
{
	if (in)
		close(in->fd);
	free(in);
}

int input_fill(struct input *in, size_t want)
{
	ssize_t k;

	if (in->n - in->at >= want)
		return 0;
	memmove(in->buf, in->buf + in->at, in->n - in->at);
	in->n -= in->at;
	in->at = 0;
	while (!in->eof && in->n < want) {
		k = read(in->fd, in->buf + in->n, sizeof(in->buf) - in->n);
		if (k < 0)
			return -errno;
		in->eof = k == 0;
		in->n += (size_t)k;
	}
	return 0;
}

void input_skip(struct input *in, size_t n)
{
	in->at += n;
	in->off += n;
}

void input_rewind(struct input *in)
{
	assert(in->at == in->off); /* nothing was moved out of the buffer */
	in->at = 0;
	in->off = 0;
}

int input_wait(const struct input *in, int timeout_ms)
{
	struct pollfd p = {.fd = in->fd, .events = POLLIN};
	int n;

	if (in->at < in->n || in->eof)
		return 1;
	n = poll(&p, 1, timeout_ms);
	return n < 0 ? -errno : n > 0;
}
