/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/harness.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "identity/identity.h"

#define MS 1000000ull

struct harness_place {
	struct harness_place *next;
	uint64_t seq;
	bool closed, begun[DIR_COUNT];
	uint64_t off[DIR_COUNT];
};

static struct harness_place *place_of(struct harness *h, uint64_t seq)
{
	struct harness_place *p;

	for (p = h->places; p; p = p->next)
		if (p->seq == seq)
			return p;
	p = calloc(1, sizeof(*p));
	assert_non_null(p);
	p->seq = seq;
	p->next = h->places;
	return h->places = p;
}

static void put_flags(struct harness *h, const struct txn *t)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} names[] = {
		{TXN_LOST_REQUEST, "lost-request"},
		{TXN_LOST_RESPONSE, "lost-response"},
		{TXN_LATE, "late"},
		{TXN_NO_REQUEST, "no-request"},
		{TXN_CUT_REQUEST, "cut-request"},
		{TXN_NO_RESPONSE, "no-response"},
		{TXN_AMBIGUOUS, "ambiguous"},
		{TXN_LIMIT, "limit"},
		{TXN_EARLY, "early"},
		{TXN_UNKNOWN_HEADERS, "unknown-headers"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (t->flags & names[i].bit)
			buf_printf(&h->out, " %s", names[i].name);
	if (t->lost_bytes)
		buf_printf(&h->out, " lost %" PRIu64, t->lost_bytes);
}

static int on_txn(struct sink *s, struct txn *t)
{
	struct harness *h = (struct harness *)s;

	h->txns++;
	if (h->on_txn)
		h->on_txn(h, t);
	if (h->quiet)
		return h->fail_with;
	buf_printf(&h->out, "txn %s %s %.*s %.*s %.*s", t->conn->id, peer_source_name(t->source),
		   (int)t->verb.n, t->verb.p ? t->verb.p : "", (int)t->target.n,
		   t->target.p ? t->target.p : "", (int)t->status.n,
		   t->status.p ? t->status.p : "");
	put_flags(h, t);
	buf_putc(&h->out, '\n');
	return h->fail_with;
}

static void put_bytes(struct harness *h, const struct chunk *c)
{
	size_t m = 0;

	for (size_t i = 0; i < c->data.n; i++) {
		uint8_t b = (uint8_t)c->data.p[i];

		while (m < c->mask_count && i >= c->masks[m].at + c->masks[m].n)
			m++;
		if (m < c->mask_count && i >= c->masks[m].at)
			b = c->masks[m].fill;
		if (b == '\n')
			buf_puts(&h->out, "\\n");
		else if (b < 0x20 || b > 0x7e || b == '"')
			buf_printf(&h->out, "\\x%02x", b);
		else
			buf_putc(&h->out, b);
	}
}

static void check_masks(struct harness *h, const struct chunk *c)
{
	size_t at = 0;

	for (size_t i = 0; i < c->mask_count; i++) {
		assert_true(c->masks[i].at >= at);
		assert_true(c->masks[i].n > 0);
		at = c->masks[i].at + c->masks[i].n;
		assert_true(at <= c->data.n);
		h->masked_bytes += c->masks[i].n;
	}
}

static int on_chunk(struct sink *s, const struct chunk *c)
{
	struct harness *h = (struct harness *)s;
	struct harness_place *p = place_of(h, c->conn->seq);
	const char *arrow = c->dir == DIR_WRITE ? ">" : "<";

	assert_false(p->closed);
	h->last_chunk_ts_ns = c->ts_ns;
	if (c->kind == CHUNK_CLOSE) {
		p->closed = true;
		if (!h->quiet)
			buf_printf(&h->out, "close %s\n", c->conn->id);
		return h->fail_with;
	}
	if (p->begun[c->dir])
		assert_int_equal(c->off, p->off[c->dir]);
	p->begun[c->dir] = true;
	p->off[c->dir] = c->off + (c->kind == CHUNK_GAP ? c->gap_bytes : c->data.n);
	if (c->kind == CHUNK_GAP) {
		h->gap_bytes += c->gap_bytes;
		if (!h->quiet)
			buf_printf(&h->out, "gap %s %s @%" PRIu64 " %" PRIu64 "%s\n", c->conn->id,
				   arrow, c->off, c->gap_bytes, c->resync_unsafe ? " unsafe" : "");
		return h->fail_with;
	}
	h->chunk_bytes += c->data.n;
	check_masks(h, c);
	if (h->quiet)
		return h->fail_with;
	buf_printf(&h->out, "data %s %s @%" PRIu64 " \"", c->conn->id, arrow, c->off);
	put_bytes(h, c);
	buf_puts(&h->out, "\"\n");
	return h->fail_with;
}

static int on_tick(struct sink *s, uint64_t now_ns)
{
	struct harness *h = (struct harness *)s;

	assert_true(now_ns >= h->last_tick_ns);
	h->ticks++;
	h->last_tick_ns = now_ns;
	return h->fail_with;
}

static const struct sink_ops ops = {on_txn, on_chunk, on_tick};

static void on_unwanted(void *arg, uint64_t sock, bool all)
{
	struct harness *h = arg;

	h->unwanted++;
	h->unwanted_sock = sock;
	h->unwanted_all = all;
}

void harness_open(struct harness *h, const struct flow_cfg *cfg)
{
	*h = (struct harness){.sink.ops = &ops, .cfg = *cfg, .now_ms = 1000};
	if (!h->cfg.limits.header_bytes)
		h->cfg.limits = limits_default;
	h->cfg.unwanted = on_unwanted;
	h->cfg.unwanted_arg = h;
	h->flow = flow_new(&h->cfg, &h->sink);
	assert_non_null(h->flow);
}

void harness_finish(struct harness *h)
{
	assert_int_equal(flow_finish(h->flow), h->fail_with);
	for (struct harness_place *p = h->places; p && !h->fail_with; p = p->next)
		assert_true(p->closed);
}

void harness_close(struct harness *h)
{
	struct harness_place *p;

	flow_free(h->flow);
	txn_pool_drain();
	buf_free(&h->out);
	while ((p = h->places)) {
		h->places = p->next;
		free(p);
	}
}

const char *harness_out(struct harness *h)
{
	buf_putc(&h->out, '\0');
	assert_true(buf_ok(&h->out));
	h->out.n--;
	return (const char *)h->out.p;
}

void harness_clear(struct harness *h)
{
	buf_clear(&h->out);
}

static struct ev_hdr header(uint16_t type, size_t len, uint64_t ts_ns)
{
	return (struct ev_hdr){
		.ts_ns = ts_ns,
		.start_ns = HARNESS_START_NS,
		.tgid = HARNESS_PID,
		.tid = HARNESS_PID,
		.type = type,
		.len = (uint32_t)len,
	};
}

static void feed(struct harness *h, const struct ev_hdr *ev)
{
	assert_int_equal(flow_event(h->flow, ev), h->fail_with);
}

struct ev_data *harness_make_data(const struct harness_data *d, uint64_t ts_ns)
{
	size_t n = d->n	     ? d->n
		   : d->text ? strlen(d->text)
			     : 0,
	       before = d->peer ? sizeof(*d->peer) : 0;
	struct ev_data *e = calloc(1, sizeof(*e) + before + n);

	assert_non_null(e);
	e->hdr = header(EV_DATA, sizeof(*e) + before + n, ts_ns);
	if (d->tgid)
		e->hdr.tgid = d->tgid;
	e->hdr.tid = d->tid ? d->tid : e->hdr.tgid;
	e->hdr.flags = d->flags | (d->peer ? EV_DATA_PEER : 0);
	e->conn = d->conn ? d->conn : HARNESS_CONN;
	e->gen = d->gen ? d->gen : 1;
	e->off = d->off;
	e->lost = d->lost;
	e->sock = d->sock;
	e->dir = (uint8_t)d->dir;
	e->part = d->part;
	e->got = (uint32_t)n;
	e->want = (uint32_t)n + d->more;
	if (before)
		memcpy(e->buf, d->peer, before);
	if (n)
		memcpy(e->buf + before, d->text, n);
	return e;
}

void harness_data(struct harness *h, const struct harness_data *d)
{
	/* exactly as long as the record, so that reading past it is seen */
	struct ev_data *e = harness_make_data(d, h->now_ms * MS);

	feed(h, &e->hdr);
	free(e);
}

void harness_socket(struct harness *h, const struct ev_sock *sock)
{
	struct ev_sock e = *sock;

	e.hdr = header(EV_SOCK, sizeof(e), h->now_ms * MS);
	e.hdr.flags = sock->hdr.flags;
	feed(h, &e.hdr);
}

void harness_sock(struct harness *h, uint64_t conn, uint64_t gen, uint64_t sock, uint16_t rport)
{
	struct ev_sock e = {
		.hdr.flags = EV_SOCK_TLS,
		.conn = conn,
		.gen = gen,
		.sock = sock,
		.netns = 1,
		.fd = 3,
		.family = AF_INET,
		.type = SOCK_STREAM,
		.protocol = IPPROTO_TCP,
		.lport = 40000,
		.rport = rport,
		.accepted = 2,
		.laddr = {127, 0, 0, 1},
		.raddr = {127, 0, 0, 2},
	};

	harness_socket(h, &e);
}

void harness_sock_close(struct harness *h, uint64_t sock)
{
	struct ev_sock_close e = {
		.hdr = header(EV_SOCK_CLOSE, sizeof(e), h->now_ms * MS),
		.sock = sock,
	};

	feed(h, &e.hdr);
}

void harness_conn_end(struct harness *h, uint64_t conn, uint64_t gen, uint64_t off_write,
		      uint64_t off_read)
{
	struct ev_conn_end e = {
		.hdr = header(EV_CONN_END, sizeof(e), h->now_ms * MS),
		.conn = conn,
		.gen = gen,
		.off = {off_write, off_read},
	};

	feed(h, &e.hdr);
}

void harness_bare(struct harness *h, uint16_t type)
{
	struct ev_hdr e = header(type, sizeof(e), h->now_ms * MS);

	feed(h, &e);
}

void harness_tick(struct harness *h, uint64_t now_ms)
{
	h->now_ms = now_ms;
	harness_bare(h, EV_TICK);
}

void harness_clock(struct harness *h, int64_t offset_ns)
{
	struct ev_clock e = {
		.hdr = header(EV_CLOCK, sizeof(e), h->now_ms * MS),
		.mono_ns = h->now_ms * MS,
		.real_ns = h->now_ms * MS + (uint64_t)offset_ns,
	};

	feed(h, &e.hdr);
}

void harness_identity(struct harness *h, const char *comm)
{
	struct identity id = {.v[ID_COMM] = str_from(comm)};
	struct buf b = {0};
	struct ev_identity *e;

	assert_int_equal(identity_encode(&id, &b), 0);
	e = calloc(1, sizeof(*e) + b.n);
	assert_non_null(e);
	e->hdr = header(EV_IDENTITY, sizeof(*e) + b.n, h->now_ms * MS);
	memcpy(e->pairs, b.p, b.n);
	feed(h, &e->hdr);
	free(e);
	buf_free(&b);
}

void harness_lib(struct harness *h, uint8_t lib, const char *name)
{
	size_t len = offsetof(struct ev_lib, name) + strlen(name) + 1;
	struct ev_lib *e = calloc(1, len < sizeof(*e) ? sizeof(*e) : len);

	assert_non_null(e);
	e->hdr = header(EV_LIB, len, h->now_ms * MS);
	e->lib = lib;
	memcpy(e->name, name, strlen(name) + 1);
	feed(h, &e->hdr);
	free(e);
}
