/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One part of a call as a record: its bytes are copied, or counted as lost.
 */
#ifndef TLSLENS_BPF_PART_H
#define TLSLENS_BPF_PART_H

#include "bpf/emit.h"
#include "bpf/payload.h"

static __always_inline void data_fill(struct ev_data *d, const struct move *m,
				      const struct positions *c, __u32 want, __u32 got)
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

static __always_inline void part_lost(const struct move *m, struct positions *c,
				      struct proc_state *p, enum ev_lost why, __u64 want)
{
	ADD(p->n.lost_bytes[why], want);
	ADD(c->lost[m->dir & 1], want);
}

/*
 * What a record stands for when fewer bytes were found than wanted. Of a stream, the segment that could not be
 * read is given up, or all the rest when it is not known where the next one is; a datagram is one record.
 */
static __always_inline __u64 part_extent(struct move *m, __u64 want, __u64 got)
{
	struct segments *at = &m->at;
	__u64 rest = m->total - m->done;

	if (m->flags & EV_DATA_DGRAM)
		return rest;
	if (got == want || at->end == SEGMENTS_GO_ON)
		return got;
	if (at->len) {
		rest = at->len < want - got ? at->len : want - got;
		segments_skip(at, rest);
		at->end = SEGMENTS_GO_ON;
		return got + rest;
	}
	return rest;
}

/* Why a record has fewer bytes than it stands for. */
static __always_inline enum ev_lost part_short(const struct move *m, bool found_all)
{
	if (found_all)
		return EV_LOST_SNAP;
	return m->at.end == SEGMENTS_OVER || m->at.end == SEGMENTS_GO_ON ? EV_LOST_NOCOPY
									 : EV_LOST_FAULT;
}

static __always_inline __u16 short_flag(enum ev_lost why)
{
	return why == EV_LOST_SNAP    ? EV_DATA_SNAP
	       : why == EV_LOST_FAULT ? EV_DATA_FAULT
				      : EV_DATA_NOCOPY;
}

/*
 * The next part in a record as long as its payload. Returns how many bytes of the call it stands for: fewer
 * than wanted when these lie in very many pieces.
 */
static __always_inline __u64 part_put(struct move *m, struct positions *c, struct proc_state *p,
				      __u64 want)
{
	struct scratch *s = scratch_take();
	__u64 n = want, got, len, extent, head = sizeof(struct ev_data);
	enum ev_lost why = EV_LOST_FAULT;
	struct ev_data *d;

	if (!s) {
		part_lost(m, c, p, EV_LOST_BUSY, want);
		segments_pass(&m->at, want);
		return want;
	}
	d = (struct ev_data *)s->rec;
	if (m->flags & EV_DATA_PEER) {
		__builtin_memcpy(d->buf, &m->peer, sizeof(m->peer));
		head += sizeof(m->peer);
	}
	CLAMP(n, EV_PART_MAX_BYTES);
	CLAMP(head, SCRATCH_HEAD_BYTES);
	if (m->at.len >= n && !bpf_probe_read_user(s->rec + head, n, (const void *)m->at.base)) {
		got = n;
		segments_skip(&m->at, n);
	} else {
		got = (__u32)gather(s, &m->at, head, n);
	}
	if (got < want)
		why = part_short(m, false);
	extent = part_extent(m, want, got);
	if (got == want)
		why = part_short(m, true);
	if (!extent)
		goto out;
	data_fill(d, m, c, extent, got);
	len = head + got;
	CLAMP(len, SCRATCH_HEAD_BYTES + EV_PART_MAX_BYTES);
	d->hdr.len = len;
	if (got < extent)
		d->hdr.flags |= short_flag(why);
	if (ring_put(d, len)) {
		part_lost(m, c, p, EV_LOST_RING, extent);
	} else {
		ADD(p->n.captured_bytes[m->dir & 1], got);
		if (got < extent)
			ADD(p->n.lost_bytes[why], extent - got);
	}
out:
	scratch_give(s);
	return extent;
}

extern int bpf_probe_read_user_dynptr(const struct bpf_dynptr *to, __u32 off, __u32 size,
				      const void *from) __ksym __weak;

/*
 * The same without a scratch buffer between, from the process straight into the ring: for large parts in one
 * piece, where the kernel can (6.16). False: it was not done; a page that cannot be read is left to the other way.
 */
static __always_inline bool part_put_direct(struct move *m, struct positions *c,
					    struct proc_state *p, __u64 want)
{
	__u64 len = sizeof(struct ev_data) + want, wake = ring_wake(ring_used(), len);
	const void *from = (const void *)m->at.base;
	struct bpf_dynptr to;
	struct ev_data *d;

	if (m->at.len < want || m->flags & EV_DATA_PEER)
		return false;
	/* A reservation that failed must be discarded, too; the verifier insists. */
	if (bpf_ringbuf_reserve_dynptr(&ring, len, 0, &to)) {
		bpf_ringbuf_discard_dynptr(&to, 0);
		part_lost(m, c, p, EV_LOST_RING, want);
		segments_skip(&m->at, want);
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
	segments_skip(&m->at, want);
	return true;
}

#endif
