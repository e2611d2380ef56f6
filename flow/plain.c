/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain traffic: the connection is the socket, or one peer of a datagram socket that is connected to nobody.
 * What it speaks is found by its bytes, never by its port. A socket that turns out to speak TLS, or nothing
 * known here, is given up: the source is told to copy no more of it, and nothing of it is kept or shown.
 */
#include "flow/internal.h"

#define TLS_CONTENT_FIRST 20
#define TLS_CONTENT_LAST 23
#define TLS_RECORD_BYTES_MAX ((1u << 14) + 2048) /* RFC 5246 section 6.2.3 */

/* The header of a TLS record (RFC 8446 section 5.1). */
static bool begins_tls(const uint8_t *p, size_t n)
{
	return n >= 5 && p[0] >= TLS_CONTENT_FIRST && p[0] <= TLS_CONTENT_LAST && p[1] == 3 &&
	       p[2] <= 4 && (p[3] << 8 | p[4]) <= (int)TLS_RECORD_BYTES_MAX;
}

bool flow_plain_is_tls(const struct flow_conn *c, const struct slice *s)
{
	return c->pub.plain && !c->dgram && !c->ops && begins_tls(s->p, s->n);
}

/* Datagrams are counted for the socket, however many peers it has. */
static uint64_t lost_since(struct flow_sock *s, const struct ev_data *d)
{
	uint64_t before = s->lost[d->dir];

	if (!s->counting[d->dir])
		before = d->hdr.flags & EV_DATA_FROM_START ? 0 : d->lost;
	s->counting[d->dir] = true;
	if (d->lost <= before)
		return 0;
	s->lost[d->dir] = d->lost;
	return d->lost - before;
}

static struct flow_unread *unread_of(struct flow *f, const struct flow_sock *s)
{
	return s->tls ? &f->stats.unread_tls : &f->stats.unread_unknown;
}

void flow_plain_unread(struct flow_conn *c)
{
	struct flow_sock *s = c->home;
	struct flow_unread *u;

	if (!s || s->talks || s->unread)
		return;
	s->unread = true;
	u = unread_of(c->flow, s);
	u->socks++;
	u->bytes += s->unparsed_bytes;
}

void flow_plain_data(struct flow *f, const struct ev_data *d)
{
	struct flow_sock *s = flow_sock_get(f, d->conn);
	struct flow_conn *c;

	if (s && s->unwanted)
		unread_of(f, s)->bytes += d->want;
	if (!s || s->unwanted)
		return;
	c = flow_conn_get(f, d);
	if (!c)
		return;
	if (!c->home) {
		c->home = s;
		DL_APPEND2(s->plains, c, home_prev, home_next);
	}
	if (!c->dgram) {
		flow_stream_data(c, d);
		return;
	}
	flow_sock_evidence(c, d);
	flow_stream_datagram(c, d, lost_since(s, d));
}

void flow_plain_end(struct flow_sock *s, const struct ev_conn_end *end)
{
	struct flow_conn *c = s->plains;

	for (int i = 0; c && c->dgram && end && i < DIR_COUNT; i++)
		if (s->counting[i] && end->lost[i] > s->lost[i])
			c->flow->stats.gap_bytes += end->lost[i] - s->lost[i];
	while ((c = s->plains))
		flow_conn_end(c, c->dgram ? NULL : end);
}

static bool said_enough(const struct flow_conn *c)
{
	const struct flow_sock *s = c->home;

	if (c->dgram)
		return s->unparsed_calls >= FLOW_PLAIN_DATAGRAMS;
	if (c->pub.from_start)
		return s->unparsed_calls >= FLOW_PLAIN_CALLS ||
		       s->unparsed_bytes >= FLOW_PLAIN_BYTES;
	return s->unparsed_calls >= FLOW_PLAIN_LATE_CALLS ||
	       s->unparsed_bytes >= FLOW_PLAIN_LATE_BYTES;
}

void flow_plain_unparsed(struct flow_conn *c, const struct slice *s)
{
	struct flow_sock *home = c->home;

	if (!home || home->talks)
		return;
	home->unparsed_bytes += s->n;
	home->unparsed_calls += s->call_start;
	home->tls = flow_plain_is_tls(c, s);
	if (home->tls || said_enough(c))
		flow_plain_unwanted(c);
}

void flow_plain_unwanted(struct flow_conn *c)
{
	struct flow_sock *s = c->home;

	if (!s || s->unwanted || c->ending)
		return;
	s->unwanted = true;
	LL_PREPEND2(c->flow->unwanted_socks, s, unwanted_next);
}

void flow_plain_give_up(struct flow *f)
{
	struct flow_sock *s;

	while ((s = f->unwanted_socks)) {
		LL_DELETE2(f->unwanted_socks, s, unwanted_next);
		f->stats.unwanted++;
		flow_plain_end(s, NULL);
		if (f->cfg.unwanted)
			f->cfg.unwanted(f->cfg.unwanted_arg, s->id, false);
	}
}

void flow_plain_forget(struct flow_conn *c)
{
	if (!c->home)
		return;
	DL_DELETE2(c->home->plains, c, home_prev, home_next);
	c->home = NULL;
}
