/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where do frames begin? A direction joined in its middle is held, bounded, until some position is proven
 * to be a frame head: by a chain of heads, each where the one before says, or by frames that fill a call.
 * Positions that may be one are kept side by side, for a wrong one may ask for bytes that are long in coming.
 * From the proven one, or from the frame behind it, the held bytes are parsed as if nothing had been, each with
 * the time it came at. What stands before is given up, and hidden, since it may be the rest of a header block.
 */
#include <stdlib.h>

#include "core/cursor.h"
#include "parsers/h2.h"

#define FILL_RAW 0x2a

/* Everything that points into what is held moves down by n bytes; of several marks below it the last holds. */
static void shift(struct h2_search *s, size_t n)
{
	uint32_t below = 0;

	s->next -= n < s->next ? n : s->next;
	for (uint32_t i = 0; i < s->candidates_n; i++) {
		s->candidates[i].at -= n;
		s->candidates[i].want -= n;
	}
	for (uint32_t i = 0; i < s->marks_n; i++) {
		s->marks[i].at -= n < s->marks[i].at ? n : s->marks[i].at;
		if (s->marks[i].at == 0)
			below = i;
	}
	s->marks_n -= below;
	if (below)
		memmove(s->marks, s->marks + below, s->marks_n * sizeof(*s->marks));
}

/* No candidate may stand in the first n bytes. */
static void give_up(struct h2 *h, enum dir d, size_t n)
{
	struct h2_search *s = &h->dir[d].search;

	if (!n)
		return;
	h->dir[d].missed_ns = UINT64_MAX;
	h->sink->ops->secret(h->sink, d, s->off, n, FILL_RAW);
	buf_consume(&s->held, n);
	s->off += n;
	shift(s, n);
}

void h2_search_free(struct h2_search *s)
{
	buf_free(&s->held);
	free(s->candidates);
	free(s->marks);
	*s = (struct h2_search){0};
}

void h2_search_begin(struct h2 *h, enum dir d)
{
	struct h2_dir *hd = &h->dir[d];

	if (hd->phase == H2_SEARCH) {
		hd->search.candidates_n = 0;
		give_up(h, d, hd->search.held.n);
	}
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
	if (!q->candidates)
		q->candidates = calloc(H2_SEARCH_CANDIDATES, sizeof(*q->candidates));
	if (!q->marks || !q->candidates)
		return false;
	if (!q->held.n)
		q->off = s->off;
	last = q->marks_n ? &q->marks[q->marks_n - 1] : NULL;
	if (q->marks_n < H2_SEARCH_MARKS &&
	    !(last && last->ts_ns == s->ts_ns && last->tid == s->tid))
		q->marks[q->marks_n++] = (struct h2_mark){q->held.n, s->ts_ns, s->tid};
	return buf_put(&q->held, s->p, s->n) == 0;
}

enum verdict {
	NO_FRAME,
	MAYBE,
	PROVEN,
};

/* Does a frame begin with p? *want: bytes needed before more can be said. */
static enum verdict look_at(const uint8_t *p, size_t n, bool call_start, size_t *want)
{
	size_t same = n < H2_PREFACE_BYTES ? n : H2_PREFACE_BYTES;
	struct h2_chain chain;

	*want = H2_PREFACE_BYTES;
	if (call_start && memcmp(p, H2_PREFACE, same) == 0)
		return same == H2_PREFACE_BYTES ? PROVEN : MAYBE;
	chain = h2_chain_follow(p, n);
	*want = chain.want;
	if (h2_chain_proven(&chain, call_start))
		return PROVEN;
	return chain.plausible ? MAYBE : NO_FRAME;
}

static enum verdict look_again(const struct h2_search *q, struct h2_candidate *c)
{
	size_t want;
	enum verdict v = look_at(q->held.p + c->at, q->held.n - c->at, c->call_start, &want);

	c->want = c->at + want;
	return v;
}

static void drop(struct h2_search *q, uint32_t i)
{
	q->candidates_n--;
	memmove(q->candidates + i, q->candidates + i + 1,
		(q->candidates_n - i) * sizeof(*q->candidates));
}

/* Those that wait for bytes which came meanwhile. */
static bool find_among(struct h2_search *q, struct h2_candidate *found)
{
	for (uint32_t i = 0; i < q->candidates_n;) {
		struct h2_candidate *c = &q->candidates[i];
		enum verdict v = q->held.n < c->want ? MAYBE : look_again(q, c);

		if (v == PROVEN) {
			*found = *c;
			return true;
		}
		if (v == NO_FRAME)
			drop(q, i);
		else
			i++;
	}
	return false;
}

/* The bytes that were not looked at yet; a call began at `call_at`. */
static bool find_new(struct h2_search *q, size_t call_at, struct h2_candidate *found)
{
	for (; q->next < q->held.n; q->next++) {
		struct h2_candidate c = {.at = q->next, .call_start = q->next == call_at};
		enum verdict v;

		if (q->held.p[c.at] && !c.call_start)
			continue; /* a length over H2_FRAME_BYTES_DEFAULT */
		v = look_again(q, &c);
		if (v == PROVEN) {
			*found = c;
			return true;
		}
		if (v == NO_FRAME)
			continue;
		if (q->candidates_n == H2_SEARCH_CANDIDATES)
			drop(q, 0);
		q->candidates[q->candidates_n++] = c;
	}
	return false;
}

/*
 * How many of the bytes from a proven position on are given up all the same. In the middle of a call bytes may
 * look like a frame that ends where a true one begins: a message of gRPC does, from within the head of the DATA
 * that holds it. So the first of a chain only says where the second begins.
 */
static size_t unsure(const struct h2_search *q, const struct h2_candidate *c)
{
	return c->call_start ? 0 : H2_FRAME_HEAD + h2_frame_parse(q->held.p + c->at).length;
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

/* What no candidate stands in is let go; when too much is held, with the oldest of them. */
static void trim(struct h2 *h, enum dir d)
{
	struct h2_search *q = &h->dir[d].search;

	for (;;) {
		give_up(h, d, q->candidates_n ? q->candidates[0].at : q->held.n);
		if (q->held.n <= H2_SEARCH_BYTES)
			return;
		proto_limit(h->sink, LIMIT_SEARCH);
		drop(q, 0);
	}
}

struct parse_res h2_search_feed(struct h2 *h, enum dir d, const struct slice *s)
{
	struct h2_search *q = &h->dir[d].search;
	struct parse_res res = {.status = PARSE_OK, .consumed = s->n};
	struct h2_candidate found;
	size_t want, at = q->held.n;

	if (!q->candidates_n && s->call_start && look_at(s->p, s->n, true, &want) == PROVEN) {
		h2_search_begin(h, d);
		in_step(&h->dir[d], s->ts_ns);
		return h2_frames(h, d, s);
	}
	if (!hold(q, s)) {
		h2_search_begin(h, d);
		return res;
	}
	if (!find_among(q, &found) && !find_new(q, s->call_start ? at : SIZE_MAX, &found)) {
		trim(h, d);
		return res;
	}
	q->candidates_n = 0;
	give_up(h, d, found.at + unsure(q, &found));
	res.status = replay(h, d).status;
	return res;
}
