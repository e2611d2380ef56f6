/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What waits at the end of a connection: transactions for evidence of their peer, chunks also for the
 * parser to say which of their bytes are secrets. Both bounded; over the limit they go with what is known,
 * and bytes that nobody has vouched for go masked.
 */
#include "flow/internal.h"

#include <errno.h>
#include <stdlib.h>

#define SPANS_FIRST 16

static uint64_t chunk_end(const struct chunk *ch)
{
	return ch->off + (ch->kind == CHUNK_GAP ? ch->gap_bytes : ch->data.n);
}

static bool spans_grow(struct flow_stream *st)
{
	uint32_t cap = st->span_cap ? st->span_cap * 2 : SPANS_FIRST;
	struct flow_span *p;

	if (st->span_count < st->span_cap)
		return true;
	if (cap > FLOW_SECRETS_MAX)
		return false;
	p = realloc(st->spans, cap * sizeof(*p));
	if (!p)
		return false;
	st->spans = p;
	st->span_cap = cap;
	return true;
}

/* Inserts before index i; without room a neighbour grows instead: too much is masked, never too little. */
static bool span_insert(struct flow_stream *st, uint32_t i, struct flow_span span)
{
	if (!spans_grow(st)) {
		if (!st->span_count)
			return false;
		if (i)
			st->spans[i - 1].end = span.end;
		else
			st->spans[0].off = span.off;
		return true;
	}
	memmove(st->spans + i + 1, st->spans + i, (st->span_count - i) * sizeof(span));
	st->spans[i] = span;
	st->span_count++;
	return true;
}

void flow_queue_secret(struct flow_conn *c, enum dir d, uint64_t off, uint64_t n, uint8_t fill)
{
	struct flow_stream *st = &c->stream[d];
	struct flow_span span = {off, off + n < off ? UINT64_MAX : off + n, fill};
	uint32_t i = st->span_count, k;

	if (span.off < st->released_off)
		span.off = st->released_off;
	if (!c->flow->cfg.chunks || span.off >= span.end)
		return;
	while (i && st->spans[i - 1].end > span.off)
		i--;
	if (i == st->span_count || st->spans[i].off >= span.end) {
		if (!span_insert(st, i, span))
			flow_fail(c->flow, -ENOMEM);
		return;
	}
	/* overlaps [i, k): they become one */
	for (k = i; k < st->span_count && st->spans[k].off < span.end; k++) {
		span.off = st->spans[k].off < span.off ? st->spans[k].off : span.off;
		span.end = st->spans[k].end > span.end ? st->spans[k].end : span.end;
	}
	span.fill = st->spans[i].fill;
	st->spans[i] = span;
	memmove(st->spans + i + 1, st->spans + k, (st->span_count - k) * sizeof(span));
	st->span_count -= k - i - 1;
}

static void spans_drop(struct flow_stream *st)
{
	uint32_t k = 0;

	while (k < st->span_count && st->spans[k].end <= st->released_off)
		k++;
	if (!k)
		return;
	memmove(st->spans, st->spans + k, (st->span_count - k) * sizeof(st->spans[0]));
	st->span_count -= k;
}

static size_t masks_of(struct flow *f, const struct flow_stream *st, const struct chunk *ch)
{
	uint64_t end = chunk_end(ch), from, to;
	size_t n = 0;

	for (uint32_t i = 0; i < st->span_count && st->spans[i].off < end; i++) {
		from = st->spans[i].off > ch->off ? st->spans[i].off : ch->off;
		to = st->spans[i].end < end ? st->spans[i].end : end;
		if (from < to)
			f->masks[n++] = (struct mask){(size_t)(from - ch->off), (size_t)(to - from),
						      st->spans[i].fill};
	}
	return n;
}

static void chunk_out(struct flow_conn *c, struct chunk *ch)
{
	struct flow_stream *st = &c->stream[ch->dir];
	struct flow *f = c->flow;

	if (f->err)
		return;
	if (!c->known) { /* a plain connection in no protocol of ours is nobody's business */
		st->released_off = chunk_end(ch);
		return;
	}
	if (ch->kind == CHUNK_DATA) {
		ch->mask_count = masks_of(f, st, ch);
		ch->masks = f->masks;
	}
	f->err = f->out->ops->chunk(f->out, ch);
	c->had_chunks = true;
	st->released_off = chunk_end(ch);
	spans_drop(st);
}

static bool chunk_ready(const struct flow_conn *c, const struct flow_chunk *q)
{
	if (!c->peer_settled)
		return false;
	if (q->chunk.kind == CHUNK_GAP)
		return q->told;
	return c->stream[q->chunk.dir].settled_off >= chunk_end(&q->chunk);
}

/* Waited long enough: this one goes now, what nobody vouched for masked. */
static void chunk_force(struct flow_conn *c, struct flow_chunk *q)
{
	struct flow_stream *st = &c->stream[q->chunk.dir];
	uint64_t end = chunk_end(&q->chunk);

	if (!c->ending)
		c->flow->stats.held_over++;
	if (q->chunk.kind == CHUNK_GAP) {
		q->chunk.resync_unsafe |= !q->told;
	} else if (st->settled_off < end) {
		flow_queue_secret(c, q->chunk.dir, st->settled_off, end - st->settled_off, '*');
		st->settled_off = end;
	}
}

static struct chunk chunk_at(const struct flow_conn *c, enum dir d, uint64_t off, uint64_t ts_ns,
			     uint32_t tid)
{
	return (struct chunk){
		.conn = &c->pub,
		.dir = d,
		.off = off,
		.ts_ns = ts_ns + (uint64_t)c->flow->clock_offset_ns,
		.tid = tid,
	};
}

static void chunk_hold(struct flow_conn *c, const struct chunk *ch)
{
	struct flow_chunk *q = malloc(sizeof(*q) + ch->data.n);

	if (!q) {
		flow_fail(c->flow, -ENOMEM);
		return;
	}
	*q = (struct flow_chunk){.chunk = *ch};
	if (ch->data.n) {
		memcpy(q->bytes, ch->data.p, ch->data.n);
		q->chunk.data.p = (const char *)q->bytes;
	}
	DL_APPEND(c->chunks, q);
	c->chunk_bytes += sizeof(*q) + ch->data.n;
	c->flow->held_bytes += sizeof(*q) + ch->data.n;
}

void flow_queue_bytes(struct flow_conn *c, enum dir d, const struct slice *s)
{
	struct chunk ch;

	if (!c->flow->cfg.chunks || !s->n)
		return;
	ch = chunk_at(c, d, s->off, s->ts_ns, s->tid);
	ch.kind = CHUNK_DATA;
	ch.data = (struct str){(const char *)s->p, s->n};
	if (!c->chunks && c->peer_settled && c->stream[d].settled_off >= s->off + s->n)
		chunk_out(c, &ch);
	else
		chunk_hold(c, &ch);
}

void flow_queue_gap(struct flow_conn *c, enum dir d, uint64_t off, uint64_t n, uint64_t ts_ns,
		    uint32_t tid)
{
	struct chunk ch;

	if (!c->flow->cfg.chunks)
		return;
	ch = chunk_at(c, d, off, ts_ns, tid);
	ch.kind = CHUNK_GAP;
	ch.gap_bytes = n;
	chunk_hold(c, &ch);
}

void flow_queue_gap_told(struct flow_conn *c, enum dir d, uint64_t off, bool resync_unsafe)
{
	struct flow_chunk *q;

	DL_FOREACH (c->chunks, q) {
		if (q->chunk.kind != CHUNK_GAP || q->chunk.dir != d || q->chunk.off != off)
			continue;
		q->told = true;
		q->chunk.resync_unsafe = resync_unsafe;
		return;
	}
}

static void release_chunks(struct flow_conn *c)
{
	struct flow_chunk *q;
	size_t n;

	while ((q = c->chunks)) {
		n = sizeof(*q) + q->chunk.data.n;
		if (!chunk_ready(c, q)) {
			if (!c->ending && !flow_held_over(c->flow, c->chunk_bytes, FLOW_HELD_BYTES))
				return;
			chunk_force(c, q);
		}
		chunk_out(c, &q->chunk);
		DL_DELETE(c->chunks, q);
		c->chunk_bytes -= n;
		c->flow->held_bytes -= n;
		free(q);
	}
}

void flow_queue_txn(struct flow_conn *c, struct txn *t)
{
	t->next = NULL;
	t->clock_offset_ns = c->flow->clock_offset_ns;
	t->source = flow_sock_source(c, t->start_ns);
	t->thread_name = flow_proc_thread_name(c->proc, t->tid);
	if (c->txns)
		c->txns_tail->next = t;
	else
		c->txns = t;
	c->txns_tail = t;
	c->txn_count++;
	if (!(t->flags & TXN_EARLY)) {
		c->flow->stats.txns++;
		c->proc->txns++;
	}
}

static void txn_out(struct flow_conn *c, struct txn *t)
{
	struct flow *f = c->flow;

	c->txns = t->next;
	if (!c->txns)
		c->txns_tail = NULL;
	c->txn_count--;
	if (!f->err)
		f->err = f->out->ops->txn(f->out, t);
	txn_free(t);
}

static void release_txns(struct flow_conn *c)
{
	struct txn *t;

	while ((t = c->txns)) {
		/* proven while it waited: by another call of its generation */
		if (t->source == PEER_UNKNOWN) {
			t->source = flow_sock_source(c, t->start_ns);
			if (t->source == PEER_NESTED)
				t->source = PEER_CACHED;
		}
		if (t->source == PEER_UNKNOWN && !c->peer_settled && !c->ending) {
			if (c->txn_count <= FLOW_HELD_TXNS)
				return;
			c->flow->stats.held_over++;
		}
		txn_out(c, t);
	}
}

void flow_queue_release(struct flow_conn *c)
{
	release_chunks(c);
	release_txns(c);
	if ((c->txns || c->chunks) && !c->peer_settled && !c->peer_timer.armed)
		flow_timer_arm(c->flow, TIMER_PEER, &c->peer_timer,
			       c->flow->now_ns + FLOW_PEER_WAIT_MS * NS_PER_MS);
}

void flow_queue_end(struct flow_conn *c)
{
	struct chunk ch;

	release_chunks(c);
	release_txns(c);
	if (!c->had_chunks)
		return;
	ch = chunk_at(c, DIR_WRITE, c->stream[DIR_WRITE].next_off, c->flow->now_ns, 0);
	ch.kind = CHUNK_CLOSE;
	chunk_out(c, &ch);
}
