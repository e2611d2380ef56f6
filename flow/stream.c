/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of one direction. Records carry positions, so a record that came early waits for its
 * predecessor, a position that the kernel counted as lost is a gap at once, and one that never comes is a
 * gap after FLOW_REORDER_MS or FLOW_REORDER_BYTES.
 */
#include "flow/internal.h"

#include <errno.h>
#include <stdlib.h>

/* Joined late: the first position seen is where our knowledge starts, nothing is missing before it. */
static void begin(struct flow_conn *c, struct flow_stream *s, const struct ev_data *d)
{
	if (s->begun)
		return;
	s->begun = true;
	if (d->hdr.flags & EV_DATA_FROM_START)
		return;
	c->pub.from_start = false;
	s->next_off = s->parsed_off = s->settled_off = d->off;
	s->lost = d->lost;
}

/* Is everything before this record delivered, or known to be lost? */
static bool is_next(const struct flow_stream *s, const struct ev_data *d)
{
	return d->off <= s->next_off ||
	       (d->lost > s->lost && d->lost - s->lost >= d->off - s->next_off);
}

static void gap(struct flow_conn *c, const struct ev_data *d, uint64_t to_off)
{
	struct flow_stream *s = &c->stream[d->dir];
	uint64_t n = to_off - s->next_off;

	flow_drive_gap(c, (enum dir)d->dir, n, d->hdr.ts_ns, d->hdr.tid);
	s->next_off = to_off;
}

static void bytes(struct flow_conn *c, const struct ev_data *d, uint32_t skip)
{
	struct flow_stream *s = &c->stream[d->dir];
	struct slice slice = {
		.p = ev_payload(d) + skip,
		.n = d->got - skip,
		.off = d->off + skip,
		.ts_ns = d->hdr.ts_ns,
		.tid = d->hdr.tid,
		.call_start = d->part == 0 && skip == 0 && !(d->hdr.flags & EV_DATA_MIDCALL),
	};

	c->flow->stats.bytes += slice.n;
	c->proc->bytes[d->dir] += slice.n;
	s->next_off += slice.n;
	flow_drive_bytes(c, (enum dir)d->dir, &slice);
}

static void deliver(struct flow_conn *c, const struct ev_data *d)
{
	struct flow_stream *s = &c->stream[d->dir];
	uint64_t end = d->off + d->want;

	if (end <= s->next_off) {
		c->flow->stats.stale++;
		return;
	}
	flow_sock_evidence(c, d);
	if (d->off > s->next_off)
		gap(c, d, d->off);
	if (d->lost > s->lost)
		s->lost = d->lost;
	if (s->next_off - d->off < d->got)
		bytes(c, d, (uint32_t)(s->next_off - d->off));
	if (s->next_off < end)
		gap(c, d, end);
}

static void arm(struct flow_conn *c, struct flow_stream *s)
{
	uint64_t since = UINT64_MAX;
	struct flow_held *h;

	if (!s->held) {
		flow_timer_cancel(c->flow, TIMER_REORDER, &s->reorder);
		return;
	}
	DL_FOREACH (s->held, h) {
		since = h->since_ns < since ? h->since_ns : since;
	}
	flow_timer_arm(c->flow, TIMER_REORDER, &s->reorder, since + FLOW_REORDER_MS * NS_PER_MS);
}

static void deliver_head(struct flow_conn *c, struct flow_stream *s)
{
	struct flow_held *h = s->held;

	DL_DELETE(s->held, h);
	s->held_bytes -= h->data.hdr.len;
	c->flow->held_bytes -= h->data.hdr.len;
	deliver(c, &h->data);
	free(h);
}

static void deliver_ready(struct flow_conn *c, struct flow_stream *s)
{
	if (!s->held)
		return;
	while (s->held && is_next(s, &s->held->data))
		deliver_head(c, s);
	if (!s->held)
		flow_timer_cancel(c->flow, TIMER_REORDER, &s->reorder);
}

static void hold(struct flow_conn *c, struct flow_stream *s, const struct ev_data *d)
{
	struct flow_held *h = malloc(sizeof(*h) + d->hdr.len - sizeof(h->data)), *before;

	if (!h) {
		flow_fail(c->flow, -ENOMEM);
		return;
	}
	memcpy(&h->data, d, d->hdr.len);
	h->since_ns = c->flow->now_ns;
	before = s->held ? s->held->prev : NULL; /* the tail */
	while (before && before->data.off > d->off)
		before = before == s->held ? NULL : before->prev;
	if (before)
		DL_APPEND_ELEM(s->held, before, h);
	else
		DL_PREPEND(s->held, h);
	s->held_bytes += d->hdr.len;
	c->flow->held_bytes += d->hdr.len;
	c->flow->stats.reordered++;
	if (!s->reorder.armed)
		arm(c, s);
	while (s->held && flow_held_over(c->flow, s->held_bytes, FLOW_REORDER_BYTES)) {
		deliver_head(c, s);
		deliver_ready(c, s);
	}
}

/* The socket may be known later than what is spoken. */
static void tell_refused(struct flow_conn *c)
{
	const struct flow_cfg *cfg = &c->flow->cfg;

	if (!c->refused || c->told || !c->sock || !cfg->unwanted)
		return;
	cfg->unwanted(cfg->unwanted_arg, c->sock, true);
	c->told = true;
}

void flow_stream_data(struct flow_conn *c, const struct ev_data *d)
{
	struct flow_stream *s = &c->stream[d->dir];

	tell_refused(c);
	if (!d->want || c->refused)
		return;
	if (d->off + d->want < d->off) { /* no stream is that long */
		c->flow->stats.stale++;
		return;
	}
	begin(c, s, d);
	if (!is_next(s, d)) {
		hold(c, s, d);
		return;
	}
	deliver(c, d);
	deliver_ready(c, s);
	tell_refused(c);
}

/* Datagrams have no order of their own; half of one is of use to nobody. */
void flow_stream_datagram(struct flow_conn *c, const struct ev_data *d, uint64_t lost)
{
	struct flow_stream *s = &c->stream[d->dir];
	struct slice slice = {
		.p = ev_payload(d),
		.n = d->got,
		.ts_ns = d->hdr.ts_ns,
		.tid = d->hdr.tid,
		.call_start = true,
	};

	if (d->got < d->want)
		lost += d->want;
	if (lost) {
		flow_drive_gap(c, (enum dir)d->dir, lost, d->hdr.ts_ns, d->hdr.tid);
		s->next_off += lost;
	}
	if (!d->got || d->got < d->want)
		return;
	c->flow->stats.bytes += slice.n;
	c->proc->bytes[d->dir] += slice.n;
	slice.off = s->next_off;
	s->next_off += slice.n;
	flow_drive_bytes(c, (enum dir)d->dir, &slice);
}

void flow_stream_timeout(struct flow_conn *c, enum dir d)
{
	struct flow_stream *s = &c->stream[d];
	uint64_t end_off = 0; /* behind the start of the last one that waited its time */
	struct flow_held *h;

	DL_FOREACH (s->held, h) {
		if (c->flow->now_ns - h->since_ns >= FLOW_REORDER_MS * NS_PER_MS)
			end_off = h->data.off + 1;
	}
	while (s->held && s->held->data.off < end_off)
		deliver_head(c, s);
	deliver_ready(c, s);
	arm(c, s);
}

void flow_stream_end(struct flow_conn *c, enum dir d, uint64_t end_off)
{
	struct flow_stream *s = &c->stream[d];

	if (c->refused)
		return;
	while (s->held)
		deliver_head(c, s);
	if ((!s->begun && !c->pub.from_start) || end_off <= s->next_off)
		return;
	flow_drive_gap(c, d, end_off - s->next_off, c->flow->now_ns, 0);
	s->next_off = end_off;
}
