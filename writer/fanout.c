/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of the line: hands everything to each writer that wants it. A writer that failed gets no more,
 * so that its output ends where the error came, and the run learns of it at once.
 */
#include "writer/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "core/log.h"

struct member {
	const struct writer_ops *ops;
	void *self;
	struct out *out; /* the writer's, or NULL */
	const char *label;
	int err; /* its first */
	struct member *prev, *next;
};

struct fanout {
	struct sink sink; /* first: the sink is the fan-out */
	struct member *members;
	int err; /* the first of any member */
};

static int note(struct fanout *f, struct member *m, int err)
{
	if (err < 0) {
		m->err = err;
		if (!f->err)
			f->err = err;
	}
	return f->err;
}

/* Before the member gets an event of that time: the moment to begin a next file. False: it has failed. */
static bool ready(struct fanout *f, struct member *m, uint64_t now_ns)
{
	if (!m->err && m->out)
		note(f, m, out_time(m->out, now_ns));
	return !m->err;
}

static int fanout_txn(struct sink *s, struct txn *t)
{
	struct fanout *f = (struct fanout *)s;
	uint64_t now_ns = t->end_ns + (uint64_t)t->clock_offset_ns;
	struct member *m;

	DL_FOREACH (f->members, m) {
		if (m->ops->wants_txns && ready(f, m, now_ns))
			note(f, m, m->ops->txn(m->self, t));
	}
	return f->err;
}

static int fanout_chunk(struct sink *s, const struct chunk *c)
{
	struct fanout *f = (struct fanout *)s;
	struct member *m;

	DL_FOREACH (f->members, m) {
		if (m->ops->wants_chunks && ready(f, m, c->ts_ns))
			note(f, m, m->ops->chunk(m->self, c));
	}
	return f->err;
}

static int fanout_tick(struct sink *s, uint64_t now_ns)
{
	struct fanout *f = (struct fanout *)s;
	struct member *m;

	DL_FOREACH (f->members, m) {
		if (ready(f, m, now_ns) && m->ops->tick)
			note(f, m, m->ops->tick(m->self, now_ns));
	}
	return f->err;
}

static const struct sink_ops fanout_ops = {
	.txn = fanout_txn,
	.chunk = fanout_chunk,
	.tick = fanout_tick,
};

struct fanout *fanout_new(void)
{
	struct fanout *f = calloc(1, sizeof(*f));

	if (f)
		f->sink.ops = &fanout_ops;
	return f;
}

int fanout_add(struct fanout *f, const struct writer_ops *ops, void *self, struct out *out,
	       const char *label)
{
	struct member *m = malloc(sizeof(*m));

	if (!m)
		return -ENOMEM;
	*m = (struct member){.ops = ops, .self = self, .out = out, .label = label};
	DL_APPEND(f->members, m);
	return 0;
}

struct sink *fanout_sink(struct fanout *f)
{
	return &f->sink;
}

bool fanout_wants_chunks(const struct fanout *f)
{
	const struct member *m;

	DL_FOREACH (f->members, m) {
		if (m->ops->wants_chunks)
			return true;
	}
	return false;
}

int fanout_flush(struct fanout *f)
{
	struct member *m;

	DL_FOREACH (f->members, m) {
		if (!m->err)
			note(f, m, m->ops->flush(m->self));
	}
	return f->err;
}

bool fanout_waits(const struct fanout *f)
{
	const struct member *m;

	DL_FOREACH (f->members, m) {
		if (m->out && !m->err && out_waits(m->out))
			return true;
	}
	return false;
}

void fanout_set_before(struct fanout *f, void (*fn)(void *), void *arg)
{
	struct member *m;

	DL_FOREACH (f->members, m) {
		if (m->out && out_is_tty(m->out))
			out_set_before(m->out, fn, arg);
	}
}

uint64_t fanout_lost(const struct fanout *f)
{
	const struct member *m;
	uint64_t n = 0;

	DL_FOREACH (f->members, m)
		n += m->out ? out_lost(m->out) : 0;
	return n;
}

int fanout_reopen(struct fanout *f)
{
	struct member *m;

	DL_FOREACH (f->members, m) {
		if (m->out && !m->err)
			note(f, m, out_reopen(m->out));
	}
	return f->err;
}

int fanout_close(struct fanout *f)
{
	struct member *m, *next;
	int err;

	if (!f)
		return 0;
	DL_FOREACH_SAFE(f->members, m, next)
	{
		err = m->ops->close(m->self);
		note(f, m, m->err ? m->err : err);
		if (m->err)
			log_error("%s: %s", m->label, strerror(-m->err));
		free(m);
	}
	err = f->err;
	free(f);
	return err;
}
