/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/toy.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX_BYTES 512
#define PENDING_MAX 128

struct request {
	char target[64];
	uint64_t start_ns;
};

struct half {
	char line[LINE_MAX_BYTES + 1];
	size_t n;
	uint64_t off, first_ns; /* of the line */
	uint64_t body;
	bool seeking; /* for the end of a line */
};

struct toy {
	const struct conn *conn;
	struct proto_sink *sink;
	struct half half[DIR_COUNT];
	struct request pending[PENDING_MAX];
	size_t count;
	uint64_t lost;
	unsigned int flags;
	bool late;
	char next[32];
};

static enum probe_res toy_probe(enum dir d, const uint8_t *p, size_t n)
{
	(void)d;
	if (n && p[0] == 'X')
		return PROBE_MORE;
	if (!n || !memchr("QRBU", p[0], 4) || (n > 1 && p[1] != ' '))
		return PROBE_NO;
	return n < 3 ? PROBE_MORE : PROBE_YES;
}

static void *toy_open(const struct proto_open *o)
{
	struct toy *t = calloc(1, sizeof(*t));

	if (t) {
		t->conn = o->conn;
		t->sink = o->sink;
		t->late = o->late;
	}
	return t;
}

static void *seek_open(const struct proto_open *o)
{
	struct toy *t = toy_open(o);

	if (t)
		t->half[DIR_WRITE].seeking = t->half[DIR_READ].seeking = o->late;
	return t;
}

static void emit(struct toy *t, const char *status, uint64_t end_ns, unsigned int flags)
{
	struct request r = t->count ? t->pending[0] : (struct request){"?", end_ns};
	struct txn *x = txn_new(t->conn);

	if (!x)
		return;
	if (t->count)
		memmove(t->pending, t->pending + 1, --t->count * sizeof(r));
	x->verb = STR("Q");
	x->target = arena_str(&x->arena, r.target, strlen(r.target));
	x->status = arena_str(&x->arena, status, strlen(status));
	x->start_ns = r.start_ns;
	x->end_ns = end_ns;
	x->flags = flags | t->flags | (t->late ? TXN_LATE : 0);
	x->lost_bytes = t->lost;
	t->lost = 0;
	t->flags = 0;
	t->late = false;
	t->sink->ops->txn(t->sink, x);
}

static void report_secrets(struct toy *t, enum dir d, const struct half *h)
{
	for (size_t i = 0, from; i < h->n; i++) {
		if (h->line[i] != '=')
			continue;
		from = ++i;
		while (i < h->n && h->line[i] != ' ')
			i++;
		t->sink->ops->secret(t->sink, d, h->off + from, i - from, '#');
	}
}

static void request(struct toy *t, enum dir d, const struct half *h)
{
	struct request *r = &t->pending[t->count];
	size_t n = strcspn(h->line + 2, " ");

	t->sink->ops->role(t->sink, d == DIR_WRITE ? ROLE_CLIENT : ROLE_SERVER);
	if (t->count == PENDING_MAX)
		return;
	n = n < sizeof(r->target) ? n : sizeof(r->target) - 1;
	memcpy(r->target, h->line + 2, n);
	r->target[n] = '\0';
	r->start_ns = h->first_ns;
	t->count++;
}

/* A whole line, without its end. PARSE_WAIT: not before its request came. */
static enum parse_status line(struct toy *t, enum dir d, struct half *h, uint64_t ts, bool expired)
{
	h->line[h->n] = '\0';
	if (h->n < 2 || h->line[1] != ' ' || !memchr("QRBU", h->line[0], 4))
		return PARSE_LOST;
	if (strchr("RU", h->line[0]) && !t->count && !expired)
		return PARSE_WAIT;
	report_secrets(t, d, h);
	switch (h->line[0]) {
	case 'Q':
		request(t, d, h);
		return PARSE_OK;
	case 'B':
		h->body = strtoull(h->line + 2, NULL, 10);
		return PARSE_OK;
	default:
		emit(t, h->line + 2, ts, t->count ? 0 : TXN_NO_REQUEST);
	}
	if (h->line[0] != 'U')
		return PARSE_OK;
	snprintf(t->next, sizeof(t->next), "%s", h->line + 2);
	return PARSE_UPGRADE;
}

static size_t skip_body(struct toy *t, enum dir d, struct half *h, uint64_t off, size_t n)
{
	size_t k = h->body < n ? (size_t)h->body : n;

	h->body -= k;
	t->sink->ops->settled(t->sink, d, off + k);
	return k;
}

static size_t seek(struct toy *t, enum dir d, struct half *h, const struct slice *s)
{
	const uint8_t *end = memchr(s->p, '\n', s->n);
	size_t n = end ? (size_t)(end - s->p) + 1 : s->n;

	t->sink->ops->secret(t->sink, d, s->off, n, '~');
	t->sink->ops->settled(t->sink, d, s->off + n);
	h->seeking = !end;
	return n;
}

static struct parse_res toy_feed(void *st, enum dir d, const struct slice *s, bool expired)
{
	struct toy *t = st;
	struct half *h = &t->half[d];
	struct parse_res r = {PARSE_OK, 0, NULL};

	if (h->seeking)
		r.consumed = seek(t, d, h, s);
	while (r.consumed < s->n) {
		if (h->body) {
			r.consumed += skip_body(t, d, h, s->off + r.consumed, s->n - r.consumed);
			continue;
		}
		if (!h->n) {
			h->off = s->off + r.consumed;
			h->first_ns = s->ts_ns;
		}
		if (s->p[r.consumed] != '\n') {
			if (h->n == LINE_MAX_BYTES) {
				r.status = PARSE_LOST;
				return r;
			}
			h->line[h->n++] = (char)s->p[r.consumed++];
			continue;
		}
		r.status = line(t, d, h, s->ts_ns, expired);
		if (r.status == PARSE_WAIT || r.status == PARSE_LOST)
			return r; /* the line stays, its end comes again */
		r.consumed++;
		h->n = 0;
		t->sink->ops->settled(t->sink, d, s->off + r.consumed);
		if (r.status == PARSE_UPGRADE) {
			r.next = strcmp(t->next, "-") == 0 ? NULL : t->next;
			return r;
		}
	}
	return r;
}

static struct parse_res toy_gap(void *st, enum dir d, uint64_t lost, uint64_t ts_ns)
{
	struct toy *t = st;
	struct half *h = &t->half[d];

	(void)ts_ns;
	t->lost += lost;
	t->flags |= d == DIR_WRITE ? TXN_LOST_REQUEST : TXN_LOST_RESPONSE;
	if (h->body < lost)
		return (struct parse_res){PARSE_LOST, 0, NULL};
	h->body -= lost;
	return (struct parse_res){PARSE_OK, 0, NULL};
}

static void toy_resync(void *st, enum dir d)
{
	struct toy *t = st;

	t->half[d] = (struct half){0};
}

static void seek_resync(void *st, enum dir d)
{
	struct toy *t = st;

	t->half[d] = (struct half){.seeking = true};
}

static void toy_tick(void *st, uint64_t now_ns)
{
	struct toy *t = st;

	while (t->count && now_ns - t->pending[0].start_ns > TOY_STALE_MS * 1000000ull)
		emit(t, "stale", now_ns, TXN_LIMIT);
}

static void toy_close(void *st, uint64_t now_ns)
{
	struct toy *t = st;

	while (t->count)
		emit(t, "-", now_ns, TXN_NO_RESPONSE);
	free(t);
}

static const struct proto_ops toy = {
	.name = "toy",
	.settles_itself = true,
	.probe = toy_probe,
	.open = toy_open,
	.feed = toy_feed,
	.gap = toy_gap,
	.resync = toy_resync,
	.tick = toy_tick,
	.close = toy_close,
};

static const struct proto_ops toy_seek = {
	.name = "toy-seek",
	.settles_itself = true,
	.seeks = true,
	.probe = toy_probe,
	.open = seek_open,
	.feed = toy_feed,
	.gap = toy_gap,
	.resync = seek_resync,
	.tick = toy_tick,
	.close = toy_close,
};

struct chat {
	const struct conn *conn;
	struct proto_sink *sink;
	char from[64];
};

static enum probe_res never(enum dir d, const uint8_t *p, size_t n)
{
	(void)d;
	(void)p;
	(void)n;
	return PROBE_NO;
}

static void *chat_open(const struct proto_open *o)
{
	struct chat *c = calloc(1, sizeof(*c));
	const struct txn *t = o->upgraded_from;

	if (!c)
		return NULL;
	c->conn = o->conn;
	c->sink = o->sink;
	snprintf(c->from, sizeof(c->from), "%.*s", t ? (int)t->target.n : 1, t ? t->target.p : "?");
	return c;
}

static void say(const struct conn *conn, struct proto_sink *sink, struct str verb,
		struct str target, const struct slice *s)
{
	struct txn *x = txn_new(conn);
	size_t n = s->n && s->p[s->n - 1] == '\n' ? s->n - 1 : s->n;

	if (!x)
		return;
	x->verb = verb;
	x->target = arena_str(&x->arena, target.p, target.n);
	x->status = arena_str(&x->arena, s->p, n);
	x->start_ns = x->end_ns = s->ts_ns;
	sink->ops->txn(sink, x);
}

/* A slice a line: enough for what it is needed for. */
static struct parse_res chat_feed(void *st, enum dir d, const struct slice *s, bool expired)
{
	struct chat *c = st;

	(void)d;
	(void)expired;
	say(c->conn, c->sink, STR("C"), str_from(c->from), s);
	return (struct parse_res){PARSE_OK, s->n, NULL};
}

static struct parse_res lost(void *st, enum dir d, uint64_t n, uint64_t ts_ns)
{
	(void)st;
	(void)d;
	(void)n;
	(void)ts_ns;
	return (struct parse_res){PARSE_LOST, 0, NULL};
}

static void no_resync(void *st, enum dir d)
{
	(void)st;
	(void)d;
}

static void chat_close(void *st, uint64_t now_ns)
{
	(void)now_ns;
	free(st);
}

static const struct proto_ops chat = {
	.name = "toy-chat",
	.probe = never,
	.open = chat_open,
	.feed = chat_feed,
	.gap = lost,
	.resync = no_resync,
	.close = chat_close,
};

static enum probe_res gram_probe(enum dir d, const uint8_t *p, size_t n)
{
	(void)d;
	return n && p[0] == 'D' ? PROBE_YES : PROBE_NO;
}

static struct parse_res gram_feed(void *st, enum dir d, const struct slice *s, bool expired)
{
	struct chat *c = st;

	(void)d;
	(void)expired;
	say(c->conn, c->sink, STR("D"), STR("-"), s);
	return (struct parse_res){PARSE_OK, s->n, NULL};
}

static const struct proto_ops gram = {
	.name = "toy-gram",
	.datagram = true,
	.probe = gram_probe,
	.open = chat_open,
	.feed = gram_feed,
	.gap = lost,
	.resync = no_resync,
	.close = chat_close,
};

static struct parse_res loop_feed(void *st, enum dir d, const struct slice *s, bool expired)
{
	(void)st;
	(void)d;
	(void)s;
	(void)expired;
	return (struct parse_res){PARSE_UPGRADE, 0, "toy-loop"};
}

static const struct proto_ops loop = {
	.name = "toy-loop",
	.probe = never,
	.open = chat_open,
	.feed = loop_feed,
	.gap = lost,
	.resync = no_resync,
	.close = chat_close,
};

const struct proto_ops *const toy_rows[] = {&toy, &chat, &gram, &loop, NULL};

const struct proto_ops *const toy_seek_rows[] = {&toy_seek, NULL};
