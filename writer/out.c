/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A buffer in front of a descriptor. What one out_put() or out_commit() brought is a record and stays
 * together: the buffer is flushed before it would split one, so a reader that follows the file sees whole
 * lines and blocks; and when the disk is full, the part of a record that still fitted is taken back.
 */
#include "writer/out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORDS_MAX 8192 /* in the buffer */

struct out {
	int fd; /* owned */
	int err;
	bool tty;
	bool own; /* a regular file that nobody else writes to */
	uint64_t accepted;
	size_t n;
	size_t records;
	uint32_t ends[RECORDS_MAX]; /* of the records in buf */
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
	self->own = false;
	self->accepted = 0;
	self->n = 0;
	self->records = 0;
	*o = self;
	return 0;
}

static bool is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
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
	else
		(*o)->own = inherited < 0 && is_regular(fd);
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

/* Returns how many bytes were written: fewer than n with the error set. */
static size_t write_all(struct out *o, const uint8_t *p, size_t n)
{
	size_t done = 0;
	ssize_t k;

	while (done < n && !o->err) {
		k = write(o->fd, p + done, n - done);
		if (k >= 0)
			done += (size_t)k;
		else if (errno == EAGAIN)
			o->err = wait_writable(o->fd);
		else if (errno != EINTR)
			o->err = -errno;
	}
	return done;
}

/* Takes `torn` bytes back from the end of our file; the error that led here is the one to report. */
static void take_back(struct out *o, size_t torn)
{
	off_t end = lseek(o->fd, 0, SEEK_CUR);

	if (o->own && torn && end >= (off_t)torn && ftruncate(o->fd, end - (off_t)torn))
		o->own = false;
}

int out_flush(struct out *o)
{
	size_t n = o->n, done, whole = 0;

	if (o->err)
		return o->err;
	done = write_all(o, o->buf, n);
	if (done < n) {
		for (size_t i = 0; i < o->records && o->ends[i] <= done; i++)
			whole = o->ends[i];
		take_back(o, done - whole);
	}
	o->n = 0;
	o->records = 0;
	return o->err;
}

static int make_room(struct out *o, size_t n)
{
	if (n > sizeof(o->buf) - o->n || o->records == RECORDS_MAX)
		out_flush(o);
	return o->err;
}

int out_put(struct out *o, const void *p, size_t n)
{
	size_t done;

	if (make_room(o, n))
		return o->err;
	if (n <= sizeof(o->buf)) {
		if (n)
			memcpy(o->buf + o->n, p, n);
		return out_commit(o, n);
	}
	done = write_all(o, p, n);
	if (done < n)
		take_back(o, done);
	else
		o->accepted += n;
	return o->err;
}

uint8_t *out_room(struct out *o, size_t n)
{
	if (n > sizeof(o->buf) || make_room(o, n))
		return NULL;
	return o->buf + o->n;
}

int out_commit(struct out *o, size_t n)
{
	if (o->err || !n)
		return o->err;
	o->n += n;
	o->ends[o->records++] = (uint32_t)o->n;
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
