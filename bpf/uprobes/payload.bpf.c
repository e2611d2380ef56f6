/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a finished call to its records. Positions advance by what the call moved before anything can be
 * dropped; then each part is copied, told as a gap, or counted as lost.
 */
#include "bpf/uprobes/part.h"

char LICENSE[] SEC("license") = "GPL";

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

int move_step(struct move *m, struct conn_state *c, struct proc_state *p)
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
			part_put(m, c, p, want);
		m->done += want;
	}
	m->part++;
	return m->done < m->total;
}
