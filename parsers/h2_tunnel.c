/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * WebSocket over HTTP/2 (RFC 8441): after an extended CONNECT that was answered with 2xx the DATA of the stream
 * is what stands behind the 101 of HTTP/1, and the same row reads it. The exchange that opened it is over then.
 */
#include <stdlib.h>

#include "parsers/h2.h"
#include "parsers/rows.h"

/* One stream that speaks WebSocket. */
struct h2_tunnel {
	struct proto_sink sink; /* first: what the row says comes here */
	UT_hash_handle hh;
	struct h2 *h;
	uint32_t id;
	void *parser; /* owned, of proto_websocket */
	uint64_t off[DIR_COUNT];
	bool ended[DIR_COUNT]; /* or out of step for good */
};

static void on_txn(struct proto_sink *s, struct txn *t)
{
	const struct h2_tunnel *k = (const struct h2_tunnel *)s;

	t->has_stream = true;
	t->stream_id = k->id;
	k->h->sink->ops->txn(k->h->sink, t);
}

/* Positions and sides are the connection's affair. */
static void on_secret(struct proto_sink *s, enum dir d, uint64_t off, uint64_t n, uint8_t fill)
{
	(void)s, (void)d, (void)off, (void)n, (void)fill;
}

static void on_settled(struct proto_sink *s, enum dir d, uint64_t off)
{
	(void)s, (void)d, (void)off;
}

static void on_role(struct proto_sink *s, enum role r)
{
	(void)s, (void)r;
}

static const struct proto_sink_ops sink_ops = {
	.txn = on_txn,
	.secret = on_secret,
	.settled = on_settled,
	.role = on_role,
};

static struct h2_tunnel *find(const struct h2 *h, uint32_t id)
{
	struct h2_tunnel *k;

	HASH_FIND(hh, h->tunnels, &id, sizeof(id), k);
	return k;
}

static void end(struct h2 *h, struct h2_tunnel *k, uint64_t ts_ns)
{
	HASH_DEL(h->tunnels, k);
	proto_websocket.close(k->parser, ts_ns);
	free(k);
}

static bool asks_for_websocket(const struct h2_msg *m)
{
	bool connect = false, websocket = false;

	for (uint32_t i = 0; i < m->count; i++) {
		const struct header *f = &m->headers[i];

		connect |= str_eq(f->name, STR(":method")) && str_eq(f->value, STR("CONNECT"));
		websocket |=
			str_eq(f->name, STR(":protocol")) && str_ieq(f->value, STR("websocket"));
	}
	return connect && websocket;
}

bool h2_tunnel_begins(const struct h2 *h, const struct h2_stream *st)
{
	const struct h2_msg *req, *resp;

	if (h->requests < 0 || st->status / 100 != 2)
		return false;
	req = &st->msg[h->requests];
	resp = &st->msg[dir_other((enum dir)h->requests)];
	if (req->ended || resp->ended || req->body_bytes || resp->body_bytes || req->lost)
		return false;
	return asks_for_websocket(req);
}

void h2_tunnel_open(struct h2 *h, uint32_t id, const struct txn *connect)
{
	struct h2_tunnel *k;
	struct proto_open o = {.conn = h->conn, .limits = h->limits, .upgraded_from = connect};

	if (h->tunnels && HASH_COUNT(h->tunnels) >= h->limits->streams) {
		proto_limit(h->sink, LIMIT_STREAMS);
		end(h, h->tunnels, connect->end_ns);
	}
	k = calloc(1, sizeof(*k));
	if (!k)
		return;
	k->sink.ops = &sink_ops;
	k->h = h;
	k->id = id;
	o.sink = &k->sink;
	k->parser = proto_websocket.open(&o);
	if (k->parser)
		HASH_ADD(hh, h->tunnels, id, sizeof(k->id), k);
	if (k->hh.tbl)
		return;
	if (k->parser)
		proto_websocket.close(k->parser, connect->end_ns);
	free(k);
}

bool h2_tunnel_data(struct h2 *h, enum dir d, uint32_t id, const struct h2_bytes *b)
{
	struct h2_tunnel *k = find(h, id);
	struct slice s;

	if (!k)
		return false;
	s = (struct slice){
		.p = b->p, .n = b->n, .off = k->off[d], .ts_ns = b->ts_ns, .tid = b->tid};
	k->off[d] += b->n;
	if (!k->ended[d] && b->n)
		k->ended[d] = proto_websocket.feed(k->parser, d, &s, true).status == PARSE_LOST;
	return true;
}

void h2_tunnel_lost(struct h2 *h, enum dir d, uint32_t id, uint64_t n, uint64_t ts_ns)
{
	struct h2_tunnel *k = find(h, id);

	if (!k)
		return;
	k->off[d] += n;
	if (!k->ended[d])
		k->ended[d] = proto_websocket.gap(k->parser, d, n, ts_ns).status == PARSE_LOST;
}

void h2_tunnel_end(struct h2 *h, enum dir d, uint32_t id, uint64_t ts_ns)
{
	struct h2_tunnel *k = find(h, id);

	if (!k)
		return;
	k->ended[d] = true;
	if (k->ended[dir_other(d)])
		end(h, k, ts_ns);
}

void h2_tunnel_reset(struct h2 *h, uint32_t id, uint64_t ts_ns)
{
	struct h2_tunnel *k = find(h, id);

	if (k)
		end(h, k, ts_ns);
}

void h2_tunnels_lost(struct h2 *h, enum dir d)
{
	struct h2_tunnel *k, *next;

	HASH_ITER (hh, h->tunnels, k, next) {
		k->ended[d] = true; /* a frame of WebSocket has no mark to be found by */
		proto_websocket.resync(k->parser, d);
	}
}

void h2_tunnels_close(struct h2 *h, uint64_t now_ns)
{
	struct h2_tunnel *k, *next;

	HASH_ITER (hh, h->tunnels, k, next)
		end(h, k, now_ns);
}
