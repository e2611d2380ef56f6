/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets and what they prove. The address of a connection is only ever taken from a socket that the
 * kernel side saw below a TLS call of the same context and generation, and on which it saw records of TLS. A closed socket proves nothing for
 * later bytes, however alike the next one looks.
 */
#include "flow/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

struct flow_sock *flow_sock_find(struct flow *f, uint64_t id)
{
	struct flow_sock *s;

	HASH_FIND(hh, f->socks, &id, sizeof(id), s);
	return s;
}

static void sock_free(struct flow *f, struct flow_sock *s)
{
	if (s->closed)
		DL_DELETE2(f->closed_socks, s, closed_prev, closed_next);
	while (s->plains)
		flow_plain_forget(s->plains);
	flow_hello_forget(f, s);
	HASH_DEL(f->socks, s);
	free(s);
}

struct flow_sock *flow_sock_get(struct flow *f, uint64_t id)
{
	struct flow_sock *s = flow_sock_find(f, id);

	if (s)
		return s;
	if (HASH_COUNT(f->socks) >= FLOW_SOCKS_MAX) {
		sock_free(f, f->socks); /* uthash keeps the order of insertion */
		f->stats.socks_evicted++;
	}
	s = calloc(1, sizeof(*s));
	if (s) {
		s->id = id;
		HASH_ADD(hh, f->socks, id, sizeof(s->id), s);
	}
	if (!s || !s->hh.tbl) {
		free(s);
		flow_fail(f, -ENOMEM);
		return NULL;
	}
	return s;
}

/* An IPv4 peer of an IPv6 socket is an IPv4 peer: ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). */
static bool unmap(uint8_t addr[16])
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(addr, prefix, sizeof(prefix)) != 0)
		return false;
	memmove(addr, addr + 12, 4);
	memset(addr + 4, 0, 12);
	return true;
}

static void sock_fill(struct flow_sock *s, const struct ev_sock *ev)
{
	uint8_t local[16], peer[16];

	s->netns = ev->netns;
	s->role = ev->accepted == 1 ? ROLE_SERVER : ev->accepted == 2 ? ROLE_CLIENT : ROLE_UNKNOWN;
	s->transport = ev->family == AF_UNIX	? TRANSPORT_UNIX
		       : ev->type == SOCK_DGRAM ? TRANSPORT_UDP
						: TRANSPORT_TCP;
	s->local = (struct endpoint){.port = ev->lport};
	s->peer = (struct endpoint){.port = ev->rport};
	switch (ev->family) {
	case AF_INET:
		s->family = ADDR_IPV4;
		memcpy(s->local.addr, ev->laddr, 4);
		memcpy(s->peer.addr, ev->raddr, 4);
		break;
	case AF_INET6:
		memcpy(local, ev->laddr, 16);
		memcpy(peer, ev->raddr, 16);
		s->family = unmap(local) & unmap(peer) ? ADDR_IPV4 : ADDR_IPV6;
		memcpy(s->local.addr, s->family == ADDR_IPV4 ? local : ev->laddr, 16);
		memcpy(s->peer.addr, s->family == ADDR_IPV4 ? peer : ev->raddr, 16);
		break;
	case AF_UNIX:
		s->family = ADDR_UNIX;
		break;
	default:
		s->family = ADDR_NONE;
	}
}

static bool same_address(const struct conn *c, const struct flow_sock *s)
{
	return c->source != PEER_UNKNOWN && c->family == s->family &&
	       c->transport == s->transport && c->netns == s->netns &&
	       c->local.port == s->local.port && c->peer.port == s->peer.port &&
	       memcmp(c->local.addr, s->local.addr, 16) == 0 &&
	       memcmp(c->peer.addr, s->peer.addr, 16) == 0;
}

static void bind_sock(struct flow_conn *c, struct flow_sock *s, enum peer_source source)
{
	struct flow *f = c->flow;
	bool another;

	if (c->sock && c->sock != s->id && !same_address(&c->pub, s)) {
		/* what was proven before was the other socket; nothing waits since the first proof */
		c->nested = c->cached = c->recorded = false;
		c->pub.source = PEER_UNKNOWN;
	}
	another = !c->bound || c->sock != s->id;
	if (another) {
		c->bound_ns = f->now_ns;
		flow_hello_take_back(c);
	}
	flow_hello_lend(c, s);
	c->bound = true;
	c->sock = s->id;
	c->pub.family = s->family;
	c->pub.transport = s->transport;
	c->pub.local = s->local;
	c->pub.peer = s->peer;
	c->pub.netns = s->netns;
	if (another)
		flow_name_of_peer(c);
	if (c->pub.source != PEER_NESTED)
		c->pub.source = source;
	if (c->pub.role == ROLE_UNKNOWN)
		c->pub.role = s->role;
	c->peer_settled = true;
	flow_timer_cancel(f, TIMER_PEER, &c->peer_timer);
}

static bool same_end(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

/* A socket with its addresses; it lives, whatever was said of its id before. */
static struct flow_sock *sock_announced(struct flow *f, const struct ev_sock *ev)
{
	struct flow_sock *s = ev->sock ? flow_sock_get(f, ev->sock) : NULL;
	struct endpoint before;

	if (!s)
		return NULL;
	before = s->peer;
	if (s->closed) {
		DL_DELETE2(f->closed_socks, s, closed_prev, closed_next);
		s->closed = false;
		flow_hello_forget(f, s);
	}
	sock_fill(s, ev);
	/* connected to somebody else: what was said before was said to another (connect(2) of datagrams) */
	if (s->announced && before.port && s->peer.port && !same_end(&before, &s->peer))
		flow_plain_end(s, NULL);
	s->announced = true;
	return s;
}

/* The other end of a datagram, as the record has it. */
static void fill_peer(struct flow_sock *s, const struct flow_conn_key *k)
{
	static const uint8_t any[16];

	s->transport = TRANSPORT_UDP;
	s->family = k->peer.family == AF_INET6 ? ADDR_IPV6 : ADDR_IPV4;
	s->peer = (struct endpoint){.port = k->peer.port};
	memcpy(s->peer.addr, k->peer.addr, s->family == ADDR_IPV6 ? 16 : 4);
	/* of a socket that takes both, an IPv4 peer is one, whatever address it is bound to */
	if (s->family == ADDR_IPV6 &&
	    (memcmp(s->local.addr, any, sizeof(any)) == 0 || unmap(s->local.addr)) &&
	    unmap(s->peer.addr))
		s->family = ADDR_IPV4;
}

static void bind_plain(struct flow_conn *c, struct flow_sock *s)
{
	struct flow_sock with_peer;

	if (c->key.peer.family == AF_INET || c->key.peer.family == AF_INET6) {
		with_peer = *s;
		fill_peer(&with_peer, &c->key);
		bind_sock(c, &with_peer, PEER_KERNEL);
	} else if (s->announced && s->transport == TRANSPORT_UDP && !s->peer.port) {
		c->peer_settled = true; /* connected to nobody, and the record does not tell */
	} else if (s->announced) {
		bind_sock(c, s, PEER_KERNEL);
	}
}

void flow_sock_is_tls(struct flow *f, struct flow_sock *s, const struct ev_hdr *h)
{
	struct flow_proc *p = s->tls_seen ? NULL : flow_proc_get(f, h);

	s->tls_seen = true;
	if (p)
		p->tls_socks++;
}

static void prove(struct flow *f, struct flow_sock *s, const struct ev_sock *ev)
{
	struct flow_conn_key key;
	struct flow_conn *c;

	memset(&key, 0, sizeof(key));
	key.start_ns = ev->hdr.start_ns;
	key.tgid = ev->hdr.tgid;
	key.conn = ev->conn;
	key.gen = ev->gen;
	c = flow_conn_find(f, &key);
	if (!c)
		return; /* its first data will name the socket */
	bind_sock(c, s, PEER_NESTED);
	flow_queue_release(c);
}

void flow_sock_put(struct flow *f, const struct ev_sock *ev)
{
	struct flow_sock *s = ev->family ? sock_announced(f, ev) : flow_sock_find(f, ev->sock);
	struct flow_conn *c;

	if (!s || !s->announced || (s->closed && ev->hdr.ts_ns > s->closed_ns))
		return;
	if (ev->hdr.flags & EV_SOCK_TLS)
		flow_sock_is_tls(f, s, &ev->hdr);
	if (ev->conn && ev->hdr.flags & EV_SOCK_TLS)
		prove(f, s, ev);
	DL_FOREACH2(s->plains, c, home_next)
	{
		bind_plain(c, s);
		flow_queue_release(c);
	}
}

void flow_sock_close(struct flow *f, const struct ev_sock_close *ev)
{
	struct flow_sock *s = flow_sock_find(f, ev->sock);

	if (!s || s->closed)
		return;
	s->closed = true;
	s->closed_ns = ev->hdr.ts_ns;
	DL_APPEND2(f->closed_socks, s, closed_prev, closed_next);
	flow_plain_end(s, NULL);
}

/* Records that were made before the close may come after it; for those a closed socket is kept a while. */
void flow_sock_expire(struct flow *f)
{
	while (f->closed_socks && f->closed_socks->closed_ns < f->now_ns &&
	       f->now_ns - f->closed_socks->closed_ns > FLOW_PEER_WAIT_MS * NS_PER_MS)
		sock_free(f, f->closed_socks);
}

void flow_sock_evidence(struct flow_conn *c, const struct ev_data *d)
{
	bool nested = d->hdr.flags & EV_DATA_NESTED, cached = d->hdr.flags & EV_DATA_CACHED;
	struct flow_sock *s;
	uint64_t ts = d->hdr.ts_ns;

	if (c->key.plain) {
		if (c->home && !c->bound)
			bind_plain(c, c->home);
		return;
	}
	if (!d->sock || !(nested || cached))
		return;
	s = flow_sock_find(c->flow, d->sock);
	if (!s || !s->announced || !s->tls_seen || (!nested && s->closed && ts > s->closed_ns))
		return;
	bind_sock(c, s, nested ? PEER_NESTED : PEER_CACHED);
	if (nested) {
		c->nested_ns = c->nested && c->nested_ns > ts ? c->nested_ns : ts;
		c->nested = true;
	} else {
		c->cached_ns = c->cached && c->cached_ns > ts ? c->cached_ns : ts;
		c->cached = true;
	}
}

static bool sock_open(struct flow *f, uint64_t id)
{
	const struct flow_sock *s = flow_sock_find(f, id);

	return s && !s->closed;
}

enum peer_source flow_sock_source(const struct flow_conn *c, uint64_t start_ns)
{
	if (c->key.plain)
		return c->bound ? PEER_KERNEL : PEER_UNKNOWN;
	if (c->nested && c->nested_ns >= start_ns)
		return PEER_NESTED;
	if (c->recorded && c->record_ns >= start_ns)
		return PEER_RECORD;
	/* proven by another call of this generation, meanwhile or while the transaction waited */
	if ((c->cached && c->cached_ns >= start_ns) || (c->bound && c->bound_ns >= start_ns))
		return PEER_CACHED;
	/* The kernel side keeps no proof by records: it holds here, until the socket is closed. */
	return c->recorded && sock_open(c->flow, c->sock) ? PEER_CACHED : PEER_UNKNOWN;
}

void flow_sock_record(struct flow_conn *c, uint64_t sock, uint64_t ts_ns)
{
	struct flow_sock *s = flow_sock_find(c->flow, sock);

	if (!s || !s->announced || (s->closed && ts_ns > s->closed_ns))
		return;
	bind_sock(c, s, PEER_RECORD);
	c->record_ns = c->recorded && c->record_ns > ts_ns ? c->record_ns : ts_ns;
	c->recorded = true;
	flow_queue_release(c);
}

void flow_sock_refute(struct flow_conn *c, uint64_t sock)
{
	if (!c->recorded || c->sock != sock || c->nested || c->cached)
		return;
	c->recorded = c->bound = false;
	flow_hello_take_back(c);
	c->sock = 0;
	c->pub.source = PEER_UNKNOWN;
}

void flow_sock_free_all(struct flow *f)
{
	struct flow_sock *s, *tmp;

	HASH_ITER (hh, f->socks, s, tmp) {
		sock_free(f, s);
	}
}
