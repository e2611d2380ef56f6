/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/player.h"

#include <errno.h>
#include <inttypes.h>

#include "core/log.h"

void player_free(struct player *p)
{
	input_free(p->in);
	buf_free(&p->made);
}

int player_damaged(const struct player *p, const char *how)
{
	log_error("%s: damaged at byte %" PRIu64 " (%s); read up to there", p->path, p->in->off,
		  how);
	return -EBADMSG;
}

/* Hands out one that is made already, in its turn. */
static bool take_made(struct player *p, const struct ev_hdr **ev)
{
	while (p->at < p->made.n) {
		*ev = (const struct ev_hdr *)(const void *)(p->made.p + p->at);
		p->at += ((size_t)(*ev)->len + 7) & ~(size_t)7;
		if (ev_check(*ev, (*ev)->len)) {
			p->stats.records++;
			return true;
		}
		p->stats.bad_records++;
	}
	buf_clear(&p->made);
	p->at = 0;
	return false;
}

int player_next(void *self, const struct ev_hdr **ev, int timeout_ms)
{
	struct player *p = self;
	int n;

	while (!p->stopped) {
		if (take_made(p, ev))
			return 1;
		if (p->over)
			return -EPIPE;
		n = input_wait(p->in, timeout_ms);
		if (n == 1) {
			n = p->read(p);
			p->over = n == 0 || n == -EBADMSG;
			n = n == 0 ? 1 : n;
		}
		if (n != 1)
			return n;
	}
	return -EPIPE;
}

int player_stop(void *self)
{
	((struct player *)self)->stopped = true;
	return 0;
}

int player_stats(void *self, struct source_stats *st)
{
	*st = ((struct player *)self)->stats;
	return 0;
}

int player_command_status(void *self)
{
	(void)self;
	return -1;
}

int player_describe(void *self, char *out, size_t n)
{
	const struct player *p = self;

	snprintf(out, n, "%s %s", p->format, p->path);
	return 0;
}

int player_report(void *self, FILE *out)
{
	const struct player *p = self;

	fprintf(out, "%s %s: %" PRIu64 " records\n", p->format, p->path, p->stats.records);
	return 0;
}
