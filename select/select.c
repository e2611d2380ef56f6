/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "select/select.h"

#include <stdlib.h>

#include "select/filter.h"
#include "select/redact.h"

struct selector {
	struct sink sink; /* first: the sink is the selector */
	struct select_cfg cfg;
	struct sink *next;
	struct redactor *redactor; /* NULL when nothing is to be hidden */
	uint64_t txns;
};

bool select_done(const struct selector *s)
{
	return s->cfg.count && s->txns >= s->cfg.count;
}

/*
 * By the connection's id, which a replay has too. FNV-1a; its low bits alone are poor, so the upper half is
 * folded in.
 */
static bool sampled(const struct selector *s, const struct conn *conn)
{
	uint64_t sum = 14695981039346656037ull;

	if (s->cfg.sample <= 1)
		return true;
	for (const char *p = conn->id; *p; p++)
		sum = (sum ^ (uint8_t)*p) * 1099511628211ull;
	return ((sum ^ sum >> 32) & UINT32_MAX) % s->cfg.sample == 0;
}

static int select_txn(struct sink *sink, struct txn *t)
{
	struct selector *s = (struct selector *)sink;
	const struct conn *conn = t->conn;
	struct conn clean;
	int err;

	if (select_done(s) || (!txn_is_event(t) && !sampled(s, conn)))
		return 0;
	bodies_shape(&s->cfg.bodies, t);
	if (s->cfg.filter && !filter_match(s->cfg.filter, t))
		return 0;
	if (s->redactor)
		redact_txn(s->redactor, t, &clean);
	if (!(t->flags & TXN_EARLY) && !txn_is_event(t)) /* it comes again when it is over */
		s->txns++;
	err = s->next->ops->txn(s->next, t);
	t->conn = conn;
	return err;
}

/* Parsers marked the secrets of chunks; whether they are masked is decided here. */
static int select_chunk(struct sink *sink, const struct chunk *c)
{
	struct selector *s = (struct selector *)sink;
	struct chunk plain;

	if (!sampled(s, c->conn))
		return 0;
	if (s->redactor || !c->mask_count)
		return s->next->ops->chunk(s->next, c);
	plain = *c;
	plain.masks = NULL;
	plain.mask_count = 0;
	return s->next->ops->chunk(s->next, &plain);
}

static int select_tick(struct sink *sink, uint64_t now_ns)
{
	struct selector *s = (struct selector *)sink;

	return s->next->ops->tick(s->next, now_ns);
}

static const struct sink_ops select_ops = {
	.txn = select_txn,
	.chunk = select_chunk,
	.tick = select_tick,
};

struct selector *select_new(const struct select_cfg *cfg, struct sink *next)
{
	struct selector *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->sink.ops = &select_ops;
	s->cfg = *cfg;
	s->next = next;
	if (cfg->redact) {
		s->redactor = redact_new(cfg->secrets);
		if (!s->redactor) {
			free(s);
			return NULL;
		}
	}
	return s;
}

struct sink *select_sink(struct selector *s)
{
	return &s->sink;
}

uint64_t select_txns(const struct selector *s)
{
	return s->txns;
}

void select_free(struct selector *s)
{
	if (!s)
		return;
	redact_free(s->redactor);
	free(s);
}
