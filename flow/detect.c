/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a parser can start: at the first byte of a connection or of an application's call, when a row's
 * probe says so. Also used to bring a direction back into step. One look costs at most FLOW_PROBE_BYTES a
 * row.
 */
#include "flow/internal.h"

struct look {
	const uint8_t *p;
	size_t n;
	bool cut; /* no more bytes can follow these */
};

/* The bytes from a slice on: it alone, or with what waits behind it in the queue it heads. */
static struct look gather(struct flow_conn *c, enum dir d, const struct slice *s)
{
	struct flow *f = c->flow;
	struct flow_seg *seg = c->stream[d].pend;
	struct look l = {s->p, s->n, s->n >= FLOW_PROBE_BYTES || c->dgram};
	size_t n;

	if (l.cut || !seg || !seg->next)
		return l;
	memcpy(f->probe, s->p, s->n);
	for (seg = seg->next; seg && l.n < FLOW_PROBE_BYTES; seg = seg->next) {
		if (seg->gap_bytes) {
			l.cut = true;
			break;
		}
		n = seg->slice.n < FLOW_PROBE_BYTES - l.n ? seg->slice.n : FLOW_PROBE_BYTES - l.n;
		memcpy(f->probe + l.n, seg->slice.p, n);
		l.n += n;
	}
	l.p = f->probe;
	l.cut = l.cut || l.n >= FLOW_PROBE_BYTES;
	return l;
}

/* The first row that says yes; PROBE_MORE when none does yet. */
static enum probe_res ask(struct flow_conn *c, enum dir d, struct look l,
			  const struct proto_ops **found)
{
	enum probe_res res, best = PROBE_NO;

	for (size_t i = 0; c->flow->cfg.rows[i]; i++) {
		const struct proto_ops *row = c->flow->cfg.rows[i];

		if (row->datagram != c->dgram)
			continue;
		res = row->probe(d, l.p, l.n);
		if (res == PROBE_YES) {
			*found = row;
			return res;
		}
		if (res == PROBE_MORE)
			best = res;
	}
	return best;
}

static bool open_at(struct flow_conn *c, enum dir d, const struct proto_ops *row, uint64_t off)
{
	struct flow_stream *other = &c->stream[dir_other(d)];
	bool untouched = c->pub.from_start && other->parsed_off == 0;

	if (!flow_drive_open(c, row, !untouched || off != 0, NULL))
		return false;
	c->stream[d].in_step = true;
	/* bytes that went by unread mean that the next ones may be the middle of something */
	other->in_step = untouched;
	return true;
}

static void start_anew(struct flow_conn *c, enum dir d)
{
	struct flow_stream *st = &c->stream[d];

	if (st->fed) {
		c->ops->resync(c->parser, d);
		c->flow->stats.resyncs++;
	}
	st->in_step = true;
}

enum probe_res flow_detect(struct flow_conn *c, enum dir d, const struct slice *s, bool last)
{
	const struct proto_ops *found = c->ops;
	enum probe_res res;
	struct look l;

	if (c->ops && c->ops->seeks) {
		start_anew(c, d);
		return PROBE_YES;
	}
	if (flow_plain_is_tls(c, s))
		return PROBE_NO;
	if (!s->call_start && !(s->off == 0 && c->pub.from_start))
		return PROBE_NO;
	l = gather(c, d, s);
	res = c->ops ? c->ops->probe(d, l.p, l.n) : ask(c, d, l, &found);
	if (res == PROBE_MORE)
		return last || l.cut ? PROBE_NO : PROBE_MORE;
	if (res == PROBE_NO)
		return PROBE_NO;
	if (!c->ops)
		return open_at(c, d, found, s->off) ? PROBE_YES : PROBE_NO;
	start_anew(c, d);
	return PROBE_YES;
}
