/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams: which exist, what belongs to which side, and when an exchange is over. Client streams are
 * opened in rising order (RFC 9113 section 5.1.1), so a number at or below the highest opened one is
 * either in the table, closed, or in a hole: opened before we joined or in lost bytes.
 */
#include "parsers/content.h"
#include "parsers/h2.h"

#define NS_PER_MS 1000000u
#define SCAN_MS 50

void h2_learn_requests(struct h2 *h, enum dir d)
{
	if (h->requests >= 0)
		return;
	h->requests = (int)d;
	h->learnt = true;
	h->sink->ops->role(h->sink, d == DIR_READ ? ROLE_SERVER : ROLE_CLIENT);
}

void h2_hole_open(struct h2 *h, uint32_t first, enum h2_hole_kind kind)
{
	struct h2_hole *last = h->holes_n ? &h->holes[h->holes_n - 1] : NULL;

	if (last && last->last == UINT32_MAX)
		return;
	if (h->holes_n < H2_HOLES_MAX)
		h->holes[h->holes_n++] = (struct h2_hole){first, UINT32_MAX, kind};
	else
		last->last = UINT32_MAX;
}

static void hole_close(struct h2 *h, uint32_t opened)
{
	struct h2_hole *last = h->holes_n ? &h->holes[h->holes_n - 1] : NULL;

	if (!last || last->last != UINT32_MAX)
		return;
	if (opened > last->first)
		last->last = opened - 1;
	else
		h->holes_n--;
}

static bool is_gone(const struct h2 *h, uint32_t id)
{
	for (uint32_t i = 0; i < H2_GONE_MAX && i < h->gone_n; i++)
		if (h->gone[i] == id)
			return true;
	return false;
}

/* Could this stream, which is in no table, have been opened unseen? */
static enum h2_hole_kind in_hole(const struct h2 *h, uint32_t id)
{
	if (is_gone(h, id))
		return H2_NO_HOLE;
	for (uint32_t i = 0; i < h->holes_n; i++)
		if (id >= h->holes[i].first && id <= h->holes[i].last && id > h->evicted)
			return h->holes[i].kind;
	return H2_NO_HOLE;
}

struct h2_stream *h2_stream_find(struct h2 *h, uint32_t id)
{
	struct h2_stream *st;

	HASH_FIND(hh, h->streams, &id, sizeof(id), st);
	return st;
}

struct h2_stream *h2_stream_new(struct h2 *h, uint32_t id, uint64_t ts_ns, uint32_t tid)
{
	struct txn *t = txn_new(h->conn);
	struct h2_stream *st = t ? arena_zalloc(&t->arena, sizeof(*st)) : NULL;

	if (!st) {
		txn_free(t);
		return NULL;
	}
	t->start_ns = ts_ns;
	t->tid = tid;
	st->txn = t;
	st->id = id;
	st->active_ns = ts_ns;
	for (int d = 0; d < DIR_COUNT; d++)
		st->msg[d].keep_bytes = h->limits->body_bytes;
	return st;
}

static void touch(struct h2_stream *st, uint64_t ts_ns)
{
	if (ts_ns > st->active_ns)
		st->active_ns = ts_ns;
}

void h2_stream_discard(struct h2 *h, struct h2_stream *st)
{
	h->kept_bytes -= st->kept_bytes;
	txn_free(st->txn);
}

void h2_stream_limit(struct h2 *h, struct h2_stream *st, enum limit_kind k)
{
	if (!(st->txn->flags & TXN_LIMIT))
		proto_limit(h->sink, k);
	st->txn->flags |= TXN_LIMIT;
}

bool h2_stream_add(struct h2 *h, struct h2_stream *st)
{
	struct h2_stream *oldest = h->streams;

	/* uthash keeps the order of insertion */
	if (oldest && HASH_COUNT(h->streams) >= h->limits->streams) {
		proto_limit(h->sink, LIMIT_STREAMS);
		oldest->txn->flags |= TXN_LIMIT;
		oldest->evicted = true;
		if (oldest->id > h->evicted)
			h->evicted = oldest->id;
		h2_txn_emit(h, oldest);
	}
	HASH_ADD(hh, h->streams, id, sizeof(st->id), st);
	if (st->hh.tbl)
		return true;
	h2_stream_discard(h, st);
	return false;
}

static void wait_for_request(struct h2 *h, struct h2_stream *st, bool wait)
{
	if (st->unpaired == wait)
		return;
	st->unpaired = wait;
	h->unpaired += wait ? 1 : -1u;
}

/* A request opened stream `id`: what waits for a request with a lower number waits in vain. */
static void opened(struct h2 *h, uint32_t id)
{
	struct h2_stream *st, *next;

	if (!(id & 1) || id <= h->opened)
		return;
	h->opened = id;
	hole_close(h, id);
	if (!h->unpaired)
		return;
	HASH_ITER (hh, h->streams, st, next)
		if (st->unpaired && st->id < id)
			h2_txn_emit(h, st);
}

/*
 * Emits the stream when nothing of its exchange is to come. A request that was not seen may come yet when
 * its direction is behind the other.
 */
static void conclude(struct h2 *h, struct h2_stream *st)
{
	const struct h2_msg *req, *resp;

	if (h->requests < 0)
		return;
	req = &st->msg[h->requests];
	resp = &st->msg[dir_other((enum dir)h->requests)];
	if (!resp->ended && !st->reset)
		return;
	if (req->ended || (st->reset && (req->seen || req->body_bytes)))
		h2_txn_emit(h, st);
	else if (!req->seen && !req->body_bytes && (st->id <= h->opened || !(st->id & 1)))
		h2_txn_emit(h, st); /* its request was before our time */
	else if (!req->seen && !req->body_bytes)
		wait_for_request(h, st, true);
}

static bool is_request(const struct h2 *h, enum dir d, const struct h2_section *sec)
{
	return h->requests >= 0 ? h->requests == (int)d : sec->method;
}

/* Where streams may exist unseen, a section of which nothing is known may also be trailers. */
static bool may_open(const struct h2_stream *st, const struct h2_section *sec)
{
	return sec->method || (!sec->regular && (sec->pseudo || st->hole == H2_NO_HOLE));
}

/* Does a stream that is in no table begin here, for us? */
static bool admit(struct h2 *h, enum dir d, struct h2_stream *st, const struct h2_section *sec,
		  bool push)
{
	bool request = is_request(h, d, sec);

	if (!st->id || h2_stream_find(h, st->id) || is_gone(h, st->id))
		return false;
	if (push)
		return !(st->id & 1);
	st->hole = in_hole(h, st->id);
	if (request && st->id > h->opened && (st->id & 1) && may_open(st, sec))
		return true;
	if (sec->method)
		return false; /* opened twice */
	return st->hole != H2_NO_HOLE || (!request && st->id > h->opened);
}

static void append(struct h2_stream *st, struct h2_msg *m, const struct h2_section *sec,
		   bool trailers)
{
	uint32_t need = m->count + sec->count;
	struct header *grown;

	for (uint32_t i = 0; i < sec->count; i++)
		sec->v[i].trailer = trailers;
	if (!m->count) {
		m->headers = sec->v;
		m->cap = sec->count;
	} else if (need > m->cap) {
		grown = arena_alloc(&st->txn->arena, 2 * need * sizeof(*grown));
		if (!grown) {
			st->txn->flags |= TXN_LIMIT;
			return;
		}
		memcpy(grown, m->headers, m->count * sizeof(*grown));
		m->headers = grown;
		m->cap = 2 * need;
	}
	if (m->count && sec->count)
		memcpy(m->headers + m->count, sec->v, sec->count * sizeof(*sec->v));
	m->count = need;
}

static void add_interim(struct h2 *h, struct h2_stream *st, uint16_t status)
{
	struct arena *a = &st->txn->arena;

	if (!st->interim)
		st->interim = arena_alloc(a, H2_INTERIM_MAX * sizeof(*st->interim));
	if (st->interim && st->interim_count < H2_INTERIM_MAX)
		st->interim[st->interim_count++] = arena_printf(a, "%u", (unsigned int)status);
	else
		h2_stream_limit(h, st, LIMIT_INTERIM);
}

/*
 * Header sections of a response: any number of 1xx, the final one, trailers (RFC 9113 section 8.1). One
 * without a readable status may have been a 1xx; when the next one, before any data, may be the final one,
 * only that is kept, and when the response began is not said.
 */
static void take_response(struct h2 *h, enum dir d, struct h2_stream *st,
			  const struct h2_section *sec, const struct h2_block *b)
{
	struct h2_msg *m = &st->msg[d];
	bool interim = sec->status >= 100 && sec->status < 200;
	bool unclear = m->seen && !st->status && !m->body_bytes && !sec->regular;
	bool trailers = !unclear && (m->seen || sec->regular);

	if (unclear)
		m->count = 0;
	if (interim && !b->end_stream) {
		add_interim(h, st, sec->status);
		return;
	}
	/* what seems to come first may be the last of it */
	if (!m->seen && (trailers || (!sec->pseudo && (st->hole || h2_stream_missed(h, d, st)))))
		m->inexact = true;
	if (!trailers) {
		st->status = sec->status;
		m->start_ns = unclear && !sec->status ? 0 : b->ts_ns;
	}
	append(st, m, sec, trailers);
	m->seen = true;
}

static void take_request(struct h2 *h, enum dir d, struct h2_stream *st,
			 const struct h2_section *sec, const struct h2_block *b)
{
	struct h2_msg *m = &st->msg[d];
	bool trailers = !b->push && (m->seen || !may_open(st, sec) || st->id < h->opened);

	m->inexact |= trailers && !m->seen;
	if (!trailers) {
		m->start_ns = b->ts_ns;
		st->hole = H2_NO_HOLE;
		if (b->ts_ns < st->txn->start_ns)
			st->txn->start_ns = b->ts_ns;
	}
	append(st, m, sec, trailers);
	m->seen = true;
	wait_for_request(h, st, false);
	if (trailers)
		return;
	if (h->limits->early)
		h2_txn_begun(h, d, st);
	opened(h, st->id);
}

void h2_stream_section(struct h2 *h, enum dir d, struct h2_stream *st, const struct h2_section *sec,
		       const struct h2_block *b)
{
	struct h2_msg *m = &st->msg[d];
	bool request;

	if (sec->method || sec->status)
		h2_learn_requests(h, sec->method ? d : dir_other(d));
	if (!st->hh.tbl) {
		if (!admit(h, d, st, sec, b->push)) {
			h2_stream_discard(h, st);
			return;
		}
		if (!h2_stream_add(h, st))
			return;
	}
	if (m->ended)
		return; /* RFC 9113 section 5.1: STREAM_CLOSED */
	request = is_request(h, d, sec);
	m->end_ns = b->ts_ns;
	touch(st, b->ts_ns);
	m->unknown |= sec->unknown || sec->broken || sec->limit;
	if (sec->limit)
		st->txn->flags |= TXN_LIMIT; /* counted where it was met */
	if (b->lost) {
		m->lost = true;
		st->txn->lost_bytes += b->lost;
	}
	if (request)
		take_request(h, d, st, sec, b);
	else
		take_response(h, d, st, sec, b);
	if (!m->body_bytes)
		m->keep_bytes = content_keep_bytes(m->headers, m->count, h->limits);
	m->ended |= b->end_stream || b->push;
	if (!request && h2_tunnel_begins(h, st))
		st->tunnel = st->msg[0].ended = st->msg[1].ended = true;
	conclude(h, st);
}

static void keep_body(struct h2 *h, struct h2_stream *st, struct h2_msg *m,
		      const struct h2_bytes *b)
{
	size_t room = m->keep_bytes;
	size_t n = b->n;

	/* only what is there from the beginning without a hole */
	if (!room || m->lost || m->inexact || m->body.err)
		return;
	room -= m->body.n;
	if (n > room)
		n = room;
	if (n > H2_KEPT_BYTES || h->kept_bytes > H2_KEPT_BYTES - n) {
		h2_stream_limit(h, st, LIMIT_KEPT_BYTES);
		return;
	}
	if (n == 0 || buf_put(&m->body, b->p, n))
		return;
	st->kept_bytes += n;
	h->kept_bytes += n;
}

/* For its event; the body is kept beside it. */
static void keep_message(struct h2 *h, struct h2_stream *st, struct h2_msg *m, const uint8_t *p,
			 size_t n)
{
	size_t room = h->limits->body_bytes ? h->limits->body_bytes + GRPC_PREFIX : 0;

	room -= room ? m->message.n : 0;
	if (n > room)
		n = room;
	if (!n || m->message_lost || m->framing.broken)
		return;
	if (n > H2_KEPT_BYTES || h->kept_bytes > H2_KEPT_BYTES - n) {
		h2_stream_limit(h, st, LIMIT_KEPT_BYTES);
		return;
	}
	if (buf_put(&m->message, p, n))
		return;
	st->kept_bytes += n;
	h->kept_bytes += n;
}

static void end_message(struct h2 *h, enum dir d, struct h2_stream *st, const struct h2_bytes *b)
{
	struct h2_msg *m = &st->msg[d];

	if (!h->limits->rpc_messages)
		return;
	if (!m->inexact)
		h2_txn_message(h, d, st, b);
	st->kept_bytes -= m->message.n;
	h->kept_bytes -= m->message.n;
	buf_free(&m->message);
	m->message_lost = false;
}

static void take_messages(struct h2 *h, enum dir d, struct h2_stream *st, const struct h2_bytes *b)
{
	struct h2_msg *m = &st->msg[d];
	uint64_t messages;
	size_t n;

	for (size_t at = 0; at < b->n; at += n) {
		messages = m->framing.messages;
		n = grpc_next(&m->framing, b->p + at, b->n - at);
		if (h->limits->rpc_messages)
			keep_message(h, st, m, b->p + at, n);
		if (m->framing.messages != messages)
			end_message(h, d, st, b);
	}
}

void h2_stream_data(struct h2 *h, enum dir d, uint32_t id, const struct h2_bytes *b)
{
	struct h2_stream *st = h2_stream_find(h, id);
	struct h2_msg *m;
	enum h2_hole_kind hole;

	if (!st) {
		if (h2_tunnel_data(h, d, id, b))
			return;
		hole = b->n ? in_hole(h, id) : H2_NO_HOLE;
		st = hole ? h2_stream_new(h, id, b->ts_ns, b->tid) : NULL;
		if (!st)
			return;
		st->hole = (uint8_t)hole;
		if (!h2_stream_add(h, st))
			return;
	}
	m = &st->msg[d];
	if (m->ended)
		return;
	m->body_bytes += b->n;
	m->inexact |= !m->seen;
	m->end_ns = b->ts_ns;
	touch(st, b->ts_ns);
	take_messages(h, d, st, b);
	if (b->n && content_wants_pieces(h->limits) && !(b->last && m->body_bytes == b->n))
		h2_txn_piece(h, d, st, b);
	keep_body(h, st, m, b);
}

void h2_stream_data_lost(struct h2 *h, enum dir d, uint32_t id, uint64_t n, uint64_t ts_ns)
{
	struct h2_stream *st = h2_stream_find(h, id);

	if (!st)
		h2_tunnel_lost(h, d, id, n, ts_ns);
	if (!st || !n || st->msg[d].ended)
		return;
	st->msg[d].lost = st->msg[d].message_lost = true;
	st->msg[d].body_bytes += n;
	st->txn->lost_bytes += n;
	touch(st, ts_ns);
	grpc_data_lost(&st->msg[d].framing, n);
}

void h2_stream_end(struct h2 *h, enum dir d, uint32_t id, uint64_t ts_ns)
{
	struct h2_stream *st = h2_stream_find(h, id);

	if (!st) {
		h2_tunnel_end(h, d, id, ts_ns);
		return;
	}
	st->msg[d].ended = true;
	st->msg[d].end_ns = ts_ns;
	touch(st, ts_ns);
	conclude(h, st);
}

void h2_stream_reset(struct h2 *h, uint32_t id, uint32_t code, uint64_t ts_ns)
{
	struct h2_stream *st = h2_stream_find(h, id);

	if (!st) {
		h2_tunnel_reset(h, id, ts_ns);
		return;
	}
	st->reset = true;
	st->reset_code = code;
	touch(st, ts_ns);
	conclude(h, st);
}

/* RFC 9113 section 6.8: streams of the receiver above `last` were not and will not be processed. */
void h2_streams_goaway(struct h2 *h, enum dir d, uint32_t last, uint32_t code, uint64_t ts_ns)
{
	struct h2_stream *st, *next;

	if (h->requests != (int)dir_other(d))
		return;
	HASH_ITER (hh, h->streams, st, next) {
		if (!(st->id & 1) || st->id <= last)
			continue;
		st->reset = true;
		st->reset_code = code;
		touch(st, ts_ns);
		conclude(h, st);
	}
}

void h2_streams_lost(struct h2 *h, enum dir d)
{
	struct h2_stream *st, *next;

	h->lost = true;
	if (h->requests != (int)dir_other(d))
		h2_hole_open(h, h->opened + 1, H2_HOLE_GAP);
	HASH_ITER (hh, h->streams, st, next) {
		struct h2_msg *m = &st->msg[d];

		if (m->ended)
			continue;
		m->lost = m->inexact = m->framing.broken = true;
	}
	h2_tunnels_lost(h, d);
}

static bool overdue(const struct h2_stream *st, uint64_t now_ns)
{
	uint64_t idle = now_ns > st->active_ns ? now_ns - st->active_ns : 0;

	if (st->unpaired && idle >= (uint64_t)WAIT_PEER_MS * NS_PER_MS)
		return true;
	return (st->msg[0].lost || st->msg[1].lost) &&
	       idle >= (uint64_t)H2_LOST_IDLE_MS * NS_PER_MS;
}

bool h2_stream_missed(const struct h2 *h, enum dir d, const struct h2_stream *st)
{
	const struct h2_dir *hd = &h->dir[d];

	if (hd->phase == H2_SEARCH && hd->search.held.n)
		return true;
	return hd->missed_ns && st->msg[dir_other(d)].start_ns <= hd->missed_ns;
}

void h2_streams_tick(struct h2 *h, uint64_t now_ns)
{
	struct h2_stream *st, *next;

	if ((!h->unpaired && !h->lost) || now_ns < h->scan_ns + (uint64_t)SCAN_MS * NS_PER_MS)
		return;
	h->scan_ns = now_ns;
	HASH_ITER (hh, h->streams, st, next)
		if (overdue(st, now_ns))
			h2_txn_emit(h, st);
}

void h2_streams_sweep(struct h2 *h)
{
	struct h2_stream *st, *next;

	h->learnt = false;
	HASH_ITER (hh, h->streams, st, next)
		conclude(h, st);
}

void h2_streams_close(struct h2 *h)
{
	struct h2_stream *st, *next;

	HASH_ITER (hh, h->streams, st, next)
		h2_txn_emit(h, st);
}
