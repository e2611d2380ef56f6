/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a finished call to its records. Positions advance by what the call moved before anything can be
 * dropped; then each part is copied, told as a gap, or counted as lost.
 */
#ifndef TLSLENS_BPF_PAYLOAD_H
#define TLSLENS_BPF_PAYLOAD_H

#include "bpf/emit.h"

/* One call on its way into records. */
struct move {
	__u64 ctx, call, buf;
	__u64 total, done;
	__u64 off; /* of the call's first byte */
	__u64 ts_ns, start_ns, cgroup_id, sock;
	__u64 id; /* pid_tgid */
	__u32 part;
	__u16 flags; /* enum ev_data_flag of every part */
	__u8 lib, dir;
};

/*
 * The verifier must see a length bounded where it is used, as 64-bit register; clang 14 otherwise clamps one
 * copy of the variable and passes another ("R2 unbounded memory access").
 */
#define CLAMP(v, max) asm volatile("if %0 <= %1 goto +1\n\t%0 = %1" : "+r"(v) : "i"(max))

static __always_inline void data_fill(struct ev_data *d, const struct move *m,
				      const struct conn_state *c, __u32 want, __u32 got)
{
	d->hdr.ts_ns = m->ts_ns;
	d->hdr.start_ns = m->start_ns;
	d->hdr.cgroup_id = m->cgroup_id;
	d->hdr.tgid = m->id >> 32;
	d->hdr.tid = (__u32)m->id;
	d->hdr.type = EV_DATA;
	d->hdr.flags = m->flags;
	d->hdr.len = sizeof(*d) + got;
	d->conn = m->ctx;
	d->gen = c->gen;
	d->call = m->call;
	d->off = m->off + m->done;
	d->lost = c->lost[m->dir & 1];
	d->sock = m->sock;
	d->want = want;
	d->got = got;
	d->lib = m->lib;
	d->dir = m->dir;
	d->part = m->part;
	d->pad = 0;
}

static __always_inline void part_lost(const struct move *m, struct conn_state *c,
				      struct proc_state *p, enum ev_lost why, __u64 want)
{
	ADD(p->n.lost_bytes[why], want);
	ADD(c->lost[m->dir & 1], want);
}

/* Bytes that nobody copies: beyond the snap length, or never in a buffer. Returns how many. */
static __always_inline __u64 gap_put(struct move *m, struct conn_state *c, struct proc_state *p)
{
	__u64 want = m->total - m->done;
	struct ev_data d;

	if (want > GAP_PART_MAX_BYTES)
		want = GAP_PART_MAX_BYTES;
	data_fill(&d, m, c, want, 0);
	if (!(d.hdr.flags & EV_DATA_NOCOPY))
		d.hdr.flags |= EV_DATA_SNAP;
	if (ring_put(&d, sizeof(d)))
		part_lost(m, c, p, EV_LOST_RING, want);
	else
		ADD(p->n.lost_bytes[d.hdr.flags & EV_DATA_NOCOPY ? EV_LOST_NOCOPY : EV_LOST_SNAP],
		    want);
	return want;
}

/*
 * A scratch buffer of this CPU. On preemptible kernels another task's program may run on this CPU in the
 * middle of the copy, so a buffer has an owner; NULL: all are owned.
 */
static __always_inline struct scratch *scratch_take(void)
{
	__u32 i = bpf_get_smp_processor_id() * SCRATCH_SLOTS;
	struct scratch *s;

	for (int k = 0; k < SCRATCH_SLOTS; k++, i++) {
		s = bpf_map_lookup_elem(&scratch, &i);
		if (s && __sync_val_compare_and_swap(&s->busy, 0, 1) == 0)
			return s;
	}
	return NULL;
}

static __always_inline void scratch_give(struct scratch *s)
{
	__sync_lock_test_and_set(&s->busy, 0);
}

/* Page by page, after the whole failed: returns how many bytes before the unreadable page were copied. */
static __always_inline __u64 copy_prefix(char *to, __u64 from, __u64 want)
{
	__u64 got = 0;

	for (__u32 k = 0; k <= EV_PART_MAX_BYTES / FAULT_PAGE_BYTES; k++) {
		__u64 n = FAULT_PAGE_BYTES - ((from + got) & (FAULT_PAGE_BYTES - 1));

		if (got >= want)
			break;
		if (n > want - got)
			n = want - got;
		CLAMP(got, EV_PART_MAX_BYTES);
		CLAMP(n, FAULT_PAGE_BYTES);
		if (bpf_probe_read_user(to + got, n, (const void *)(from + got)))
			break;
		got += n;
	}
	return got;
}

/* The next part in a record as long as its payload. Returns how many bytes of the call it stands for. */
static __always_inline __u64 part_put(struct move *m, struct conn_state *c, struct proc_state *p,
				      __u64 want)
{
	struct scratch *s = scratch_take();
	__u64 from = m->buf + m->done, n = want, got, len;
	struct ev_data *d;
	char *payload;

	if (!s) {
		part_lost(m, c, p, EV_LOST_BUSY, want);
		return want;
	}
	d = (struct ev_data *)s->rec;
	payload = s->rec + sizeof(*d);
	CLAMP(n, EV_PART_MAX_BYTES);
	if (!bpf_probe_read_user(payload, n, (const void *)from))
		got = want;
	else
		got = copy_prefix(payload, from, want);
	data_fill(d, m, c, want, got);
	if (got < want)
		d->hdr.flags |= EV_DATA_FAULT;
	len = sizeof(*d) + got;
	CLAMP(len, sizeof(*d) + EV_PART_MAX_BYTES);
	if (ring_put(d, len)) {
		part_lost(m, c, p, EV_LOST_RING, want);
	} else {
		ADD(p->n.captured_bytes[m->dir & 1], got);
		if (got < want)
			ADD(p->n.lost_bytes[EV_LOST_FAULT], want - got);
	}
	scratch_give(s);
	return want;
}

/*
 * One record of a call; 0 when there is none left. A function of its own for the verifier, not inlined:
 * the loop over the parts is then checked without walking the copy for each round.
 */
__noinline __weak int move_step(struct move *m, struct conn_state *c, struct proc_state *p)
{
	__u64 want;

	if (!m || !c || !p || m->done >= m->total)
		return 0;
	if (m->done >= snap_bytes || (m->flags & EV_DATA_NOCOPY)) {
		m->done += gap_put(m, c, p);
	} else {
		want = m->total - m->done;
		if (want > snap_bytes - m->done)
			want = snap_bytes - m->done;
		if (want > EV_PART_MAX_BYTES)
			want = EV_PART_MAX_BYTES;
		m->done += part_put(m, c, p, want);
	}
	m->part++;
	return m->done < m->total;
}

#endif
