/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where do frames begin? A direction joined in its middle is held, bounded, until some position is proven
 * to be a frame head: by a chain of heads, each where the one before says, or by frames that fill a call.
 * From there the held bytes are parsed as if nothing had been, each with the time it came at. What stands
 * before is given up, and hidden, since it may be the rest of a header block.
 */
#include <stdlib.h>

#include "core/cursor.h"
#include "parsers/h2.h"

#define FILL_RAW 0x2a

static void give_up(struct h2 *h, enum dir d, size_t n)
{
	struct h2_search *s = &h->dir[d].search;

	if (!n)
		return;
	h->dir[d].missed_ns = UINT64_MAX;
	h->sink->ops->secret(h->sink, d, s->off, n, FILL_RAW);
	buf_consume(&s->held, n);
	s->off += n;
	s->anchored = false;
	s->next -= n < s->next ? n : s->next;
	s->want -= n < s->want ? n : s->want;
	for (uint32_t i = 0; i < s->marks_n; i++)
		s->marks[i].at -= n < s->marks[i].at ? n : s->marks[i].at;
}

void h2_search_free(struct h2_search *s)
{
	buf_free(&s->held);
	free(s->marks);
	*s = (struct h2_search){0};
}

void h2_search_begin(struct h2 *h, enum dir d)
{
	struct h2_dir *hd = &h->dir[d];

	if (hd->phase == H2_SEARCH)
		give_up(h, d, hd->search.held.n);
	h2_search_free(&hd->search);
	hpack_reset(&hd->hpack);
	hd->phase = H2_SEARCH;
	hd->have = 0;
	hd->bulk = hd->pad = 0;
}

/* Remembers when the bytes from here on came. Out of room, the last mark covers them. */
static bool hold(struct h2_search *q, const struct slice *s)
{
	const struct h2_mark *last;

	if (!q->marks)
		q->marks = calloc(H2_SEARCH_MARKS, sizeof(*q->marks));
	if (!q->marks)
		return false;
	if (!q->held.n) {
		q->off = s->off;
		q->anchored = s->call_start;
	}
	last = q->marks_n ? &q->marks[q->marks_n - 1] : NULL;
	if (q->marks_n < H2_SEARCH_MARKS &&
	    !(last && last->ts_ns == s->ts_ns && last->tid == s->tid))
		q->marks[q->marks_n++] = (struct h2_mark){q->held.n, s->ts_ns, s->tid};
	return buf_put(&q->held, s->p, s->n) == 0;
}

/* *want: bytes needed to decide; 0: no frame begins here. */
static bool proven_at(const uint8_t *p, size_t n, bool call_start, size_t *want)
{
	size_t same = n < H2_PREFACE_BYTES ? n : H2_PREFACE_BYTES;
	struct h2_chain chain;

	*want = H2_PREFACE_BYTES;
	if (call_start && memcmp(p, H2_PREFACE, same) == 0)
		return same == H2_PREFACE_BYTES;
	chain = h2_chain_follow(p, n);
	*want = chain.plausible ? chain.want : 0;
	return h2_chain_proven(&chain, call_start);
}

/*
 * The first proven position, or -1. A plausible position that needs more bytes to be decided stops the
 * scan until they are there, so each byte is looked at about once.
 */
static ssize_t find(struct h2_search *q)
{
	const uint8_t *p = q->held.p;
	size_t n = q->held.n, want;

	if (n < q->want)
		return -1;
	q->want = 0;
	for (; q->next < n; q->next++) {
		bool call_start = q->next == 0 && q->anchored;

		if (p[q->next] && !call_start)
			continue; /* a length over H2_FRAME_BYTES_DEFAULT */
		if (proven_at(p + q->next, n - q->next, call_start, &want))
			return (ssize_t)q->next;
		if (want) {
			q->want = q->next + want;
			break;
		}
	}
	return -1;
}

/* A frame begins with the bytes of `ts_ns`. */
static void in_step(struct h2_dir *hd, uint64_t ts_ns)
{
	if (hd->missed_ns == UINT64_MAX)
		hd->missed_ns = ts_ns;
	hd->phase = H2_START;
	hd->have = 0;
}

/* Parses what is held, slice by slice as it came. */
static struct parse_res replay(struct h2 *h, enum dir d)
{
	struct h2_search q = h->dir[d].search;
	struct parse_res res = {.status = PARSE_OK};
	size_t at = 0, end;
	struct slice s;

	h->dir[d].search = (struct h2_search){0};
	in_step(&h->dir[d], q.marks[0].ts_ns);
	for (uint32_t i = 0; i < q.marks_n && res.status == PARSE_OK; i++) {
		end = i + 1 < q.marks_n ? q.marks[i + 1].at : q.held.n;
		if (end <= at)
			continue;
		s = (struct slice){.p = q.held.p + at,
				   .n = end - at,
				   .off = q.off + at,
				   .ts_ns = q.marks[i].ts_ns,
				   .tid = q.marks[i].tid};
		res = h2_frames(h, d, &s);
		at += res.consumed;
	}
	if (at < q.held.n)
		h->sink->ops->secret(h->sink, d, q.off + at, q.held.n - at, FILL_RAW);
	h2_search_free(&q);
	return res;
}

struct parse_res h2_search_feed(struct h2 *h, enum dir d, const struct slice *s)
{
	struct h2_search *q = &h->dir[d].search;
	struct parse_res res = {.status = PARSE_OK, .consumed = s->n};
	size_t want;
	ssize_t at;

	if (s->call_start && proven_at(s->p, s->n, true, &want)) {
		h2_search_begin(h, d);
		in_step(&h->dir[d], s->ts_ns);
		return h2_frames(h, d, s);
	}
	if (!hold(q, s)) {
		h2_search_begin(h, d);
		return res;
	}
	at = find(q);
	if (at < 0) {
		give_up(h, d, q->next);
		if (q->held.n > H2_SEARCH_BYTES) {
			proto_limit(h->sink, LIMIT_SEARCH);
			h2_search_begin(h, d);
		}
		return res;
	}
	give_up(h, d, (size_t)at);
	res.status = replay(h, d).status;
	return res;
}
