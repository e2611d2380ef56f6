/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The queue is one piece of memory, so that a record can be made in it and many written at once; what was written
 * leaves a hole at its beginning, which is closed when it is larger than the rest.
 */
#include "writer/out_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM_MIN_BYTES (256u << 10)
#define ROOM_KEEP_BYTES (1u << 20) /* of memory, when nothing waits */
#define PIPE_BYTES (1 << 20)	   /* asked for; what it has is good as well */
#define TRY_BYTES (16u << 10)	   /* between two attempts to write */
#define WAIT_MS 100		   /* at most, to see a signal in time */

struct out_reader {
	int fd; /* borrowed */
	bool socket;
	size_t pipe_bytes; /* that an empty pipe takes; 0: no pipe */
	int err;	   /* the first */
	uint8_t *p;	   /* owned; [from, end) waits */
	size_t cap, from, end;
	size_t untried;			     /* bytes since the last attempt */
	bool started;			     /* a part of the first record is written */
	uint32_t lengths[OUT_QUEUE_RECORDS]; /* a ring, */
	uint32_t first, count;		     /* of what waits of each */
};

/*
 * O_NONBLOCK belongs to the open file, which others have as well (a shell, the command): one of our own. -1: cannot
 * be had.
 */
static int own_description(int fd)
{
	char name[32];

	snprintf(name, sizeof(name), "/dev/fd/%d", fd);
	return open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static size_t pipe_size(int fd)
{
	int n;

	(void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
	n = fcntl(fd, F_GETPIPE_SZ);
	return n > PIPE_BUF ? (size_t)n : PIPE_BUF;
}

int out_reader_new(struct out_reader **r, int *fd)
{
	struct stat st;
	bool socket;
	int own;

	*r = NULL;
	if (fstat(*fd, &st))
		return 0;
	socket = S_ISSOCK(st.st_mode);
	if (!socket && !S_ISFIFO(st.st_mode) && !isatty(*fd))
		return 0;
	own = socket ? -1 : own_description(*fd);
	if (!socket && own < 0)
		return 0;
	*r = calloc(1, sizeof(**r));
	if (!*r) {
		if (own >= 0)
			close(own);
		return -ENOMEM;
	}
	if (own >= 0) {
		close(*fd);
		*fd = own;
	}
	(*r)->fd = *fd;
	(*r)->socket = socket;
	if (S_ISFIFO(st.st_mode))
		(*r)->pipe_bytes = pipe_size(*fd);
	return 0;
}

void out_reader_free(struct out_reader *r)
{
	if (!r)
		return;
	free(r->p);
	free(r);
}

static size_t waiting_bytes(const struct out_reader *r)
{
	return r->end - r->from;
}

bool out_reader_waits(const struct out_reader *r)
{
	return r->count != 0;
}

static void close_hole(struct out_reader *r)
{
	memmove(r->p, r->p + r->from, waiting_bytes(r));
	r->end -= r->from;
	r->from = 0;
}

uint8_t *out_reader_room(struct out_reader *r, size_t n)
{
	size_t cap;
	uint8_t *p;

	if (!r->count && r->cap > ROOM_KEEP_BYTES && n <= ROOM_KEEP_BYTES) {
		free(r->p);
		r->p = NULL;
		r->cap = 0;
	}
	if (r->cap - r->end < n && r->from && r->from >= waiting_bytes(r))
		close_hole(r);
	if (r->cap - r->end < n) {
		cap = r->end + n > 2 * r->cap ? r->end + n : 2 * r->cap;
		if (cap < ROOM_MIN_BYTES)
			cap = ROOM_MIN_BYTES;
		p = realloc(r->p, cap);
		if (!p)
			return NULL;
		r->p = p;
		r->cap = cap;
	}
	return r->p + r->end;
}

static bool has_room(const struct out_reader *r, size_t n, bool kept)
{
	size_t bytes = OUT_QUEUE_BYTES + (kept ? OUT_QUEUE_KEPT_BYTES : 0);
	size_t records = OUT_QUEUE_RECORDS - (kept ? 0 : OUT_QUEUE_KEPT_RECORDS);

	return !r->count || (r->count < records && waiting_bytes(r) + n <= bytes);
}

int out_reader_commit(struct out_reader *r, size_t n, bool kept)
{
	if (r->err)
		return r->err;
	if (n > UINT32_MAX)
		return 1;
	if (!has_room(r, n, kept)) {
		/* The room stays where it is: nothing is moved by writing, unless all of it was written. */
		uint8_t *record = r->p + r->end;

		if (out_reader_drain(r))
			return r->err;
		if (!has_room(r, n, kept))
			return kept ? -ENOBUFS : 1;
		memmove(r->p + r->end, record, n);
	}
	r->lengths[(r->first + r->count++) % OUT_QUEUE_RECORDS] = (uint32_t)n;
	r->end += n;
	r->untried += n;
	return r->untried >= TRY_BYTES ? out_reader_drain(r) : 0;
}

/* How many bytes may be written at once without tearing a record; 0: none as yet. */
static size_t portion(const struct out_reader *r)
{
	size_t fits = r->pipe_bytes ? PIPE_BUF : SIZE_MAX, n = 0;
	int held;

	if (!r->count)
		return 0;
	if (r->started)
		return r->lengths[r->first];
	if (r->pipe_bytes && ioctl(r->fd, FIONREAD, &held) == 0 && held == 0)
		fits = r->pipe_bytes;
	for (uint32_t i = 0; i < r->count; i++) {
		uint32_t next = r->lengths[(r->first + i) % OUT_QUEUE_RECORDS];

		if (next > fits - n)
			break;
		n += next;
	}
	if (!n && fits == r->pipe_bytes)
		return r->lengths[r->first];
	return n;
}

static void wrote(struct out_reader *r, size_t n)
{
	r->from += n;
	while (n) {
		uint32_t *length = &r->lengths[r->first];

		r->started = n < *length;
		if (r->started) {
			*length -= (uint32_t)n;
			return;
		}
		n -= *length;
		r->first = (r->first + 1) % OUT_QUEUE_RECORDS;
		r->count--;
	}
	if (!r->count)
		r->from = r->end = 0;
}

static ssize_t write_some(const struct out_reader *r, size_t n)
{
	const uint8_t *p = r->p + r->from;
	ssize_t k;

	do
		k = r->socket ? send(r->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) : write(r->fd, p, n);
	while (k < 0 && errno == EINTR);
	return k < 0 ? -errno : k;
}

static bool is_gone(const struct out_reader *r)
{
	struct pollfd p = {.fd = r->fd};

	return poll(&p, 1, 0) == 1 && p.revents & (POLLERR | POLLHUP);
}

int out_reader_drain(struct out_reader *r)
{
	size_t n;
	ssize_t k;

	r->untried = 0;
	while (!r->err) {
		n = portion(r);
		if (n)
			k = write_some(r, n);
		else
			k = is_gone(r) ? -EPIPE : -EAGAIN;
		if (k == -EAGAIN)
			break;
		if (k < 0)
			r->err = (int)k;
		else
			wrote(r, (size_t)k);
	}
	return r->err;
}

/*
 * How long it waited, at most. A pipe that must be empty for the next record is asked again and again: that it is
 * empty cannot be polled for.
 */
static int wait_for_reader(const struct out_reader *r)
{
	bool any = portion(r) != 0;
	struct pollfd p = {.fd = r->fd, .events = any ? POLLOUT : 0};
	int ms = any ? WAIT_MS : 1;

	return poll(&p, 1, ms) == 0 ? ms : 0;
}

int out_reader_finish(struct out_reader *r, bool (*hurry)(void), uint64_t *left)
{
	int idle_ms = 0;
	size_t before;

	while (r->count && !r->err) {
		before = waiting_bytes(r);
		if (out_reader_drain(r) || !r->count)
			break;
		if (waiting_bytes(r) != before)
			idle_ms = 0;
		else if (idle_ms >= OUT_PATIENCE_MS && hurry())
			break;
		if (idle_ms < OUT_PATIENCE_MS)
			idle_ms += wait_for_reader(r);
		else
			wait_for_reader(r);
	}
	*left = r->count;
	return r->err;
}
