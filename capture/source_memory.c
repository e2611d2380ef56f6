/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records from an array: the source of tests and benchmarks. Nothing is copied. */
#include "capture/source.h"

#include <errno.h>
#include <stdlib.h>

struct memory {
	const struct ev_hdr *const *events; /* borrowed */
	size_t count, at;
	bool stopped;
	struct source_stats stats;
};

static int memory_open(void **self, const struct source_cfg *cfg)
{
	struct memory *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->events = cfg->events;
	m->count = cfg->event_count;
	*self = m;
	return 0;
}

static int memory_next(void *self, const struct ev_hdr **ev, int timeout_ms)
{
	struct memory *m = self;

	(void)timeout_ms;
	while (!m->stopped && m->at < m->count) {
		*ev = m->events[m->at++];
		if (ev_check(*ev, (*ev)->len)) {
			m->stats.records++;
			return 1;
		}
		m->stats.bad_records++;
	}
	return -EPIPE;
}

static int memory_stop(void *self)
{
	((struct memory *)self)->stopped = true;
	return 0;
}

static int memory_stats(void *self, struct source_stats *st)
{
	*st = ((struct memory *)self)->stats;
	return 0;
}

static int memory_command_status(void *self)
{
	(void)self;
	return -1;
}

static int memory_describe(void *self, char *out, size_t n)
{
	snprintf(out, n, "%zu records in memory", ((struct memory *)self)->count);
	return 0;
}

static int memory_report(void *self, FILE *out)
{
	(void)self;
	(void)out;
	return 0;
}

const struct source_ops source_memory = {
	.name = "memory",
	.open = memory_open,
	.next = memory_next,
	.stop = memory_stop,
	.stats = memory_stats,
	.command_status = memory_command_status,
	.describe = memory_describe,
	.report = memory_report,
	.close = free,
};
