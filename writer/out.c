/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A buffer in front of a descriptor. What one out_put() was given stays together: it is flushed before
 * the buffer would split it, so a reader that follows the file sees whole lines and blocks.
 */
#include "writer/out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct out {
	int fd; /* owned */
	int err;
	bool tty;
	uint64_t accepted;
	size_t n;
	uint8_t buf[OUT_BUFFER_BYTES];
};

/*
 * Names of descriptors that are already open. The kernel's /dev entries for them are symlinks, which
 * O_NOFOLLOW refuses, and a shell's >(command) passes /dev/fd/N.
 */
static int inherited_fd(const char *path)
{
	static const char dev_fd[] = "/dev/fd/";
	char *end;
	long n;

	if (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0)
		return STDOUT_FILENO;
	if (strcmp(path, "/dev/stderr") == 0)
		return STDERR_FILENO;
	if (strncmp(path, dev_fd, sizeof(dev_fd) - 1) != 0)
		return -1;
	path += sizeof(dev_fd) - 1;
	if (*path < '0' || *path > '9')
		return -1;
	errno = 0;
	n = strtol(path, &end, 10);
	return errno || *end || n > 1 << 20 ? -1 : (int)n;
}

/*
 * A file that was there before must be ours: in a shared directory somebody else may have put it there
 * to read what we write. It is emptied only after that check, so never by O_TRUNC.
 */
static int claim(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
		return 0;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_uid != geteuid())
		return -EPERM;
	if (fchmod(fd, 0600) || ftruncate(fd, 0))
		return -errno;
	return 0;
}

static int open_path(const char *path)
{
	const int flags = O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;
	int fd, err;

	fd = open(path, flags | O_CREAT | O_EXCL, 0600);
	if (fd >= 0)
		return fd;
	if (errno != EEXIST)
		return -errno;
	fd = open(path, flags);
	if (fd < 0)
		return -errno;
	err = claim(fd);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int out_fd(struct out **o, int fd)
{
	struct out *self = malloc(sizeof(*self));

	if (!self)
		return -ENOMEM;
	self->fd = fd;
	self->err = 0;
	self->tty = isatty(fd);
	self->accepted = 0;
	self->n = 0;
	*o = self;
	return 0;
}

int out_open(struct out **o, const char *path)
{
	int inherited = inherited_fd(path);
	int fd, err;

	if (inherited >= 0) {
		fd = fcntl(inherited, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
	} else {
		fd = open_path(path);
		if (fd < 0)
			return fd;
	}
	err = out_fd(o, fd);
	if (err)
		close(fd);
	return err;
}

/* A descriptor inherited from a shell may be non-blocking because its other user made it so. */
static int wait_writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	if (poll(&p, 1, -1) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

static int write_all(struct out *o, const uint8_t *p, size_t n)
{
	ssize_t k;

	while (n && !o->err) {
		k = write(o->fd, p, n);
		if (k >= 0) {
			p += k;
			n -= (size_t)k;
		} else if (errno == EAGAIN) {
			o->err = wait_writable(o->fd);
		} else if (errno != EINTR) {
			o->err = -errno;
		}
	}
	return o->err;
}

int out_flush(struct out *o)
{
	size_t n = o->n;

	if (o->err)
		return o->err;
	o->n = 0;
	return write_all(o, o->buf, n);
}

int out_put(struct out *o, const void *p, size_t n)
{
	if (n > sizeof(o->buf) - o->n)
		out_flush(o);
	if (o->err)
		return o->err;
	if (n > sizeof(o->buf)) {
		if (write_all(o, p, n))
			return o->err;
	} else if (n) {
		memcpy(o->buf + o->n, p, n);
		o->n += n;
	}
	o->accepted += n;
	return 0;
}

uint8_t *out_room(struct out *o, size_t n)
{
	if (n > sizeof(o->buf))
		return NULL;
	if (n > sizeof(o->buf) - o->n)
		out_flush(o);
	return o->err ? NULL : o->buf + o->n;
}

int out_commit(struct out *o, size_t n)
{
	if (o->err)
		return o->err;
	o->n += n;
	o->accepted += n;
	return 0;
}

bool out_is_tty(const struct out *o)
{
	return o->tty;
}

uint64_t out_bytes(const struct out *o)
{
	return o->accepted;
}

int out_close(struct out *o)
{
	int err;

	if (!o)
		return 0;
	err = out_flush(o);
	/* A network file system may tell only now that earlier bytes did not fit. */
	if (close(o->fd) && !err && errno != EINTR)
		err = -errno;
	free(o);
	return err;
}
