/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/status.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/log.h"
#include "select/human.h"

#define AGAIN_NS \
	200000000u     /* until a line that made way comes again: not between two lines of text */
#define COLUMNS_MIN 20 /* a narrower terminal gets none */

struct status {
	int fd; /* owned: the terminal, never waited for */
	bool shown;
	uint64_t drawn_ns; /* 0: never */
	uint64_t rated_ns, rated_txns, rate;
	struct buf line;
};

static bool has_control(void)
{
	const char *term = getenv("TERM");

	return term && *term && strcmp(term, "dumb") != 0;
}

static void put(const struct status *s, const void *p, size_t n)
{
	if (write(s->fd, p, n) < 0)
		return; /* it shows nothing that is not told at the end */
}

/* CR and EL: to the first column, erase the line (ECMA-48 sections 8.3.15 and 8.3.41). */
void status_hide(void *arg)
{
	static const char erase[] = "\r\x1b[K";
	struct status *s = arg;

	if (!s || !s->shown)
		return;
	put(s, erase, sizeof(erase) - 1);
	s->shown = false;
}

struct status *status_new(const struct config *cfg)
{
	struct status *s;
	int fd;

	if (cfg->mode != MODE_TRACE || cfg->quiet || cfg->command || !isatty(STDERR_FILENO) ||
	    !has_control())
		return NULL;
	/* A description of its own, as the shell has the other one: a stopped terminal holds up nothing. */
	fd = open("/dev/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	s = fd < 0 ? NULL : calloc(1, sizeof(*s));
	if (!s) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	s->fd = fd;
	log_set_before(status_hide, s);
	return s;
}

bool status_due(const struct status *s, uint64_t now_ns)
{
	return s && now_ns - s->drawn_ns >= (s->shown ? STATUS_NS : AGAIN_NS);
}

/* Over at least a second, so that it can be read. */
static void rate(struct status *s, uint64_t txns, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns - s->rated_ns;

	if (passed_ns < STATUS_NS)
		return;
	if (s->rated_ns)
		s->rate =
			(uint64_t)((double)(txns - s->rated_txns) * 1e9 / (double)passed_ns + 0.5);
	s->rated_ns = now_ns;
	s->rated_txns = txns;
}

/* Not into the last column: some terminals wrap there. */
static size_t columns(const struct status *s)
{
	struct winsize ws;

	if (ioctl(s->fd, TIOCGWINSZ, &ws) < 0 || !ws.ws_col)
		return 79;
	return ws.ws_col - 1u;
}

/* In the background the terminal is somebody else's. */
static bool in_foreground(const struct status *s)
{
	pid_t group = tcgetpgrp(s->fd);

	return group < 0 || group == getpgrp();
}

void status_show(struct status *s, const struct status_facts *facts, uint64_t now_ns)
{
	struct buf *b = &s->line;
	size_t room = columns(s), from;

	rate(s, facts->txns, now_ns);
	s->drawn_ns = now_ns;
	if (room < COLUMNS_MIN || !in_foreground(s))
		return;
	buf_clear(b);
	buf_putc(b, '\r');
	from = b->n;
	buf_printf(b,
		   "tlslens: %" PRIu64 " transactions, %" PRIu64 "/s, %" PRIu64
		   " connections, %" PRIu64 " open, lost ",
		   facts->txns, s->rate, facts->conns, facts->conns_live);
	human_size(b, facts->lost_bytes);
	if (facts->dropped)
		buf_printf(b, ", dropped %" PRIu64 " records", facts->dropped);
	if (b->n - from > room)
		b->n = from + room;
	buf_puts(b, "\x1b[K");
	if (buf_ok(b))
		put(s, b->p, b->n);
	s->shown = true;
}

void status_free(struct status *s)
{
	if (!s)
		return;
	status_hide(s);
	log_set_before(NULL, NULL);
	close(s->fd);
	buf_free(&s->line);
	free(s);
}
