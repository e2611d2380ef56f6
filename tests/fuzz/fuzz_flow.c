/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole user-space half over records made from the input: a byte says what comes next, the bytes after
 * it fill it in. Checks of what comes out what every writer relies on: positions without holes, masks in
 * order and inside, nothing after the close, everything closed at the end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "capture/source.h"
#include "core/cursor.h"
#include "flow/flow.h"

#define CONNS 4

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct place {
	bool open, begun[DIR_COUNT];
	uint64_t seq, off[DIR_COUNT];
};

struct stage {
	struct sink sink; /* first */
	struct flow *flow;
	struct place places[CONNS * 64];
	uint64_t ts_ns;
	uint64_t off[CONNS][DIR_COUNT], lost[CONNS][DIR_COUNT], gen[CONNS];
};

static void require(bool ok)
{
	if (!ok)
		abort();
}

static int on_txn(struct sink *s, struct txn *t)
{
	(void)s;
	require(t->conn && t->event_name && t->proto_name);
	require(t->attr_count <= TXN_ATTRS_MAX);
	for (uint32_t i = 0; i < t->attr_count; i++)
		require(t->attrs[i].name);
	return 0;
}

static struct place *place_of(struct stage *s, uint64_t seq)
{
	struct place *unused = NULL;

	for (size_t i = 0; i < sizeof(s->places) / sizeof(s->places[0]); i++) {
		if (s->places[i].open && s->places[i].seq == seq)
			return &s->places[i];
		if (!s->places[i].open && !unused)
			unused = &s->places[i];
	}
	require(unused != NULL);
	*unused = (struct place){.open = true, .seq = seq};
	return unused;
}

static int on_chunk(struct sink *sink, const struct chunk *c)
{
	struct place *at = place_of((struct stage *)sink, c->conn->seq);
	size_t end = 0;

	if (c->kind == CHUNK_CLOSE) {
		at->open = false;
		return 0;
	}
	require(!at->begun[c->dir] || c->off == at->off[c->dir]);
	at->begun[c->dir] = true;
	at->off[c->dir] = c->off + (c->kind == CHUNK_GAP ? c->gap_bytes : c->data.n);
	for (size_t i = 0; i < c->mask_count; i++) {
		require(c->masks[i].at >= end && c->masks[i].n);
		end = c->masks[i].at + c->masks[i].n;
		require(end <= c->data.n);
	}
	return 0;
}

static int on_tick(struct sink *s, uint64_t now_ns)
{
	(void)s, (void)now_ns;
	return 0;
}

static const struct sink_ops ops = {on_txn, on_chunk, on_tick};

static void feed(struct stage *s, struct ev_hdr *h, uint16_t type, size_t len)
{
	h->type = type;
	h->len = (uint32_t)len;
	h->ts_ns = s->ts_ns;
	h->tgid = h->tid = 7;
	if (ev_check(h, len))
		require(flow_event(s->flow, h) == 0);
}

/* The record as that of a plain socket, or of a peer of it. */
static void make_plain(struct ev_data *e, uint8_t who)
{
	struct ev_peer peer = {.family = who & 0x08 ? AF_INET6 : AF_INET, .port = who & 3};

	e->conn = e->sock = 1 + (who & 1);
	e->gen = 0;
	e->hdr.flags |= EV_DATA_PLAIN | (who & 0x20 ? EV_DATA_DGRAM : 0);
	if (who & 0x10) {
		e->hdr.flags |= EV_DATA_PEER;
		memcpy(e->buf, &peer, sizeof(peer));
	}
}

static void data(struct stage *s, struct cursor *c)
{
	uint8_t how = cursor_u8(c), who = cursor_u8(c), conn = who % CONNS;
	enum dir d = who & 0x80 ? DIR_READ : DIR_WRITE;
	size_t n = cursor_u8(c) * 2u;
	size_t before = (who & 0x50) == 0x50 ? sizeof(struct ev_peer) : 0;
	const uint8_t *payload;
	struct ev_data *e;

	n = n < cursor_left(c) ? n : cursor_left(c);
	payload = cursor_bytes(c, n);
	e = calloc(1, sizeof(*e) + before + n);
	if (!e || !payload)
		goto out;
	e->conn = conn + 1;
	e->gen = s->gen[conn];
	e->dir = (uint8_t)d;
	e->off = s->off[conn][d];
	if (how & 0x10) /* out of order, or twice */
		e->off += (uint64_t)(int64_t)(int8_t)cursor_u8(c);
	e->lost = s->lost[conn][d];
	e->part = (how & 0x20) != 0;
	e->sock = 1 + (how & 1);
	e->hdr.flags = (uint16_t)((how & 0xf) << 0 | (how & 0x40 ? 0 : EV_DATA_FROM_START));
	e->got = (uint32_t)n;
	e->want = (uint32_t)n + (how & 0x80 ? cursor_u8(c) : 0);
	if (who & 0x40)
		make_plain(e, who);
	memcpy(e->buf + before, payload, n);
	s->off[conn][d] += e->want;
	feed(s, &e->hdr, EV_DATA, sizeof(*e) + before + n);
out:
	free(e);
}

static void other(struct stage *s, uint8_t op, struct cursor *c)
{
	uint8_t conn = cursor_u8(c) % CONNS, arg = cursor_u8(c);
	struct ev_sock sock = {.conn = conn + 1u, .gen = s->gen[conn], .sock = arg % 3u};
	struct ev_sock_close gone = {.sock = arg % 3u};
	struct ev_conn_end end = {.conn = conn + 1u, .gen = s->gen[conn]};
	struct ev_proc proc = {.child_tgid = 8};

	switch (op % 8) {
	case 0:
		s->lost[conn][arg & 1] += arg;
		s->off[conn][arg & 1] += arg;
		break;
	case 1:
		sock.family = arg & 4 ? AF_INET : AF_INET6;
		sock.lport = arg;
		sock.hdr.flags = arg & 8 ? 0 : EV_SOCK_TLS;
		feed(s, &sock.hdr, EV_SOCK, sizeof(sock));
		break;
	case 2:
		feed(s, &gone.hdr, EV_SOCK_CLOSE, sizeof(gone));
		break;
	case 3:
		end.off[0] = s->off[conn][0] + arg % 4u;
		end.off[1] = s->off[conn][1];
		if (arg & 0x80)
			end.gen = end.conn;
		feed(s, &end.hdr, EV_CONN_END, sizeof(end));
		s->off[conn][0] = s->off[conn][1] = 0;
		s->lost[conn][0] = s->lost[conn][1] = 0;
		s->gen[conn]++;
		break;
	case 4:
		feed(s, &proc.hdr, arg & 1 ? EV_EXEC : EV_EXIT, sizeof(proc));
		break;
	default:
		s->ts_ns += arg * (op % 8 == 5 ? 100000ull : 10000000ull);
		feed(s, &gone.hdr, EV_TICK, sizeof(gone.hdr));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct flow_cfg cfg = {.limits = limits_default, .chunks = true};
	struct stage s = {.sink.ops = &ops, .ts_ns = 1000000000};
	struct cursor c = cursor_init(p, n);
	uint8_t op;

	cfg.limits.body_bytes = 64;
	s.flow = flow_new(&cfg, &s.sink);
	if (!s.flow)
		return 0;
	while (cursor_left(&c)) {
		op = cursor_u8(&c);
		if (op & 0x80)
			other(&s, op, &c);
		else
			data(&s, &c);
	}
	require(flow_finish(s.flow) == 0);
	for (size_t i = 0; i < sizeof(s.places) / sizeof(s.places[0]); i++)
		require(!s.places[i].open);
	flow_free(s.flow);
	txn_pool_drain();
	return 0;
}
