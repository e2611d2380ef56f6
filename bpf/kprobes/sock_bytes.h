/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of the bytes of a socket call goes out: how sends begin while somebody looks for a context's socket, the
 * hellos of TLS, everything of a plain socket.
 */
#ifndef TLSLENS_BPF_SOCK_BYTES_H
#define TLSLENS_BPF_SOCK_BYTES_H

#include "bpf/kprobes/sock_call.h"
#include "bpf/refusals.h"

/* Tells user space how a send begins, when that is a record of application data. */
static APART void sent(struct proc_state *p, struct sock_state *k, const struct sock_call *x)
{
	union {
		__u8 rec[sizeof(struct ev_sock_io) + EV_CIPHER_BYTES];
		struct ev_sock_io io;
	} e = {};

	if (x->nocopy || cipher_read(e.io.buf, x->at.base, x->at.len))
		return;
	hdr_fill(&e.io.hdr, EV_SOCK_IO, sizeof(e), p->start_ns);
	e.io.sock = k->sock;
	e.io.want = x->at.len < x->n ? x->at.len : x->n;
	e.io.got = EV_CIPHER_BYTES;
	if (e.io.want < EV_CIPHER_BYTES)
		return;
	sock_tell(p, k, x);
	event_put(p, &e, sizeof(e));
}

/* The first bytes of a socket that speaks TLS, until application data begins. */
static APART void hello(struct proc_state *p, struct sock_state *k, struct sock_call *x)
{
	__u32 dir = x->dir & 1;
	__u64 off = __sync_fetch_and_add(&k->at.off[dir], x->n), n = x->n, len;
	struct ev_sock_io *e;
	struct scratch *s;

	if (off >= EV_HELLO_BYTES || x->nocopy)
		goto over;
	if (n > EV_HELLO_BYTES - off)
		n = EV_HELLO_BYTES - off;
	s = scratch_take();
	if (!s) {
		ADD(p->n.lost_events, 1);
		return;
	}
	e = (struct ev_sock_io *)s->rec;
	n = (__u32)gather(s, &x->at, sizeof(*e), n);
	CLAMP(n, EV_HELLO_BYTES);
	len = sizeof(*e) + n;
	hdr_fill(&e->hdr, EV_SOCK_IO, len, p->start_ns);
	e->hdr.flags = EV_SOCK_IO_HELLO;
	e->sock = k->sock;
	e->off = off;
	e->want = e->got = n;
	e->dir = dir;
	__builtin_memset(e->pad, 0, sizeof(e->pad));
	if (e->buf[0] == TLS_APPLICATION_DATA && e->buf[1] == TLS_MAJOR) {
		scratch_give(s);
		goto over;
	}
	sock_tell(p, k, x);
	if (n)
		event_put(p, e, len);
	scratch_give(s);
	return;
over:
	k->hello_over[dir] = 1;
}

/*
 * The process that a socket is told for is the one that used it first, so that its streams are whole where
 * several share it; when that one is gone, another takes its place.
 */
static __always_inline void sock_own(struct proc_state *p, struct sock_state *k)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (k->tgid == tgid || proc_traced(k->tgid))
		return;
	k->tgid = tgid;
	k->start_ns = p->start_ns;
	k->announced = 0;
}

/* Bytes of a plain socket, as records; or only counted, when nobody wants them or `skip` says so. */
static APART void plain(struct proc_state *p, struct sock_state *k, struct sock_work *w, bool skip)
{
	struct sock_call *x = &w->call;
	struct move *m = &w->move;
	__u32 dir = x->dir & 1;

	ADD(p->n.calls[dir], 1);
	ADD(p->n.generated_bytes[dir], x->n);
	m->off = __sync_fetch_and_add(&k->at.off[dir], x->n);
	if (is_refused(k) || k->judged == JUDGED_UNWANTED || skip) {
		ADD(p->n.filtered_bytes[dir], x->n);
		ADD(k->at.lost[dir], x->n);
		return;
	}
	sock_own(p, k);
	sock_tell(p, k, x);
	m->at = x->at;
	m->peer = x->peer;
	m->ctx = m->sock = k->sock;
	m->call = NEXT_ID(call);
	m->total = x->n;
	m->done = 0;
	m->ts_ns = bpf_ktime_get_ns();
	m->start_ns = k->start_ns;
	m->cgroup_id = bpf_get_current_cgroup_id();
	m->id = (__u64)k->tgid << 32 | (__u32)bpf_get_current_pid_tgid();
	m->part = 0;
	m->lib = 0;
	m->dir = dir;
	m->flags = EV_DATA_PLAIN;
	if (k->kind == SOCK_UDP)
		m->flags |= EV_DATA_DGRAM;
	if (k->from_start[dir])
		m->flags |= EV_DATA_FROM_START;
	if (x->nocopy)
		m->flags |= EV_DATA_NOCOPY;
	if (x->peer.family)
		m->flags |= EV_DATA_PEER;
	move_all(m, &k->at, p);
}

/*
 * A plain connection that goes on as TLS (CONNECT, STARTTLS) begins anew. Hellos are counted from here: before the
 * first of them neither side says anything; in the middle of a handshake what follows is none.
 */
static __always_inline void tls_begins(struct proc_state *p, struct sock_state *k,
				       const struct sock_call *x, __u8 type)
{
	sock_put_end(k);
	__builtin_memset(&k->at, 0, sizeof(k->at));
	k->kind = SOCK_TLS;
	for (int d = 0; d < 2 && type == TLS_HANDSHAKE; d++)
		k->begun[d] = k->from_start[d] = 1;
	k->announced = 0; /* to be told as one of TLS */
	if (k->judged != JUDGED_UNWANTED)
		sock_tell(p, k, x);
}

/* What the bytes of a call on a stream say of it. */
static APART void stream_kind(struct proc_state *p, struct sock_state *k, struct sock_call *x,
			      bool below_tls)
{
	__u8 type;

	if (x->flags & MSG_TRUNC && k->tcp)
		x->nocopy = 1; /* tcp(7): thrown away */
	if (k->kind != SOCK_NEW && (k->kind != SOCK_PLAIN || !below_tls))
		return;
	type = begins_tls(x);
	if (type)
		tls_begins(p, k, x, type);
	else if (!below_tls)
		k->kind = SOCK_PLAIN;
}

static __always_inline void stream_moved(struct proc_state *p, struct sock_state *k,
					 struct sock_work *w, bool below_tls)
{
	struct sock_call *x = &w->call;

	if (k->kind == SOCK_TLS && k->judged != JUDGED_UNWANTED && k->from_start[x->dir & 1] &&
	    !k->hello_over[x->dir & 1])
		hello(p, k, x);
	if (k->kind == SOCK_PLAIN && p->flags & PROC_PLAIN)
		plain(p, k, w, below_tls);
}

#endif
