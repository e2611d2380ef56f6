/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drives the parser of a connection: feeds it what is in order, keeps what it cannot take yet, goes on to
 * the next protocol after an upgrade, and looks for a new start after a loss. In the common case the parser
 * reads straight from the record.
 */
#include "flow/internal.h"

#include <errno.h>
#include <stdlib.h>

#define UPGRADES_MAX 8 /* without a byte consumed between them */

static struct flow_conn *conn_of(struct proto_sink *s)
{
	return (struct flow_conn *)((char *)s - offsetof(struct flow_conn, sink));
}

static void sink_txn(struct proto_sink *s, struct txn *t)
{
	flow_queue_txn(conn_of(s), t);
}

static void sink_secret(struct proto_sink *s, enum dir d, uint64_t off, uint64_t n, uint8_t fill)
{
	flow_queue_secret(conn_of(s), d, off, n, fill);
}

static void settle(struct flow_stream *st, uint64_t off)
{
	if (off > st->settled_off)
		st->settled_off = off;
}

static void sink_settled(struct proto_sink *s, enum dir d, uint64_t off)
{
	settle(&conn_of(s)->stream[d], off);
}

static void sink_role(struct proto_sink *s, enum role r)
{
	conn_of(s)->pub.role = r;
}

static void sink_resolved(struct proto_sink *s, const struct resolved *r)
{
	flow_name_learn(conn_of(s), r);
}

static void sink_limit(struct proto_sink *s, enum limit_kind k)
{
	conn_of(s)->flow->stats.limits[k]++;
}

static const struct proto_sink_ops sink_ops = {
	.txn = sink_txn,
	.secret = sink_secret,
	.settled = sink_settled,
	.role = sink_role,
	.resolved = sink_resolved,
	.limit = sink_limit,
};

/*
 * The parser will not say any more what the bytes up to `end` are. When it is one that knows secrets,
 * those it has not settled may be the middle of one: they are masked whole.
 */
static void give_up(struct flow_conn *c, enum dir d, uint64_t end)
{
	struct flow_stream *st = &c->stream[d];

	if (c->ops && c->ops->settles_itself && end > st->settled_off)
		flow_queue_secret(c, d, st->settled_off, end - st->settled_off, '*');
	settle(st, end);
}

/* Its bytes are not looked at any more, and not copied as soon as the source knows. */
static void refuse(struct flow_conn *c)
{
	c->opaque = c->refused = true;
	c->flow->stats.refused++;
	flow_plain_unwanted(c);
}

bool flow_drive_open(struct flow_conn *c, const struct proto_ops *ops, bool late,
		     const struct txn *upgraded_from)
{
	struct flow *f = c->flow;
	struct proto_open o = {
		.conn = &c->pub,
		.sink = &c->sink,
		.limits = &f->cfg.limits,
		.late = late,
		.upgraded_from = upgraded_from,
	};

	if (f->cfg.wants && !f->cfg.wants(f->cfg.wants_arg, ops)) {
		refuse(c);
		return false;
	}
	c->sink.ops = &sink_ops;
	c->parser = ops->open(&o);
	if (!c->parser) {
		flow_fail(f, -ENOMEM);
		c->opaque = true;
		return false;
	}
	c->ops = ops;
	c->pub.proto = ops->name;
	flow_conn_known(c);
	if (c->home)
		c->home->talks = true;
	c->ticking = ops->tick != NULL;
	if (c->ticking)
		DL_APPEND2(f->ticking, c, tick_prev, tick_next);
	for (int i = 0; i < DIR_COUNT; i++) {
		c->stream[i].stalled = false;
		c->stream[i].fed = false;
	}
	return true;
}

static void close_parser(struct flow_conn *c)
{
	if (!c->ops)
		return;
	c->ops->close(c->parser, c->flow->now_ns);
	for (int i = 0; i < DIR_COUNT; i++)
		give_up(c, (enum dir)i, c->stream[i].parsed_off);
	if (c->ticking)
		DL_DELETE2(c->flow->ticking, c, tick_prev, tick_next);
	c->ops = NULL;
	c->parser = NULL;
}

static void upgrade(struct flow_conn *c, const char *next)
{
	const struct proto_ops *const *row = c->flow->cfg.rows;
	const struct txn *from = c->txns_tail; /* the exchange that asked for it came last */

	/* before the parser goes: the name may be its own */
	while (*row && (!next || strcmp((*row)->name, next) != 0))
		row++;
	close_parser(c);
	c->stream[0].stalled = c->stream[1].stalled = false;
	if (*row && flow_drive_open(c, *row, false, from))
		return;
	c->opaque = true;
	c->pub.proto = NULL;
	flow_plain_unwanted(c);
}

/*
 * Out of step, as it turned out in a call before which `settled` was settled. Whatever the parser vouched
 * for in that call it may have misread.
 */
static void lose_step(struct flow_conn *c, enum dir d, uint64_t settled, uint64_t end)
{
	struct flow_stream *st = &c->stream[d];

	st->in_step = false;
	st->settled_off = settled;
	give_up(c, d, end);
}

static void pass_unparsed(struct flow_conn *c, enum dir d, const struct slice *s)
{
	if (c->pub.plain)
		flow_plain_unparsed(c, s);
	else if (!c->refused)
		c->flow->stats.unparsed_bytes += s->n;
	give_up(c, d, s->off + s->n);
	c->stream[d].parsed_off = s->off + s->n;
}

static void consume(struct flow_conn *c, enum dir d, struct slice *s, size_t n)
{
	struct flow_stream *st = &c->stream[d];

	st->fed = true;
	if (!n)
		return;
	s->p += n;
	s->n -= n;
	s->off += n;
	s->call_start = false;
	st->parsed_off = s->off;
	if (!c->ops->settles_itself)
		settle(st, s->off);
	c->stream[dir_other(d)].stalled = false;
}

/*
 * Hands a slice over until it is taken (true) or the rest, to which *s then points, must wait (false).
 * `last`: it has waited enough.
 */
static bool take(struct flow_conn *c, enum dir d, struct slice *s, bool last)
{
	struct flow_stream *st = &c->stream[d];
	unsigned int upgrades = 0;
	bool restarted = false;
	struct parse_res r;
	uint64_t settled;

	while (s->n) {
		if (!st->in_step || !c->ops) {
			enum probe_res res = c->opaque ? PROBE_NO : flow_detect(c, d, s, last);

			if (res == PROBE_MORE)
				return false;
			if (res == PROBE_NO)
				break;
		}
		settled = st->settled_off;
		r = c->ops->feed(c->parser, d, s, last);
		if (r.status == PARSE_OK || r.consumed > s->n)
			r.consumed = s->n;
		consume(c, d, s, r.consumed);
		if (r.status == PARSE_OK || (r.status == PARSE_WAIT && (!last || !s->n)))
			return s->n == 0;
		if (r.status == PARSE_UPGRADE) {
			upgrades = r.consumed ? 0 : upgrades + 1;
			upgrade(c, upgrades < UPGRADES_MAX ? r.next : NULL);
			continue;
		}
		/* what broke the parser may itself begin a message, but only once */
		lose_step(c, d, settled, s->off);
		if (c->ops->seeks ? restarted && !r.consumed : restarted || !s->call_start)
			break;
		restarted = true;
	}
	if (s->n)
		pass_unparsed(c, d, s);
	return true;
}

static void tell_gap(struct flow_conn *c, enum dir d, uint64_t off, uint64_t n, uint64_t ts_ns)
{
	struct flow_stream *st = &c->stream[d];
	bool unsafe = c->ops && !st->in_step;
	uint64_t settled = st->settled_off;
	struct parse_res r;

	c->flow->stats.gap_bytes += n;
	st->parsed_off = off + n;
	if (!c->ops || unsafe) {
		give_up(c, d, off + n);
	} else {
		st->fed = true;
		r = c->ops->gap(c->parser, d, n, ts_ns);
		c->stream[dir_other(d)].stalled = false;
		if (r.status == PARSE_LOST) {
			unsafe = true;
			lose_step(c, d, settled, off + n);
		} else if (r.status == PARSE_UPGRADE) {
			upgrade(c, r.next);
		} else if (!c->ops->settles_itself) {
			settle(st, off + n);
		}
	}
	flow_queue_gap_told(c, d, off, unsafe);
}

static void keep(struct flow_conn *c, enum dir d, const struct slice *s, uint64_t gap_bytes)
{
	struct flow_stream *st = &c->stream[d];
	struct flow_seg *seg = malloc(sizeof(*seg) + s->n);

	if (!seg) {
		flow_fail(c->flow, -ENOMEM);
		return;
	}
	*seg = (struct flow_seg){
		.seq = ++c->seg_seq,
		.since_ns = c->flow->now_ns,
		.gap_bytes = gap_bytes,
		.slice = *s,
	};
	if (s->n)
		memcpy(seg->bytes, s->p, s->n);
	seg->slice.p = seg->bytes;
	st->stalled = !st->pend || (st->stalled && st->in_step && c->ops);
	DL_APPEND(st->pend, seg);
	st->pend_bytes += sizeof(*seg) + s->n;
	c->flow->held_bytes += sizeof(*seg) + s->n;
}

static bool is_full(const struct flow_conn *c, const struct flow_stream *st)
{
	return flow_held_over(c->flow, st->pend_bytes, FLOW_WAIT_BYTES);
}

/* Only a parser's wait has an end in time; half a first line may take as long as it likes. */
static bool must_go(const struct flow_conn *c, const struct flow_stream *st)
{
	return c->ending || is_full(c, st) ||
	       (st->in_step && c->flow->now_ns - st->pend->since_ns >= WAIT_PEER_MS * NS_PER_MS);
}

/* The direction whose waiting input came first, of those worth another try. */
static int pick(const struct flow_conn *c)
{
	int best = -1;

	for (int i = 0; i < DIR_COUNT; i++) {
		const struct flow_stream *st = &c->stream[i];

		if (st->pend && (!st->stalled || is_full(c, st)) &&
		    (best < 0 || st->pend->seq < c->stream[best].pend->seq))
			best = i;
	}
	return best;
}

static void drop_head(struct flow_conn *c, struct flow_stream *st)
{
	struct flow_seg *seg = st->pend;
	size_t n = sizeof(*seg) + (size_t)(seg->slice.p + seg->slice.n - seg->bytes);

	DL_DELETE(st->pend, seg);
	st->pend_bytes -= n;
	c->flow->held_bytes -= n;
	free(seg);
}

/* Offers what waits until nothing moves. */
static void pump(struct flow_conn *c)
{
	int i;

	while ((i = pick(c)) >= 0) {
		struct flow_stream *st = &c->stream[i];
		struct flow_seg *seg = st->pend;

		if (seg->gap_bytes)
			tell_gap(c, (enum dir)i, seg->slice.off, seg->gap_bytes, seg->slice.ts_ns);
		else if (!take(c, (enum dir)i, &seg->slice, must_go(c, st))) {
			st->stalled = true;
			continue;
		}
		drop_head(c, st);
	}
	for (i = 0; i < DIR_COUNT; i++) {
		struct flow_stream *st = &c->stream[i];

		if (st->pend && st->in_step)
			flow_timer_arm(c->flow, TIMER_WAIT, &st->wait,
				       st->pend->since_ns + WAIT_PEER_MS * NS_PER_MS);
		else
			flow_timer_cancel(c->flow, TIMER_WAIT, &st->wait);
	}
}

void flow_drive_bytes(struct flow_conn *c, enum dir d, const struct slice *in)
{
	struct slice s = *in;

	if (c->stream[d].pend || !take(c, d, &s, false))
		keep(c, d, &s, 0);
	pump(c);
	flow_queue_bytes(c, d, in);
	flow_queue_release(c);
}

void flow_drive_gap(struct flow_conn *c, enum dir d, uint64_t n, uint64_t ts_ns, uint32_t tid)
{
	struct slice s = {.off = c->stream[d].next_off, .ts_ns = ts_ns, .tid = tid};

	flow_queue_gap(c, d, s.off, n, ts_ns, tid);
	if (c->stream[d].pend)
		keep(c, d, &s, n);
	else
		tell_gap(c, d, s.off, n, ts_ns);
	pump(c);
	flow_queue_release(c);
}

void flow_drive_timeout(struct flow_conn *c, enum dir d)
{
	c->stream[d].stalled = false;
	pump(c);
	flow_queue_release(c);
}

void flow_drive_tick(struct flow_conn *c)
{
	c->ops->tick(c->parser, c->flow->now_ns);
	flow_queue_release(c);
}

void flow_drive_end(struct flow_conn *c)
{
	c->ending = true;
	c->stream[0].stalled = c->stream[1].stalled = false;
	pump(c);
	close_parser(c);
}
