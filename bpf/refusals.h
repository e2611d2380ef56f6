/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets of which user space said that their bytes are of no use. */
#ifndef TLSLENS_BPF_REFUSALS_H
#define TLSLENS_BPF_REFUSALS_H

#include "bpf/maps.h"

/* Whether somebody said so, meanwhile or before, of the socket's own bytes; of all of them .judged tells. */
static __always_inline bool is_refused(struct sock_state *k)
{
	__u64 made = refusals_made;
	__u8 *why;

	if (k->refusals_seen == made)
		return k->refused;
	k->refusals_seen = made;
	why = bpf_map_lookup_elem(&refusals, &k->sock);
	if (!why)
		return k->refused;
	k->refused = 1;
	if (*why == REFUSED_ALL)
		k->judged = JUDGED_UNWANTED;
	bpf_map_delete_elem(&refusals, &k->sock);
	return true;
}

#endif
