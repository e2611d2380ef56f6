/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of connections: made at the first data record, ended once, the one idle longest evicted. */
#include "flow/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct flow_conn *flow_conn_find(struct flow *f, const struct flow_conn_key *key)
{
	struct flow_conn *c;

	HASH_FIND(hh, f->conns, key, sizeof(*key), c);
	return c;
}

static struct flow_conn_key key_of(const struct ev_data *d)
{
	bool plain = d->hdr.flags & EV_DATA_PLAIN;

	struct flow_conn_key k;
	struct ev_peer peer;

	memset(&k, 0, sizeof(k));
	k.conn = d->conn;
	k.plain = plain;
	if (!plain) {
		k.start_ns = d->hdr.start_ns;
		k.tgid = d->hdr.tgid;
		k.gen = d->gen;
	} else if (d->hdr.flags & EV_DATA_PEER) {
		memcpy(&peer, d->buf, sizeof(peer));
		memcpy(k.peer.addr, peer.addr, sizeof(k.peer.addr));
		k.peer.family = peer.family;
		k.peer.port = peer.port;
	}
	return k;
}

static void name(struct flow_conn *c)
{
	const struct flow_conn_key *k = &c->key;

	snprintf(c->pub.id, sizeof(c->pub.id), "%" PRIu32 "-%" PRIx64 "-%" PRIu64,
		 c->proc->key.tgid, k->conn,
		 !k->plain	  ? k->gen
		 : k->peer.family ? c->pub.seq
				  : 0);
}

void flow_conn_known(struct flow_conn *c)
{
	if (c->known)
		return;
	c->known = true;
	c->flow->stats.conns++;
	c->proc->conn_count++;
	c->proc->tls_conns += !c->pub.plain;
	if (!c->pub.plain || !*c->proc->lib)
		c->proc->lib = c->pub.lib;
}

static void init(struct flow_conn *c, struct flow *f, struct flow_proc *p, const struct ev_data *d)
{
	c->flow = f;
	c->proc = p;
	c->identity = identity_ref(p->identity);
	c->dgram = d->hdr.flags & EV_DATA_DGRAM;
	c->peer_timer.conn = c;
	for (int i = 0; i < DIR_COUNT; i++) {
		c->stream[i].reorder = (struct flow_timer){.conn = c, .dir = (enum dir)i};
		c->stream[i].wait = (struct flow_timer){.conn = c, .dir = (enum dir)i};
	}
	c->pub.seq = ++f->conn_seq;
	c->pub.proc = c->identity;
	c->pub.plain = c->key.plain;
	c->pub.transport = c->dgram ? TRANSPORT_UDP : TRANSPORT_TCP;
	c->pub.from_start = d->hdr.flags & EV_DATA_FROM_START;
	c->pub.lib = c->pub.plain || !f->libs[d->lib] ? "" : f->libs[d->lib];
	name(c);
	if (!c->pub.plain)
		flow_conn_known(c);
	DL_APPEND2(p->conns, c, proc_prev, proc_next);
	DL_APPEND2(f->idle, c, idle_prev, idle_next);
}

static struct flow_conn *conn_new(struct flow *f, const struct flow_conn_key *key,
				  const struct ev_data *d)
{
	struct flow_proc *p = flow_proc_get(f, &d->hdr);
	struct flow_conn *c;

	if (!p)
		return NULL;
	if (HASH_COUNT(f->conns) >= FLOW_CONNS_MAX) {
		f->stats.conns_evicted++;
		flow_conn_end(f->idle, NULL);
	}
	c = calloc(1, sizeof(*c));
	if (c) {
		c->key = *key;
		HASH_ADD(hh, f->conns, key, sizeof(c->key), c);
	}
	if (!c || !c->hh.tbl) {
		free(c);
		flow_fail(f, -ENOMEM);
		return NULL;
	}
	init(c, f, p, d);
	return c;
}

struct flow_conn *flow_conn_get(struct flow *f, const struct ev_data *d)
{
	struct flow_conn_key key = key_of(d);
	struct flow_conn *c = flow_conn_find(f, &key);

	if (!c)
		return conn_new(f, &key, d);
	if (f->idle->idle_prev != c) { /* not the latest already */
		DL_DELETE2(f->idle, c, idle_prev, idle_next);
		DL_APPEND2(f->idle, c, idle_prev, idle_next);
	}
	return c;
}

void flow_conn_end(struct flow_conn *c, const struct ev_conn_end *end)
{
	struct flow *f = c->flow;

	for (int i = 0; i < DIR_COUNT; i++)
		flow_stream_end(c, (enum dir)i, end ? end->off[i] : 0);
	flow_drive_end(c);
	flow_queue_end(c);
	flow_timer_cancel(f, TIMER_PEER, &c->peer_timer);
	for (int i = 0; i < DIR_COUNT; i++) {
		flow_timer_cancel(f, TIMER_REORDER, &c->stream[i].reorder);
		flow_timer_cancel(f, TIMER_WAIT, &c->stream[i].wait);
		free(c->stream[i].spans);
	}
	flow_plain_unread(c);
	flow_plain_forget(c);
	DL_DELETE2(c->proc->conns, c, proc_prev, proc_next);
	DL_DELETE2(f->idle, c, idle_prev, idle_next);
	HASH_DEL(f->conns, c);
	flow_hello_end(c);
	identity_unref(c->identity);
	free((char *)c->pub.peer_name.p);
	free(c);
}
