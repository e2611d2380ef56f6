/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pcapng that tlslens wrote as a source of records. Says at the end what it had to skip. */
#include "capture/source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/pcapng_read.h"
#include "capture/pcapng_records.h"
#include "core/log.h"

struct player {
	int fd;
	const char *path; /* borrowed from the configuration */
	struct pcapng_reader *reader;
	struct pcapng_records *records;
	struct buf made; /* records to hand out, from `at` */
	size_t at;
	bool stopped;
	int over; /* what next() returns from now on, 0 while there is more */
	struct source_stats stats;
};

static void pcapng_src_close(void *self)
{
	struct player *p = self;

	if (!p)
		return;
	pcapng_reader_free(p->reader);
	pcapng_records_free(p->records);
	buf_free(&p->made);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

static int damaged(struct player *p)
{
	log_error("%s: damaged at byte %" PRIu64 " (%s); read up to there", p->path,
		  pcapng_reader_offset(p->reader), pcapng_reader_damage(p->reader));
	p->over = -EPIPE; /* told once */
	return -EBADMSG;
}

/* The first section says who wrote the file. */
static int read_section(struct player *p)
{
	struct pcapng_block b;
	int n;

	do
		n = pcapng_read(p->reader, &b);
	while (n == -EINTR);
	if (n == -EBADMSG)
		return damaged(p);
	if (n < 0) {
		log_error("cannot read %s: %s", p->path, strerror(-n));
		return n;
	}
	if (n == 0 || b.kind != PCAPNG_SECTION || b.application.n < 7 ||
	    memcmp(b.application.p, "tlslens", 7) != 0) {
		log_error("%s is a pcapng, but not one that tlslens wrote", p->path);
		return -EBADMSG;
	}
	return pcapng_records_put(p->records, &b, &p->made);
}

static int pcapng_src_open(void **self, const struct source_cfg *cfg)
{
	struct player *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->path = cfg->path;
	p->fd = open(cfg->path, O_RDONLY | O_CLOEXEC);
	if (p->fd < 0) {
		err = -errno;
		log_error("cannot open %s: %s", cfg->path, strerror(errno));
		goto out;
	}
	p->reader = pcapng_reader_new(p->fd);
	p->records = pcapng_records_new();
	err = p->reader && p->records ? read_section(p) : -ENOMEM;
out:
	if (err)
		pcapng_src_close(p);
	else
		*self = p;
	return err;
}

static void warn_skipped(const struct player *p)
{
	const struct pcapng_skipped *s = pcapng_records_skipped(p->records);

	if (s->unread + s->unknown + s->again + s->beyond)
		log_warn("%s: skipped packets: %" PRIu64 " that tlslens did not write so, %" PRIu64
			 " of connections whose beginning is missing, %" PRIu64
			 " that came again, %" PRIu64 " of more connections than %u at once",
			 p->path, s->unread, s->unknown, s->again, s->beyond,
			 PCAPNG_RECORDS_CONNS_MAX);
}

/* Reads blocks until one of them makes records. 0, or as next(). */
static int make_records(struct player *p)
{
	struct pcapng_block b;
	int n;

	buf_clear(&p->made);
	p->at = 0;
	while (!p->made.n) {
		n = pcapng_read(p->reader, &b);
		if (n == -EBADMSG)
			return damaged(p);
		if (n == 0) {
			warn_skipped(p);
			p->over = -EPIPE;
			return -EPIPE;
		}
		if (n == 1)
			n = pcapng_records_put(p->records, &b, &p->made);
		if (n < 0)
			return n;
	}
	return 0;
}

static int pcapng_src_next(void *self, const struct ev_hdr **ev, int timeout_ms)
{
	struct player *p = self;
	int err;

	(void)timeout_ms;
	while (!p->over && !p->stopped) {
		err = p->at < p->made.n ? 0 : make_records(p);
		if (err)
			return err;
		*ev = (const struct ev_hdr *)(const void *)(p->made.p + p->at);
		p->at += ((size_t)(*ev)->len + 7) & ~(size_t)7;
		if (ev_check(*ev, (*ev)->len)) {
			p->stats.records++;
			return 1;
		}
		p->stats.bad_records++;
	}
	return -EPIPE;
}

static int pcapng_src_stop(void *self)
{
	((struct player *)self)->stopped = true;
	return 0;
}

static int pcapng_src_stats(void *self, struct source_stats *st)
{
	*st = ((struct player *)self)->stats;
	return 0;
}

static int pcapng_src_command_status(void *self)
{
	(void)self;
	return -1;
}

static int pcapng_src_describe(void *self, char *out, size_t n)
{
	snprintf(out, n, "pcapng %s", ((struct player *)self)->path);
	return 0;
}

static int pcapng_src_report(void *self, FILE *out)
{
	struct player *p = self;

	fprintf(out, "pcapng %s: %" PRIu64 " records\n", p->path, p->stats.records);
	return 0;
}

const struct source_ops source_pcapng = {
	.name = "pcapng",
	.open = pcapng_src_open,
	.next = pcapng_src_next,
	.stop = pcapng_src_stop,
	.stats = pcapng_src_stats,
	.command_status = pcapng_src_command_status,
	.describe = pcapng_src_describe,
	.report = pcapng_src_report,
	.close = pcapng_src_close,
};
