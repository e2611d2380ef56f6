/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A call that moved bytes on a socket of a traced process, however it was seen: what it proves for the TLS call
 * around it, and what of its bytes goes out. No protocol is known here but the header of a TLS record.
 */
#ifndef TLSLENS_BPF_SOCK_CALL_H
#define TLSLENS_BPF_SOCK_CALL_H

#include "bpf/cipher.h"
#include "bpf/cookie.h"
#include "bpf/frame.h"
#include "bpf/goroutine.h"
#include "bpf/kprobes/sock_table.h"
#include "bpf/payload.h"

/* Bytes that were only looked at were not moved; those of the error queue, and urgent ones, are of no stream. */
#define MSG_MOVES_NOTHING (MSG_PEEK | MSG_ERRQUEUE | MSG_OOB)

struct sock_call {
	struct sock *sk;
	struct segments at; /* where the bytes are, the first segment taken */
	struct ev_peer
		peer; /* of a datagram on a socket connected to nobody; family 0: not known */
	__u64 n;      /* bytes moved; 0: it failed, or moved nothing */
	__u64 sp, fd; /* of the system call: user stack pointer, first argument */
	__u8 dir;
	__u32 flags; /* of recvmsg(2) */
	__u8 nocopy; /* the bytes are in no buffer of the process, or nobody knows which */
};

/* In the room of struct work. */
struct sock_work {
	struct sock_call call;
	struct move move;
};

_Static_assert(sizeof(struct sock_work) <= WORK_BYTES, "it has room");

/* As scratch_take(). */
static __always_inline struct work *work_take(void)
{
	__u32 i = bpf_get_smp_processor_id() * SCRATCH_SLOTS;
	struct work *w;

	for (int k = 0; k < SCRATCH_SLOTS; k++, i++) {
		w = bpf_map_lookup_elem(&works, &i);
		if (w && __sync_val_compare_and_swap(&w->busy, 0, 1) == 0)
			return w;
	}
	return NULL;
}

static __always_inline void work_give(struct work *w)
{
	__sync_lock_test_and_set(&w->busy, 0);
}

/* Whether the bytes of a call begin with the header of a TLS record (RFC 8446 section 5.1), as far as it goes. */
static __always_inline bool begins_tls(const struct sock_call *x)
{
	__u8 b[3] = {};
	__u64 n = x->n < x->at.len ? x->n : x->at.len;

	if (x->nocopy || !n)
		return false;
	if (n >= sizeof(b) ? bpf_probe_read_user(b, sizeof(b), (const void *)x->at.base)
			   : bpf_probe_read_user(b, 1, (const void *)x->at.base))
		return false;
	return b[0] >= TLS_TYPE_MIN && b[0] <= TLS_APPLICATION_DATA &&
	       (n < sizeof(b) || (b[1] == TLS_MAJOR && b[2] <= TLS_MINOR_MAX));
}

/*
 * A socket call of a thread that has TLS calls open. What it proves is known when the TLS call returns:
 * another socket may be used within the same one.
 */
static __always_inline void evidence(struct frame *f, struct sock_state *k, struct sock *sk)
{
	if (f->proof != PROOF_NONE && f->sock != k->sock) {
		f->proof = PROOF_AMBIGUOUS;
		return;
	}
	f->sock = k->sock;
	f->sock_addr = (__u64)sk;
	if (f->proof == PROOF_NONE)
		f->proof = PROOF_SOLE;
}

/* The process, when a context of it needs its socket found. */
static __always_inline bool is_watched(const struct proc_state *p)
{
	return p->watch_until_ns && bpf_ktime_get_ns() < p->watch_until_ns;
}

/* A socket that records name is told of first, and again when a datagram socket is connected to somebody. */
static __always_inline void sock_tell(struct proc_state *p, struct sock_state *k,
				      const struct sock_call *x)
{
	struct sock *sk = x->sk;

	if (!k->announced ||
	    (k->kind == SOCK_UDP &&
	     k->rport != __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport))))
		announce(p, k, sk, x->fd);
}

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

/* Whether somebody said meanwhile that the bytes are of no use. */
static __always_inline bool is_refused(struct sock_state *k)
{
	__u64 made = refusals_made;

	if (k->refused || k->refusals_seen == made)
		return k->refused;
	k->refusals_seen = made;
	if (bpf_map_delete_elem(&refusals, &k->sock) == 0)
		k->refused = 1;
	return k->refused;
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
	if (is_refused(k) || skip) {
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

/* A plain connection that goes on as TLS (CONNECT, STARTTLS). */
static __always_inline void plain_end(struct sock_state *k)
{
	sock_put_end(k);
	k->kind = SOCK_TLS;
	k->hello_over[0] = k->hello_over[1] = 1;
}

static __always_inline void stream_moved(struct proc_state *p, struct sock_state *k,
					 struct sock_work *w, bool below_tls)
{
	struct sock_call *x = &w->call;

	if (x->flags & MSG_TRUNC && k->tcp)
		x->nocopy = 1; /* tcp(7): thrown away */
	if (k->kind == SOCK_NEW) {
		if (begins_tls(x))
			k->kind = SOCK_TLS;
		else if (!below_tls)
			k->kind = SOCK_PLAIN;
	} else if (k->kind == SOCK_PLAIN && below_tls && begins_tls(x)) {
		plain_end(k);
	}
	if (k->kind == SOCK_TLS && k->from_start[x->dir & 1] && !k->hello_over[x->dir & 1])
		hello(p, k, x);
	if (k->kind == SOCK_PLAIN && p->flags & PROC_PLAIN)
		plain(p, k, w, below_tls);
}

/* Nearly all calls confirm what is known, so the tables are asked before the socket is looked into. */
static APART void sock_called(struct proc_state *p, struct call_stack *s, struct sock_work *w)
{
	struct sock_call *x = &w->call;
	struct frame *f = s ? frame_innermost(s, x->sp - s->base) : NULL;
	bool below_tls = f && f->ctx;
	struct sock_state *k;

	k = sock_get(p, x->sk, x->dir, x->n);
	if (!k || k->kind == SOCK_NOBODY)
		return;
	if (x->n && !k->begun[x->dir & 1])
		sock_begin(k, x->sk, x->dir, x->n);
	if (below_tls && k->kind != SOCK_UDP) {
		evidence(f, k, x->sk);
		sock_tell(p, k, x);
	}
	if (!x->n)
		return;
	if (x->dir == 0 && k->kind != SOCK_UDP && is_watched(p))
		sent(p, k, x);
	if (k->kind != SOCK_UDP)
		stream_moved(p, k, w, below_tls);
	else if (!below_tls && p->flags & PROC_PLAIN)
		plain(p, k, w, false);
}

/* The calls of the goroutine that made a system call: Go's own code for that keeps its register. */
static APART struct call_stack *goroutine_calls_open(struct proc_state *p, __u64 addr, __u64 sp)
{
	struct call_stack *s;
	struct goroutine g;
	struct conn_key k;

	conn_key_fill(&k, p, addr);
	s = bpf_map_lookup_elem(&go_calls, &k);
	if (!s || !s->depth || !goroutine_read(&g, addr, sp))
		return NULL;
	s->base = g.hi;
	return s;
}

/* The TLS calls that this thread, or the goroutine that `g` names, has open, if any. */
static __always_inline struct call_stack *calls_open(struct proc_state *p, __u64 g, __u64 sp)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call_stack *s = bpf_map_lookup_elem(&calls, &id);

	if (s && s->depth)
		return s;
	return go_seen ? goroutine_calls_open(p, g, sp) : NULL;
}

#endif
