/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of bpf/payload.h that all probes share and that is walked by the verifier once: functions of their
 * own, not inlined, so that loops around them are checked without walking the copy for each round.
 */
#include "bpf/part.h"

char LICENSE[] SEC("license") = "GPL";

/* One piece of what gather() gathers, `to` bytes into the record: at most a page. Its length, or -1 at the end. */
__noinline int gather_step(struct scratch *s, struct segments *at, __u32 to32, __u32 want)
{
	__u64 n, to = to32;

	if (!s || !at)
		return -1;
	if (!at->len)
		return segments_next(at) ? 0 : -1;
	n = FAULT_PAGE_BYTES - (at->base & (FAULT_PAGE_BYTES - 1));
	if (n > at->len)
		n = at->len;
	if (n > want)
		n = want;
	CLAMP(to, SCRATCH_HEAD_BYTES + EV_PART_MAX_BYTES);
	CLAMP(n, FAULT_PAGE_BYTES);
	if (bpf_probe_read_user(s->rec + to, n, (const void *)at->base)) {
		at->end = SEGMENTS_UNREADABLE;
		return -1;
	}
	segments_skip(at, n);
	return n;
}

__noinline int gather(struct scratch *s, struct segments *at, __u32 head, __u32 want)
{
	__u32 got = 0;
	int n;

	for (int k = 0; k < GATHER_STEPS && got < want; k++) {
		n = gather_step(s, at, head + got, want - got);
		if (n < 0)
			break;
		got += n;
	}
	return got;
}

/* Bytes that nobody copies: beyond the snap length, or never in a buffer. Returns how many. */
static __always_inline __u64 gap_put(struct move *m, struct positions *c, struct proc_state *p)
{
	__u64 want = m->total - m->done;
	bool nocopy = m->flags & EV_DATA_NOCOPY;
	struct ev_data *d;

	if (want > GAP_PART_MAX_BYTES)
		want = GAP_PART_MAX_BYTES;
	d = ring_reserve(sizeof(*d));
	if (!d) {
		part_lost(m, c, p, EV_LOST_RING, want);
		return want;
	}
	data_fill(d, m, c, want, 0);
	d->hdr.flags &= ~EV_DATA_PEER; /* there is none in this record */
	if (!nocopy)
		d->hdr.flags |= EV_DATA_SNAP;
	ring_submit(d, sizeof(*d));
	ADD(p->n.lost_bytes[nocopy ? EV_LOST_NOCOPY : EV_LOST_SNAP], want);
	return want;
}

__noinline int move_step(struct move *m, struct positions *c, struct proc_state *p)
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
		if (!dynptr_copy || want < DIRECT_MIN_BYTES || !part_put_direct(m, c, p, want))
			want = part_put(m, c, p, want);
		m->done += want;
	}
	m->part++;
	return m->done < m->total;
}
