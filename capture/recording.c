/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes a recording. Buffered; the first error sticks and comes back from every later call. What the file
 * holds is plaintext, so nobody else may read it and a link placed in its way is not followed.
 */
#include "capture/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <libdeflate.h>

#include "capture/recording_format.h"

#define BUFFER_BYTES ((size_t)512 << 10) /* more than the longest record */

struct recording {
	int fd;
	int err;
	bool ended; /* `end` came with the records, from another recording */
	struct ev_hdr end;
	size_t n;
	uint8_t buf[BUFFER_BYTES];
};

/*
 * A pipe or device that is there is used as it is; a regular file makes room for a new one, so that its
 * mode is ours and a reader of the old one keeps it. O_EXCL refuses whatever else stands in the way.
 */
static int open_output(const char *path)
{
	struct stat st = {0};
	int fd;

	if (strcmp(path, "-") == 0) {
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? -errno : fd;
	}
	if (lstat(path, &st) < 0 && errno != ENOENT)
		return -errno;
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		fd = open(path, O_WRONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	if (S_ISREG(st.st_mode) && unlink(path) < 0)
		return -errno;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int flush(struct recording *r)
{
	size_t done = 0;
	ssize_t k;

	while (!r->err && done < r->n) {
		k = write(r->fd, r->buf + done, r->n - done);
		if (k >= 0)
			done += (size_t)k;
		else if (errno != EINTR)
			r->err = -errno;
	}
	r->n = 0;
	return r->err;
}

static void append(struct recording *r, const void *p, size_t n)
{
	memcpy(r->buf + r->n, p, n);
	r->n += n;
}

static void append_record(struct recording *r, const struct ev_hdr *ev)
{
	uint32_t crc = libdeflate_crc32(0, ev, ev->len);

	append(r, &crc, sizeof(crc));
	append(r, ev, ev->len);
}

int recording_create(struct recording **out, const char *path)
{
	struct recording_head head = {
		.magic = RECORDING_MAGIC,
		.version = RECORDING_VERSION,
		.byte_order = RECORDING_BYTE_ORDER,
		.len = sizeof(head),
		.text = RECORDING_TEXT,
	};
	struct recording *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->fd = open_output(path);
	if (r->fd < 0) {
		int err = r->fd;

		free(r);
		return err;
	}
	append(r, &head, sizeof(head));
	*out = r;
	return 0;
}

int recording_put(struct recording *r, const struct ev_hdr *ev)
{
	if (ev->type == EV_END) { /* written when the recording is closed */
		r->end = *ev;
		r->ended = true;
		return r->err;
	}
	if (r->n + sizeof(uint32_t) + ev->len > sizeof(r->buf))
		flush(r);
	if (r->err)
		return r->err;
	append_record(r, ev);
	if (!r->ended && ev->ts_ns > r->end.ts_ns)
		r->end.ts_ns = ev->ts_ns;
	return 0;
}

int recording_flush(struct recording *r)
{
	return flush(r);
}

int recording_close(struct recording *r)
{
	int err;

	if (!r)
		return 0;
	r->end.type = EV_END;
	r->end.len = sizeof(r->end);
	if (r->n + sizeof(uint32_t) + sizeof(r->end) > sizeof(r->buf))
		flush(r);
	append_record(r, &r->end);
	err = flush(r);
	if (close(r->fd) < 0 && !err)
		err = -errno;
	free(r);
	return err;
}
