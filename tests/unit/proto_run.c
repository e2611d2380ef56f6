/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/proto_run.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/txn_dump.h"

struct secret {
	enum dir dir;
	uint64_t off, n;
};

struct stream {
	struct piece *queue; /* owned; waiting pieces from `first` to `last` */
	uint64_t *offs;	     /* of each */
	size_t first, last;
	enum {
		IN_STEP,
		SKIPPING,
		PROBING
	} state;
	bool stalled; /* the parser waits for the other direction */
	bool restarted;
	uint64_t off, fed, settled;
	struct buf bytes; /* all of the direction, zeros in gaps */
};

struct runner {
	struct proto_sink sink; /* first */
	struct run *r;
	const struct run_cfg *cfg;
	struct conn conn;
	const struct proto_ops *ops;
	void *parser;
	struct stream stream[DIR_COUNT];
	struct secret *secrets; /* owned */
	size_t secret_count;
	struct txn *last_txn;
	bool closing; /* positions are final */
};

static const char *mark(enum dir d)
{
	return d == DIR_WRITE ? ">" : "<";
}

static void fault(struct runner *u, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fault(struct runner *u, const char *fmt, ...)
{
	va_list ap;

	if (u->r->fault[0])
		return;
	va_start(ap, fmt);
	vsnprintf(u->r->fault, sizeof(u->r->fault), fmt, ap);
	va_end(ap);
}

static void *grown(void *p, size_t count, size_t size)
{
	/* doubles at powers of two */
	if (count & (count - 1))
		return p;
	p = realloc(p, (count ? count * 2 : 1) * size);
	if (!p)
		abort();
	return p;
}

static void on_txn(struct proto_sink *s, struct txn *t)
{
	struct runner *u = (struct runner *)s;

	dump_txn(&u->r->text, t, true);
	t->next = NULL;
	if (u->last_txn)
		u->last_txn->next = t;
	else
		u->r->txns = t;
	u->last_txn = t;
}

static void on_secret(struct proto_sink *s, enum dir d, uint64_t off, uint64_t n, uint8_t fill)
{
	struct runner *u = (struct runner *)s;
	struct stream *st = &u->stream[d];

	if (off < st->settled)
		fault(u, "secret %s @%" PRIu64 " is below what was settled", mark(d), off);
	if (!n || off + n > st->bytes.n)
		fault(u, "secret %s @%" PRIu64 "+%" PRIu64 " beyond the bytes", mark(d), off, n);
	if (fill != 0x2a && fill != 0xf9)
		fault(u, "secret with fill %#x", fill);
	u->secrets = grown(u->secrets, u->secret_count, sizeof(*u->secrets));
	u->secrets[u->secret_count++] = (struct secret){d, off, n};
}

static void on_settled(struct proto_sink *s, enum dir d, uint64_t off)
{
	struct runner *u = (struct runner *)s;
	struct stream *st = &u->stream[d];

	if (off < st->settled)
		fault(u, "settled %s goes back to %" PRIu64, mark(d), off);
	if (off > st->bytes.n)
		fault(u, "settled %s @%" PRIu64 " beyond the bytes", mark(d), off);
	st->settled = off;
}

static void on_role(struct proto_sink *s, enum role role)
{
	struct runner *u = (struct runner *)s;

	u->conn.role = role;
	buf_printf(&u->r->text, "role %s\n", role == ROLE_CLIENT ? "client" : "server");
}

static void on_resolved(struct proto_sink *s, const struct resolved *a)
{
	struct buf *b = &((struct runner *)s)->r->text;
	char text[INET6_ADDRSTRLEN] = "?";

	inet_ntop(a->family == ADDR_IPV4 ? AF_INET : AF_INET6, a->addr, text, sizeof(text));
	buf_puts(b, "resolved ");
	dump_bytes(b, a->name);
	buf_printf(b, " = %s for %" PRIu32 " s at %" PRIu64 "\n", text, a->ttl_s, a->ts_ns);
}

static const struct proto_sink_ops sink_ops = {
	.txn = on_txn,
	.secret = on_secret,
	.settled = on_settled,
	.role = on_role,
	.resolved = on_resolved,
};

static void open_parser(struct runner *u, const struct proto_ops *ops, bool late,
			const struct txn *upgraded_from)
{
	struct proto_open o = {
		.conn = &u->conn,
		.sink = &u->sink,
		.limits = &u->cfg->limits,
		.late = late,
		.upgraded_from = upgraded_from,
	};

	u->ops = ops;
	u->parser = ops->open(&o);
	if (!u->parser)
		abort();
	for (int d = 0; d < DIR_COUNT; d++) {
		u->stream[d].state = late ? SKIPPING : IN_STEP;
		u->stream[d].stalled = false;
	}
}

static void close_parser(struct runner *u, uint64_t now_ns)
{
	if (u->ops)
		u->ops->close(u->parser, now_ns);
	u->ops = NULL;
}

static void out_of_step(struct runner *u, enum dir d, unsigned int call)
{
	buf_printf(&u->r->text, "out of step %s in call %u\n", mark(d), call);
	u->r->lost = true;
	u->stream[d].state = SKIPPING;
}

static void upgrade(struct runner *u, enum dir d, const struct piece *p, const char *next)
{
	const struct proto_ops *ops = next && u->cfg->follow ? proto_by_name(next) : NULL;

	buf_printf(&u->r->text, "upgrade %s in call %u: %s\n", mark(d), p->call,
		   next ? next : "opaque");
	close_parser(u, p->ts_ns);
	u->r->upgraded = true;
	if (ops)
		open_parser(u, ops, false, u->last_txn);
}

/* The waiting bytes of a direction in one piece, to be probed. */
static enum probe_res probe(struct runner *u, enum dir d)
{
	struct stream *st = &u->stream[d];
	struct buf b = {0};
	enum probe_res res;

	size_t i = st->first;

	while (i < st->last && st->queue[i].p) {
		buf_put(&b, st->queue[i].p, st->queue[i].n);
		i++;
	}
	res = b.n ? u->ops->probe(d, b.p, b.n) : PROBE_MORE;
	buf_free(&b);
	/* what would have to follow is lost */
	return res == PROBE_MORE && i < st->last ? PROBE_NO : res;
}

/* Finds the next place to start. False when there is nothing to feed yet. */
static bool find_start(struct runner *u, enum dir d)
{
	struct stream *st = &u->stream[d];

	while (st->first < st->last && st->state != IN_STEP) {
		const struct piece *p = &st->queue[st->first];

		if (st->state == SKIPPING && p->p && p->call_start)
			st->state = PROBING;
		if (st->state == SKIPPING || !p->p) {
			st->state = SKIPPING;
			u->r->lost = true;
			st->first++;
			continue;
		}
		switch (probe(u, d)) {
		case PROBE_MORE:
			return false;
		case PROBE_NO:
			u->r->lost = true;
			st->first++;
			st->state = SKIPPING;
			break;
		case PROBE_YES:
			u->ops->resync(u->parser, d);
			st->state = IN_STEP;
			break;
		}
	}
	return st->first < st->last;
}

static struct parse_res offer(struct runner *u, enum dir d, bool expired)
{
	struct stream *st = &u->stream[d];
	struct piece *p = &st->queue[st->first];
	struct slice s = {
		.p = p->p,
		.n = p->n,
		.off = st->offs[st->first],
		.ts_ns = p->ts_ns,
		.tid = 1,
		.call_start = p->call_start,
	};
	struct parse_res res;

	st->fed = s.off + s.n;
	if (!p->p) {
		res = u->ops->gap(u->parser, d, p->n, p->ts_ns);
		res.consumed = p->n;
		return res;
	}
	res = u->ops->feed(u->parser, d, &s, expired);
	if (res.consumed > p->n || (res.status == PARSE_OK && res.consumed != p->n))
		fault(u, "status %d after %zu of %zu bytes", res.status, res.consumed, p->n);
	if (res.status == PARSE_WAIT && expired)
		fault(u, "waits for ever");
	p->p += res.consumed;
	p->n -= res.consumed;
	if (res.consumed)
		p->call_start = false;
	st->offs[st->first] += res.consumed;
	return res;
}

/* Feeds what can be fed of one direction; true when anything moved. */
static bool pump(struct runner *u, enum dir d, bool expired)
{
	struct stream *st = &u->stream[d];
	bool moved = false;

	while (u->ops && !st->stalled && find_start(u, d)) {
		struct piece *p = &st->queue[st->first];
		struct parse_res res = offer(u, d, expired);

		moved |= res.status != PARSE_WAIT || res.consumed;
		switch (res.status) {
		case PARSE_OK:
			st->restarted = false;
			st->first++;
			break;
		case PARSE_WAIT:
			st->stalled = true;
			break;
		case PARSE_UPGRADE:
			upgrade(u, d, p, res.next);
			return true;
		case PARSE_LOST:
			out_of_step(u, d, p->call);
			/* what broke the parser may itself begin a message, but only once */
			if (!p->p || !p->call_start || st->restarted)
				st->first++;
			st->restarted = true;
			break;
		}
	}
	return moved;
}

static void pump_both(struct runner *u, enum dir d, bool expired)
{
	int idle = 0;

	while (idle < DIR_COUNT) {
		if (pump(u, d, expired)) {
			u->stream[dir_other(d)].stalled = false;
			idle = 0;
		} else {
			idle++;
		}
		d = dir_other(d);
	}
}

static void expire(struct runner *u)
{
	/* one direction at a time: what it says may be what the other waits for */
	for (int d = 0; d < DIR_COUNT; d++) {
		u->stream[d].stalled = false;
		pump_both(u, (enum dir)d, true);
	}
}

static void put(struct runner *u, const struct piece *p)
{
	struct stream *st = &u->stream[p->dir];

	st->queue = grown(st->queue, st->last, sizeof(*st->queue));
	st->offs = grown(st->offs, st->last, sizeof(*st->offs));
	st->queue[st->last] = *p;
	st->offs[st->last++] = st->off;
	st->off += p->n;
	if (p->p) {
		buf_put(&st->bytes, p->p, p->n);
	} else if (buf_reserve(&st->bytes, p->n) == 0) {
		memset(st->bytes.p + st->bytes.n, 0, p->n);
		st->bytes.n += p->n;
	}
}

static int compare_secrets(const void *va, const void *vb)
{
	const struct secret *a = va, *b = vb;

	if (a->dir != b->dir)
		return a->dir < b->dir ? -1 : 1;
	return a->off < b->off ? -1 : a->off > b->off;
}

static void write_secrets(struct runner *u)
{
	if (u->secret_count)
		qsort(u->secrets, u->secret_count, sizeof(*u->secrets), compare_secrets);
	for (size_t i = 0; i < u->secret_count; i++) {
		struct secret *s = &u->secrets[i], *next = s + 1;

		/* adjoining ones are one: how many there are depends on the slices */
		if (i + 1 < u->secret_count && next->dir == s->dir && next->off == s->off + s->n) {
			*next = (struct secret){s->dir, s->off, s->n + next->n};
			continue;
		}
		buf_printf(&u->r->text, "secret %s @%" PRIu64 " \"", mark(s->dir), s->off);
		if (s->off + s->n <= u->stream[s->dir].bytes.n)
			dump_bytes(&u->r->text,
				   (struct str){(char *)u->stream[s->dir].bytes.p + s->off, s->n});
		buf_puts(&u->r->text, "\"\n");
	}
}

void run_pieces(struct run *r, const struct run_cfg *cfg, const struct piece *pieces, size_t count)
{
	struct runner u = {.sink.ops = &sink_ops, .r = r, .cfg = cfg, .conn = cfg->conn};
	uint64_t now = 0;

	*r = (struct run){0};
	open_parser(&u, cfg->ops, cfg->late, NULL);
	for (size_t i = 0; i < count; i++) {
		now = pieces[i].ts_ns;
		if (u.ops && u.ops->tick)
			u.ops->tick(u.parser, now);
		if (pieces[i].expire) {
			expire(&u);
			continue;
		}
		put(&u, &pieces[i]);
		pump_both(&u, pieces[i].dir, false);
	}
	expire(&u);
	close_parser(&u, now);
	write_secrets(&u);
	buf_putc(&r->text, '\0');
	for (int d = 0; d < DIR_COUNT; d++) {
		free(u.stream[d].queue);
		free(u.stream[d].offs);
		buf_free(&u.stream[d].bytes);
	}
	free(u.secrets);
}

void run_free(struct run *r)
{
	struct txn *t;

	while ((t = r->txns)) {
		r->txns = t->next;
		txn_free(t);
	}
	buf_free(&r->text);
}
