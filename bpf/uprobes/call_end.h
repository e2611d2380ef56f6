/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is drawn from a call at its return: what its socket calls prove, and its records.
 */
#ifndef TLSLENS_BPF_CALL_END_H
#define TLSLENS_BPF_CALL_END_H

#include "bpf/uprobes/call.h"
#include "bpf/payload.h"
#include "bpf/refusals.h"

static __always_inline bool sock_lives(__u64 addr, __u64 sock)
{
	struct sock_state *k = bpf_map_lookup_elem(&socks, &addr);

	return k && k->sock == sock;
}

/* Whether it lives, and records of TLS were seen on it. */
static __always_inline bool sock_speaks_tls(__u64 addr, __u64 sock)
{
	struct sock_state *k = bpf_map_lookup_elem(&socks, &addr);

	return k && k->sock == sock && k->kind == SOCK_TLS;
}

/*
 * The call used one socket: that is its context's from now on. Unless no TLS was seen on it, as on that of a
 * callback or a log; or another one was proven before and still lives: a context that changes its socket closes
 * the old one.
 */
static __always_inline void prove(struct proc_state *p, struct frame *f)
{
	struct conn_state *c;
	struct ev_sock *e;
	struct conn_key k;

	conn_key_fill(&k, p, f->ctx);
	c = conn_get(p, &k);
	if (!c || (c->sock == f->sock && c->flags & CONN_ANNOUNCED))
		return;
	if ((c->sock && c->sock != f->sock && sock_lives(c->sock_addr, c->sock)) ||
	    !sock_speaks_tls(f->sock_addr, f->sock)) {
		f->proof = PROOF_VOID;
		return;
	}
	c->sock = f->sock;
	c->sock_addr = f->sock_addr;
	c->flags &= ~CONN_ANNOUNCED;
	e = event_reserve(p, sizeof(*e));
	if (!e)
		return;
	__builtin_memset(e, 0, sizeof(*e));
	hdr_fill(&e->hdr, EV_SOCK, sizeof(*e), p->start_ns);
	e->hdr.flags = EV_SOCK_TLS;
	e->conn = f->ctx;
	e->gen = c->at.gen;
	e->sock = f->sock;
	e->fd = -1;
	ring_submit(e, sizeof(*e));
	c->flags |= CONN_ANNOUNCED;
}

/* The socket of a data record: proven in this call, or earlier for this generation and still open. */
static __always_inline void peer_of(struct move *m, struct conn_state *c, const struct frame *f)
{
	if (f->proof == PROOF_VOID)
		return;
	if (f->proof == PROOF_SOLE) {
		m->sock = f->sock;
		m->flags |= EV_DATA_NESTED;
		return;
	}
	if (!c->sock)
		return;
	if (!sock_lives(c->sock_addr, c->sock)) {
		c->sock = c->sock_addr = 0;
		return;
	}
	m->sock = c->sock;
	m->flags |= EV_DATA_CACHED;
}

/* The ends of its stream, or what it speaks, are not what was asked for. */
static __always_inline bool is_unwanted(const struct move *m, const struct conn_state *c,
					const struct frame *f)
{
	__u64 addr = m->flags & EV_DATA_NESTED ? f->sock_addr : c->sock_addr;
	struct sock_state *k;

	if (!streams_judged || !m->sock)
		return false;
	k = bpf_map_lookup_elem(&socks, &addr);
	if (!k || k->sock != m->sock)
		return false;
	is_refused(k);
	return k->judged == JUDGED_UNWANTED;
}

static __always_inline void call_data(struct proc_state *p, const struct frame *f, __u64 total)
{
	__u32 kind = COOKIE_KIND(f->cookie);
	__u32 dir = kind == FN_READ;
	struct move m = {};
	struct conn_state *c;
	struct conn_key k;

	ADD(p->n.calls[dir], 1);
	ADD(p->n.generated_bytes[dir], total);
	conn_key_fill(&k, p, f->ctx);
	c = conn_get(p, &k);
	if (!c) {
		ADD(p->n.lost_bytes[EV_LOST_TABLE], total);
		return;
	}
	m.ctx = f->ctx;
	m.call = NEXT_ID(call);
	m.at.base = f->buf;
	m.at.len = ~0ull;
	m.total = total;
	m.off = __sync_fetch_and_add(&c->at.off[dir], total);
	m.ts_ns = dir ? bpf_ktime_get_ns() : f->ts_ns;
	m.start_ns = p->start_ns;
	m.cgroup_id = bpf_get_current_cgroup_id();
	m.id = bpf_get_current_pid_tgid();
	m.lib = COOKIE_LIB(f->cookie);
	m.dir = dir;
	if (c->flags & CONN_FROM_START)
		m.flags |= EV_DATA_FROM_START;
	if (!f->buf) /* of FN_SENDFILE and the like, or going on with an earlier call's bytes */
		m.flags |= EV_DATA_NOCOPY;
	peer_of(&m, c, f);
	if (is_unwanted(&m, c, f)) {
		ADD(p->n.filtered_bytes[dir], total);
		ADD(c->at.lost[dir], total);
		return;
	}
	move_all(&m, &c->at, p);
}

#endif
