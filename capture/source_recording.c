/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a recording back, record by record, up to its end or its damage. Nothing but the file is looked at.
 * It is read, not mapped: a file that shrinks meanwhile is then a short file, not a signal.
 */
#include "capture/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>

#include "capture/input.h"
#include "capture/recording.h"
#include "capture/recording_format.h"
#include "core/log.h"

_Static_assert(INPUT_BYTES > EV_RECORD_MAX_BYTES, "a record can be looked at whole");

struct reader {
	const char *path; /* borrowed from the configuration */
	struct input *in; /* owned */
	bool ended, stopped;
	int over; /* what next() returns from now on, 0 while there is more */
	struct source_stats stats;
	/* a record stands anywhere in the file; handed out it is aligned */
	_Alignas(struct ev_hdr) uint8_t record[EV_RECORD_MAX_BYTES];
};

static int check_head(const struct reader *r, const struct recording_head *h, size_t have)
{
	if (have < sizeof(h->magic) || memcmp(h->magic, RECORDING_MAGIC, sizeof(h->magic)) != 0) {
		log_error("%s is not a tlslens recording, and neither pcap nor pcapng", r->path);
		return -EBADMSG;
	}
	if (have < offsetof(struct recording_head, text)) {
		log_error("%s: the recording ends within its head", r->path);
		return -EBADMSG;
	}
	if (h->byte_order != RECORDING_BYTE_ORDER) {
		log_error("%s was recorded on a machine of the other byte order", r->path);
		return -EBADMSG;
	}
	if (h->version != RECORDING_VERSION) {
		log_error("%s is a recording of version %u, this tlslens reads version %u", r->path,
			  h->version, RECORDING_VERSION);
		return -EBADMSG;
	}
	if (h->len < offsetof(struct recording_head, text) || h->len > RECORDING_HEAD_MAX_BYTES ||
	    h->len > have) {
		log_error("%s: the head of the recording is damaged", r->path);
		return -EBADMSG;
	}
	return 0;
}

static int read_head(struct reader *r)
{
	struct recording_head h = {0};
	size_t have;
	int err = input_fill(r->in, RECORDING_HEAD_MAX_BYTES);

	if (err) {
		log_error("cannot read %s: %s", r->path, strerror(-err));
		return err;
	}
	have = r->in->n - r->in->at;
	memcpy(&h, r->in->buf + r->in->at, have < sizeof(h) ? have : sizeof(h));
	err = check_head(r, &h, have);
	if (!err)
		input_skip(r->in, h.len);
	return err;
}

static void recording_src_close(void *self)
{
	struct reader *r = self;

	if (r)
		input_free(r->in);
	free(r);
}

static int recording_src_open(void **self, const struct source_cfg *cfg)
{
	struct reader *r = calloc(1, sizeof(*r));
	int err;

	if (!r) {
		input_free(cfg->input);
		return -ENOMEM;
	}
	r->path = cfg->path;
	err = input_of(&r->in, cfg);
	if (!err)
		err = read_head(r);
	if (err)
		recording_src_close(r);
	else
		*self = r;
	return err;
}

static int damaged(struct reader *r, const char *how)
{
	log_error("%s: damaged at byte %" PRIu64 " (%s); read up to there", r->path, r->in->off,
		  how);
	r->over = -EPIPE; /* told once */
	return -EBADMSG;
}

static int at_end(struct reader *r)
{
	if (!r->ended)
		log_warn("%s: the recording was cut: it has no end mark", r->path);
	r->over = -EPIPE;
	return -EPIPE;
}

/* The next record, undamaged but not looked into, in r->record. 1 or as next(). */
static int read_record(struct reader *r)
{
	struct input *in = r->in;
	struct ev_hdr h;
	uint32_t crc;
	int err = input_fill(in, sizeof(crc) + sizeof(h));

	if (err == -EINTR)
		return err;
	if (err)
		return damaged(r, strerror(-err));
	if (in->at == in->n)
		return at_end(r);
	if (r->ended)
		return damaged(r, "more after the end mark");
	if (in->n - in->at < sizeof(crc) + sizeof(h))
		return damaged(r, "cut within a record");
	memcpy(&crc, in->buf + in->at, sizeof(crc));
	memcpy(&h, in->buf + in->at + sizeof(crc), sizeof(h));
	if (h.len < sizeof(h) || h.len > EV_RECORD_MAX_BYTES)
		return damaged(r, "impossible length");
	err = input_fill(in, sizeof(crc) + h.len);
	if (err == -EINTR)
		return err;
	if (err)
		return damaged(r, strerror(-err));
	if (in->n - in->at < sizeof(crc) + h.len)
		return damaged(r, "cut within a record");
	memcpy(r->record, in->buf + in->at + sizeof(crc), h.len);
	if (libdeflate_crc32(0, r->record, h.len) != crc)
		return damaged(r, "checksum");
	input_skip(in, sizeof(crc) + h.len);
	r->ended = h.type == EV_END;
	return 1;
}

static int recording_src_next(void *self, const struct ev_hdr **ev, int timeout_ms)
{
	struct reader *r = self;
	int res;

	if (r->stopped)
		return -EPIPE;
	while (!r->over) {
		res = input_wait(r->in, timeout_ms);
		if (res == 1)
			res = read_record(r);
		if (res != 1)
			return res;
		*ev = (const struct ev_hdr *)r->record;
		if (ev_check(*ev, (*ev)->len)) {
			r->stats.records++;
			return 1;
		}
		r->stats.bad_records++;
	}
	return r->over;
}

static int recording_src_stop(void *self)
{
	((struct reader *)self)->stopped = true;
	return 0;
}

static int recording_src_stats(void *self, struct source_stats *st)
{
	*st = ((struct reader *)self)->stats;
	return 0;
}

static int recording_src_command_status(void *self)
{
	(void)self;
	return -1;
}

static int recording_src_describe(void *self, char *out, size_t n)
{
	snprintf(out, n, "recording %s", ((struct reader *)self)->path);
	return 0;
}

static int recording_src_report(void *self, FILE *out)
{
	struct reader *r = self;

	fprintf(out, "recording %s: %" PRIu64 " records, %" PRIu64 " refused\n", r->path,
		r->stats.records, r->stats.bad_records);
	return 0;
}

const struct source_ops source_recording = {
	.name = "recording",
	.open = recording_src_open,
	.next = recording_src_next,
	.stop = recording_src_stop,
	.stats = recording_src_stats,
	.command_status = recording_src_command_status,
	.describe = recording_src_describe,
	.report = recording_src_report,
	.close = recording_src_close,
};
