/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One part of a call as a record: its bytes are copied, or counted as lost.
 */
#ifndef TLSLENS_BPF_PART_H
#define TLSLENS_BPF_PART_H

#include "bpf/scratch.h"
#include "bpf/uprobes/payload.h"

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

/* The next part in a record as long as its payload. */
static __always_inline void part_put(struct move *m, struct conn_state *c, struct proc_state *p,
				     __u64 want)
{
	struct scratch *s = scratch_take();
	__u64 from = m->buf + m->done, n = want, got, len;
	struct ev_data *d;
	char *payload;

	if (!s) {
		part_lost(m, c, p, EV_LOST_BUSY, want);
		return;
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
}

extern int bpf_probe_read_user_dynptr(const struct bpf_dynptr *to, __u32 off, __u32 size,
				      const void *from) __ksym __weak;

/*
 * The same without a scratch buffer between, from the process straight into the ring: for large parts, where
 * the kernel can (6.16). False: it was not done; a page that cannot be read is left to the other way.
 */
static __always_inline bool part_put_direct(struct move *m, struct conn_state *c,
					    struct proc_state *p, __u64 want)
{
	__u64 len = sizeof(struct ev_data) + want, wake = ring_wake(len);
	const void *from = (const void *)(m->buf + m->done);
	struct bpf_dynptr to;
	struct ev_data *d;

	/* A reservation that failed must be discarded, too; the verifier insists. */
	if (bpf_ringbuf_reserve_dynptr(&ring, len, 0, &to)) {
		bpf_ringbuf_discard_dynptr(&to, 0);
		part_lost(m, c, p, EV_LOST_RING, want);
		return true;
	}
	d = bpf_dynptr_data(&to, 0, sizeof(*d));
	if (!d || bpf_probe_read_user_dynptr(&to, sizeof(*d), want, from)) {
		bpf_ringbuf_discard_dynptr(&to, BPF_RB_NO_WAKEUP);
		return false;
	}
	data_fill(d, m, c, want, want);
	bpf_ringbuf_submit_dynptr(&to, wake);
	ADD(p->n.captured_bytes[m->dir & 1], want);
	return true;
}

#endif
