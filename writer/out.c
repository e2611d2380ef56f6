/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A buffer in front of a descriptor. What one out_put() or out_commit() brought is a record and stays
 * together: the buffer is flushed before it would split one, so a reader that follows the file sees whole
 * lines and blocks; and when the disk is full, the part of a record that still fitted is taken back.
 *
 * Files that follow each other: one is ended in out_time(), the next one made when the first record for it
 * comes. After a full disk a file gets nothing more, so that it stays readable; the next one may.
 */
#include "writer/out.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/log.h"
#include "writer/out_file.h"
#include "writer/out_names.h"
#include "writer/out_reader.h"

#define RECORDS_MAX 8192 /* in the buffer */

struct out {
	int fd; /* owned; -1 between two files */
	int err;
	bool tty;
	bool own;		   /* a regular file that nobody else writes to */
	char *path;		   /* owned: as it was opened, or NULL */
	struct out_reader *reader; /* owned: what is written goes there; NULL: to the file */
	bool (*hurry)(void);
	void (*before)(void *);
	void *before_arg; /* borrowed */
	bool begun;	  /* it has its beginning, */
	bool used;	  /* and more */
	bool full;	  /* the disk was, at full_ns: what comes is counted and dropped */
	bool framed;	  /* frame is set */
	struct out_frame frame;
	bool rotates;
	struct out_rotation rotation;
	struct out_names names;
	uint64_t now_ns, full_ns;
	uint64_t period;  /* of the file's first record */
	uint64_t in_file; /* bytes */
	uint64_t accepted, lost;
	size_t n;
	size_t records;
	uint32_t ends[RECORDS_MAX]; /* of the records in buf */
	uint8_t buf[OUT_BUFFER_BYTES];
};

int out_fd(struct out **o, int fd)
{
	struct out *self = malloc(sizeof(*self));

	if (!self)
		return -ENOMEM;
	memset(self, 0, offsetof(struct out, ends));
	self->fd = fd;
	self->tty = fd >= 0 && isatty(fd);
	*o = self;
	return 0;
}

static void out_free(struct out *o)
{
	out_reader_free(o->reader);
	out_names_free(&o->names);
	free(o->path);
	free(o);
}

int out_open(struct out **o, const char *path)
{
	int inherited = out_file_inherited(path);
	int fd, err;

	fd = inherited >= 0 ? fcntl(inherited, F_DUPFD_CLOEXEC, 0) : out_file_open(path, false);
	if (fd < 0)
		return inherited >= 0 ? -errno : fd;
	err = out_fd(o, fd);
	if (err) {
		close(fd);
		return err;
	}
	(*o)->own = inherited < 0 && out_file_regular(fd);
	(*o)->path = strdup(path);
	if ((*o)->path)
		return 0;
	close(fd);
	out_free(*o);
	return -ENOMEM;
}

/* Whether files can be made there is to be known now and not with the first record. */
static int check_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int err;

	if (!folder)
		return -ENOMEM;
	err = strchr(folder, '%') || access(folder, W_OK | X_OK) == 0 ? 0 : -errno;
	free(folder);
	return err;
}

/* Only with its name is it known whether there is a file; names[0] then is that of the file just made. */
static int set_rotation(struct out *o, const char *path, const struct out_rotation *r)
{
	char *name;
	int err = out_names_init(&o->names, path, r->files);

	if (err)
		return err;
	o->rotates = true;
	o->rotation = *r;
	if (o->fd < 0)
		return 0;
	name = out_names_next(&o->names, 0);
	err = name ? out_names_made(&o->names, name, o->fd) : -ENAMETOOLONG;
	free(name);
	return err;
}

int out_open_files(struct out **o, const char *path, const struct out_rotation *r)
{
	bool timed = strchr(path, '%') != NULL;
	int err;

	if (!r->max_bytes && !r->period_ns)
		return out_open(o, path);
	err = timed ? check_folder(path) : 0;
	if (!err)
		err = timed ? out_fd(o, -1) : out_open(o, path);
	if (err || (!timed && !(*o)->own))
		return err;
	err = set_rotation(*o, path, r);
	if (err) {
		if ((*o)->fd >= 0)
			close((*o)->fd);
		out_free(*o);
	}
	return err;
}

/* No room, here or for this user. */
static bool is_full_disk(int err)
{
	return err == -ENOSPC || err == -EDQUOT || err == -EFBIG;
}

int out_never_wait(struct out *o, bool (*hurry)(void))
{
	o->hurry = hurry;
	return o->fd < 0 ? 0 : out_reader_new(&o->reader, &o->fd);
}

void out_set_before(struct out *o, void (*fn)(void *), void *arg)
{
	o->before = fn;
	o->before_arg = arg;
}

static uint64_t period_of(const struct out *o)
{
	return o->rotation.period_ns ? o->now_ns / o->rotation.period_ns : 0;
}

/* The file that `o->path` names. 0 or a negative errno. */
static int open_own(struct out *o, bool append)
{
	int fd = out_file_open(o->path, append);

	if (fd < 0)
		return fd;
	o->fd = fd;
	o->own = out_file_regular(fd);
	return o->rotates && !append ? out_names_made(&o->names, o->path, fd) : 0;
}

static int next_file(struct out *o)
{
	char *name = out_names_next(&o->names, o->now_ns);

	if (!name)
		return -ENAMETOOLONG;
	free(o->path);
	o->path = name;
	out_names_make_room(&o->names, name);
	return open_own(o, false);
}

/* Makes sure of a file with its beginning. 0 or the sticky error; o->full when there is none. */
int out_begin(struct out *o)
{
	int err = 0;

	if (o->err || o->begun || o->full)
		return o->err;
	o->begun = true; /* first: what the frame writes comes here again */
	o->in_file = 0;
	if (o->fd < 0)
		err = next_file(o);
	if (o->rotates && is_full_disk(err)) {
		o->full = true;
		o->full_ns = o->now_ns;
		return 0;
	}
	if (!err && o->framed && o->frame.begin)
		err = o->frame.begin(o->frame.arg);
	o->used = false;
	if (err && !o->err)
		o->err = err;
	return o->err;
}

int out_set_frame(struct out *o, const struct out_frame *frame)
{
	o->frame = *frame;
	o->framed = true;
	return o->fd >= 0 ? out_begin(o) : 0;
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

/*
 * Takes `torn` bytes back from the end of our file; the error that led here is the one to report, unless
 * another file may follow.
 */
static void fell_short(struct out *o, size_t torn, uint64_t records)
{
	off_t end = lseek(o->fd, 0, SEEK_CUR);

	if (o->own && torn && end >= (off_t)torn && ftruncate(o->fd, end - (off_t)torn))
		o->own = false;
	if (!is_full_disk(o->err))
		return;
	o->lost += records;
	if (!o->rotates)
		return;
	o->err = 0;
	o->full = true;
	o->full_ns = o->now_ns;
}

int out_flush(struct out *o)
{
	size_t n = o->n, done, whole = 0, i = 0;

	if (!o->err && o->reader)
		o->err = out_reader_drain(o->reader);
	if (o->err || !n)
		return o->err;
	done = write_all(o, o->buf, n);
	if (done < n) {
		for (; i < o->records && o->ends[i] <= done; i++)
			whole = o->ends[i];
		fell_short(o, done - whole, o->records - i);
	}
	o->n = 0;
	o->records = 0;
	return o->err;
}

static int make_room(struct out *o, size_t n)
{
	if (out_begin(o))
		return o->err;
	if (n > sizeof(o->buf) - o->n || o->records == RECORDS_MAX)
		out_flush(o);
	return o->err;
}

static int accept(struct out *o, size_t n)
{
	if (o->full) {
		o->lost++;
		return 0;
	}
	if (!o->used)
		o->period = period_of(o);
	o->used = true;
	o->accepted += n;
	o->in_file += n;
	return 0;
}

/* A record of n bytes in the reader's room, or dropped for want of it. */
static int queue(struct out *o, size_t n, bool kept)
{
	int dropped;

	if (o->before)
		o->before(o->before_arg);
	dropped = out_reader_commit(o->reader, n, kept);
	if (dropped < 0)
		o->err = dropped;
	else if (dropped)
		o->lost++;
	else
		accept(o, n);
	return o->err;
}

static int queue_copy(struct out *o, const void *p, size_t n, bool kept)
{
	uint8_t *room = out_reader_room(o->reader, n);

	if (!room) {
		o->lost++;
		return kept ? (o->err = -ENOMEM) : 0;
	}
	memcpy(room, p, n);
	return queue(o, n, kept);
}

int out_put_kept(struct out *o, const void *p, size_t n)
{
	if (!o->reader)
		return out_put(o, p, n);
	if (!out_begin(o) && n)
		queue_copy(o, p, n, true);
	return o->err;
}

int out_put(struct out *o, const void *p, size_t n)
{
	size_t done;

	if (make_room(o, n))
		return o->err;
	if (o->reader)
		return n ? queue_copy(o, p, n, false) : 0;
	if (n <= sizeof(o->buf)) {
		if (n)
			memcpy(o->buf + o->n, p, n);
		return out_commit(o, n);
	}
	if (o->full)
		return accept(o, n);
	done = write_all(o, p, n);
	if (done < n)
		fell_short(o, done, 1);
	else
		accept(o, n);
	return o->err;
}

uint8_t *out_room(struct out *o, size_t n)
{
	uint8_t *room;

	if (n > sizeof(o->buf) || make_room(o, n))
		return NULL;
	if (!o->reader)
		return o->buf + o->n;
	room = out_reader_room(o->reader, n);
	if (!room)
		o->err = -ENOMEM;
	return room;
}

int out_commit(struct out *o, size_t n)
{
	if (o->err || !n)
		return o->err;
	if (o->reader)
		return queue(o, n, false);
	if (!o->full) {
		o->n += n;
		o->ends[o->records++] = (uint32_t)o->n;
	}
	return accept(o, n);
}

/* Ends the file and closes it. The first error, which sticks. */
static int end(struct out *o)
{
	uint64_t lost = o->lost, left = 0;
	int err = 0;

	if (o->begun && !o->err && o->framed && o->frame.end)
		err = o->frame.end(o->frame.arg);
	if (err && !o->err)
		o->err = err;
	if (o->full) /* the end of a file that ended before is no loss */
		o->lost = lost;
	out_flush(o);
	if (o->reader) {
		err = out_reader_finish(o->reader, o->hurry, &left);
		o->lost += left;
		o->err = o->err ? o->err : err;
	}
	/* A network file system may tell only now that earlier bytes did not fit. */
	if (o->fd >= 0 && close(o->fd) && errno != EINTR && !o->err)
		o->err = -errno;
	o->fd = -1;
	o->begun = false;
	o->full = false;
	return o->err;
}

static bool is_due(const struct out *o)
{
	if (!o->begun || !o->rotates)
		return false;
	if (o->full)
		return o->now_ns - o->full_ns >= OUT_RETRY_NS;
	return o->used && ((o->rotation.max_bytes && o->in_file >= o->rotation.max_bytes) ||
			   period_of(o) != o->period);
}

int out_time(struct out *o, uint64_t now_ns)
{
	if (now_ns > o->now_ns)
		o->now_ns = now_ns;
	return is_due(o) ? end(o) : o->err;
}

int out_reopen(struct out *o)
{
	int err;

	if (!o->own || o->fd < 0 || o->err || out_file_same(o->fd, o->path))
		return o->err;
	if (end(o))
		return o->err;
	err = open_own(o, true);
	if (err)
		o->err = err;
	return out_begin(o);
}

bool out_waits(const struct out *o)
{
	return o->reader && !o->err && out_reader_waits(o->reader);
}

bool out_is_tty(const struct out *o)
{
	return o->tty;
}

unsigned int out_columns(const struct out *o)
{
	struct winsize ws;

	return o->tty && ioctl(o->fd, TIOCGWINSZ, &ws) == 0 ? ws.ws_col : 0;
}

uint64_t out_bytes(const struct out *o)
{
	return o->accepted;
}

uint64_t out_lost(const struct out *o)
{
	return o->lost;
}

static const char *name_of(const struct out *o)
{
	if (o->rotates)
		return o->names.pattern;
	if (!o->path)
		return "an output";
	return strcmp(o->path, "-") ? o->path : "standard output";
}

/* A slow reader is no error of ours, a full disk is one. */
int out_close(struct out *o)
{
	int err;

	if (!o)
		return 0;
	err = end(o);
	if (o->lost && o->reader) {
		log_error("%s: the reader %s, records dropped: %" PRIu64, name_of(o),
			  err == -EPIPE ? "is gone" : "was too slow", o->lost);
	} else if (o->lost) {
		log_error("%s: the disk was full, records lost: %" PRIu64, name_of(o), o->lost);
		err = err ? err : -ENOSPC;
	}
	out_free(o);
	return err;
}
