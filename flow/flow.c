/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The entrance: keeps record time, fires what is due, hands each record to the file it concerns. */
#include "flow/internal.h"

#include <stdlib.h>

/* No machine runs that long; a damaged time beyond it must not make deadlines wrap. */
#define TIME_MAX_NS (1ull << 62)

struct flow *flow_new(const struct flow_cfg *cfg, struct sink *out)
{
	struct flow *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->cfg = *cfg;
	if (!f->cfg.rows)
		f->cfg.rows = proto_rows;
	f->out = out;
	return f;
}

static void fire_timers(struct flow *f)
{
	struct flow_timer *t;

	while ((t = flow_timer_due(f, TIMER_REORDER)))
		flow_stream_timeout(t->conn, t->dir);
	while ((t = flow_timer_due(f, TIMER_WAIT)))
		flow_drive_timeout(t->conn, t->dir);
	while ((t = flow_timer_due(f, TIMER_PEER))) {
		t->conn->peer_settled = true;
		flow_queue_release(t->conn);
	}
}

static void tick(struct flow *f)
{
	struct flow_conn *c;

	if (f->now_ns - f->parser_tick_ns >= FLOW_PARSER_TICK_MS * NS_PER_MS) {
		f->parser_tick_ns = f->now_ns;
		DL_FOREACH2(f->ticking, c, tick_next)
		{
			flow_drive_tick(c);
		}
	}
	if (f->now_ns - f->sink_tick_ns >= FLOW_SINK_TICK_MS * NS_PER_MS && !f->err) {
		f->sink_tick_ns = f->now_ns;
		f->err = f->out->ops->tick(f->out, f->now_ns + (uint64_t)f->clock_offset_ns);
	}
}

static void advance(struct flow *f, uint64_t ts_ns)
{
	if (ts_ns <= f->now_ns || ts_ns > TIME_MAX_NS)
		return;
	f->now_ns = ts_ns;
	fire_timers(f);
	flow_plain_give_up(f);
	flow_sock_expire(f);
	tick(f);
}

static void on_data(struct flow *f, const struct ev_data *d)
{
	struct flow_conn *c;

	if (d->hdr.flags & EV_DATA_PLAIN) {
		flow_plain_data(f, d);
		return;
	}
	c = flow_conn_get(f, d);
	if (c)
		flow_stream_data(c, d);
}

static void on_conn_end(struct flow *f, const struct ev_conn_end *ev)
{
	struct flow_conn_key key;
	struct flow_sock *s;
	struct flow_conn *c;

	memset(&key, 0, sizeof(key));
	key.start_ns = ev->hdr.start_ns;
	key.tgid = ev->hdr.tgid;
	key.conn = ev->conn;
	key.gen = ev->gen;
	c = flow_conn_find(f, &key);
	if (c)
		flow_conn_end(c, ev);
	else if (ev->conn == ev->gen && (s = flow_sock_find(f, ev->conn)))
		flow_plain_end(s, ev);
}

/* The image of the process is gone, its contexts with it. Sockets outlive an execve. */
static void on_image_end(struct flow *f, const struct ev_hdr *h)
{
	struct flow_proc *p = flow_proc_get(f, h);
	struct flow_conn *c, *next;

	if (!p)
		return;
	DL_FOREACH_SAFE2(p->conns, c, next, proc_next)
	{
		if (h->type == EV_EXIT || !c->pub.plain)
			flow_conn_end(c, NULL);
	}
}

static void on_counters(struct flow *f, const struct ev_counters *ev)
{
	struct flow_proc *p = flow_proc_get(f, &ev->hdr);

	if (p)
		p->counters = *ev;
}

/* A row keeps its first name: connections borrow it. */
static void on_lib(struct flow *f, const struct ev_lib *ev)
{
	if (!f->libs[ev->lib])
		f->libs[ev->lib] = strndup(ev->name, ev->hdr.len - offsetof(struct ev_lib, name));
}

int flow_event(struct flow *f, const struct ev_hdr *ev)
{
	advance(f, ev->ts_ns);
	switch (ev->type) {
	case EV_DATA:
		on_data(f, (const struct ev_data *)ev);
		break;
	case EV_SOCK:
		flow_sock_put(f, (const struct ev_sock *)ev);
		break;
	case EV_CONN_END:
		on_conn_end(f, (const struct ev_conn_end *)ev);
		break;
	case EV_CIPHER:
		flow_cipher_made(f, (const struct ev_cipher *)ev);
		break;
	case EV_SOCK_IO:
		if (ev->flags & EV_SOCK_IO_HELLO)
			flow_hello_read(f, (const struct ev_sock_io *)ev);
		else
			flow_cipher_sent(f, (const struct ev_sock_io *)ev);
		break;
	case EV_SOCK_CLOSE:
		flow_sock_close(f, (const struct ev_sock_close *)ev);
		break;
	case EV_EXEC:
	case EV_EXIT:
		on_image_end(f, ev);
		flow_event_proc(f, (const struct ev_proc *)ev);
		break;
	case EV_FORK:
		flow_event_proc(f, (const struct ev_proc *)ev);
		break;
	case EV_THREAD:
		flow_proc_thread(f, (const struct ev_thread *)ev);
		break;
	case EV_CLOCK:
		f->clock_offset_ns = (int64_t)(((const struct ev_clock *)ev)->real_ns -
					       ((const struct ev_clock *)ev)->mono_ns);
		break;
	case EV_IDENTITY:
		flow_proc_identity(f, (const struct ev_identity *)ev);
		break;
	case EV_LIB:
		on_lib(f, (const struct ev_lib *)ev);
		break;
	case EV_COUNTERS:
		on_counters(f, (const struct ev_counters *)ev);
		break;
	default: /* EV_TICK did its work; the rest concerns others */
		break;
	}
	flow_plain_give_up(f);
	return f->err;
}

int flow_finish(struct flow *f)
{
	while (f->conns) /* uthash keeps the order of insertion */
		flow_conn_end(f->conns, NULL);
	return f->err;
}

void flow_stats(const struct flow *f, struct flow_stats *st)
{
	*st = f->stats;
	st->conns_live = HASH_COUNT(f->conns);
}

void flow_each_proc(const struct flow *f, void (*fn)(const struct flow_proc_stats *, void *),
		    void *arg)
{
	for (struct flow_proc *p = f->procs; p; p = p->hh.next) {
		struct flow_proc_stats st = {
			.proc = p->identity,
			.lib = p->lib,
			.conns = p->conn_count,
			.tls_conns = p->tls_conns,
			.tls_socks = p->tls_socks,
			.txns = p->txns,
			.bytes = {p->bytes[0], p->bytes[1]},
			.counters = p->counters,
		};

		fn(&st, arg);
	}
}

void flow_free(struct flow *f)
{
	if (!f)
		return;
	f->err = f->err ? f->err : -1; /* the sink may be gone: nothing is written any more */
	flow_finish(f);
	flow_cipher_free_all(f);
	flow_name_free_all(f);
	flow_sock_free_all(f);
	flow_proc_free_all(f);
	for (size_t i = 0; i < sizeof(f->libs) / sizeof(f->libs[0]); i++)
		free(f->libs[i]);
	free(f);
}
