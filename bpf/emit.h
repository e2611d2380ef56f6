/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records on their way out: header, ring, the states that several programs share.
 */
#ifndef TLSLENS_BPF_EMIT_H
#define TLSLENS_BPF_EMIT_H

#include "bpf/maps.h"

#define ADD(where, n) ((void)__sync_fetch_and_add(&(where), (n)))
/*
 * A function with a stack frame of its own: a chain of calls may use 512 bytes, and clang gives every variable of
 * everything inlined a place for itself.
 */
#define APART __noinline __attribute__((unused))
#define NEXT_ID(kind) (__sync_fetch_and_add(&last_id.kind, 1) + 1)

static __always_inline __u64 start_of(__u64 start_boottime)
{
	return start_boottime - start_boottime % START_TICK_NS;
}

/* The state of a traced process, or NULL: the filter that everything else comes after. */
static __always_inline struct proc_state *proc_traced(__u32 tgid)
{
	struct proc_state *p = bpf_map_lookup_elem(&procs, &tgid);

	return p && !(p->flags & PROC_EXITED) && !paused ? p : NULL;
}

static __always_inline void hdr_fill(struct ev_hdr *h, __u16 type, __u32 len, __u64 start_ns)
{
	__u64 id = bpf_get_current_pid_tgid();

	h->ts_ns = bpf_ktime_get_ns();
	h->start_ns = start_ns;
	h->cgroup_id = bpf_get_current_cgroup_id();
	h->tgid = id >> 32;
	h->tid = (__u32)id;
	h->type = type;
	h->flags = 0;
	h->len = len;
}

/*
 * User space drains on a timer; it is woken only by the record that takes the ring over its mark. Waking
 * for each record costs the traced program microseconds.
 */
static __always_inline __u64 ring_wake(__u64 used, __u64 len)
{
	return used < wake_bytes && used + len >= wake_bytes ? BPF_RB_FORCE_WAKEUP
							     : BPF_RB_NO_WAKEUP;
}

static __always_inline __u64 ring_used(void)
{
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
}

static __always_inline long ring_put(void *rec, __u64 len)
{
	return bpf_ringbuf_output(&ring, rec, len, ring_wake(ring_used(), len));
}

/* Room in the ring for a record of constant size, to be written in place: it takes nothing of the stack. */
static __always_inline void *ring_reserve(__u64 len)
{
	return bpf_ringbuf_reserve(&ring, len, 0);
}

/* The record counts as used since it was reserved, with the ring's own header. */
static __always_inline void ring_submit(void *rec, __u64 len)
{
	bpf_ringbuf_submit(rec, ring_wake(ring_used() - len - BPF_RINGBUF_HDR_SZ, len));
}

/* User space has to act on it, and soon: there may be a process to look at before it is gone. */
static __always_inline void urgent_put(struct proc_state *p, void *rec, __u64 len)
{
	if (bpf_ringbuf_output(&ring, rec, len, BPF_RB_FORCE_WAKEUP))
		ADD(p->n.lost_events, 1);
}

/* 0, or not: the ring was full, which is counted. */
static __always_inline long event_put(struct proc_state *p, void *rec, __u64 len)
{
	long err = ring_put(rec, len);

	if (err)
		ADD(p->n.lost_events, 1);
	return err;
}

static __always_inline void *event_reserve(struct proc_state *p, __u64 len)
{
	void *rec = ring_reserve(len);

	if (!rec)
		ADD(p->n.lost_events, 1);
	return rec;
}

static __always_inline void conn_key_fill(struct conn_key *k, const struct proc_state *p, __u64 ctx)
{
	k->ctx = ctx;
	k->epoch = p->epoch;
	k->tgid = bpf_get_current_pid_tgid() >> 32;
	k->pad = 0;
}

static __always_inline long conn_put_end(struct proc_state *p, const struct conn_key *k,
					 const struct conn_state *c)
{
	struct ev_conn_end *e = event_reserve(p, sizeof(*e));

	if (!e)
		return -1;
	hdr_fill(&e->hdr, EV_CONN_END, sizeof(*e), p->start_ns);
	e->conn = k->ctx;
	e->gen = c->at.gen;
	e->off[0] = c->at.off[0];
	e->off[1] = c->at.off[1];
	e->lost[0] = c->at.lost[0];
	e->lost[1] = c->at.lost[1];
	ring_submit(e, sizeof(*e));
	return 0;
}

static __always_inline void conn_renew(struct conn_state *c, __u32 flags)
{
	c->at.gen = NEXT_ID(gen);
	c->at.off[0] = c->at.off[1] = 0;
	c->at.lost[0] = c->at.lost[1] = 0;
	c->sock = c->sock_addr = 0;
	c->flags = flags;
}

/* The state of a context, made when it is new. NULL: the table is full. */
static APART struct conn_state *conn_get(struct proc_state *p, const struct conn_key *k)
{
	struct conn_state *c = bpf_map_lookup_elem(&conns, k);
	struct conn_state fresh = {};

	if (c) {
		if (c->flags & CONN_ENDED) {
			conn_put_end(p, k, c);
			conn_renew(c, 0);
		}
		return c;
	}
	fresh.at.gen = NEXT_ID(gen);
	/* Another thread may be first: then its state is the one. */
	bpf_map_update_elem(&conns, k, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&conns, k);
}

/*
 * Ends the generation of a context. Without room for the record the state stays, marked, so that its final
 * positions are told later: with the next use of the address or when user space clears up.
 */
static APART void conn_end(struct proc_state *p, const struct conn_key *k)
{
	struct conn_state *c = bpf_map_lookup_elem(&conns, k);

	if (!c)
		return;
	if (!(c->flags & CONN_ANNOUNCED) && !c->at.off[0] && !c->at.off[1]) {
		bpf_map_delete_elem(&conns, k); /* nothing was ever told of it */
		return;
	}
	if (conn_put_end(p, k, c))
		c->flags |= CONN_ENDED;
	else
		bpf_map_delete_elem(&conns, k);
}

/* A generation whose first byte will be seen. */
static __always_inline void conn_begin(struct proc_state *p, const struct conn_key *k)
{
	struct conn_state *c = conn_get(p, k);

	if (c)
		c->flags |= CONN_FROM_START;
}

#endif
