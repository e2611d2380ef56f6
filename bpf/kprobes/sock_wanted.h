/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams whose ends are not what was asked for: of them nothing is copied. Asked once for each, when bytes move on
 * it and its ends are known. Datagrams are exempt: answers of DNS name the peers of all else.
 */
#ifndef TLSLENS_BPF_SOCK_WANTED_H
#define TLSLENS_BPF_SOCK_WANTED_H

#include "bpf/kprobes/sock_table.h"

struct stream_ends {
	__u16 port[2]; /* local, peer: as enum end_bit */
	__u64 address[2][2];
};

static __always_inline void end_take(__u64 to[2], const __u8 *address, bool v4)
{
	if (!v4) {
		__builtin_memcpy(to, address, 2 * sizeof(__u64));
		return;
	}
	to[0] = 0;
	__builtin_memcpy(&to[1], "\0\0\xff\xff", 4);
	__builtin_memcpy((__u8 *)&to[1] + 4, address, 4);
}

static __always_inline bool range_holds(const volatile struct end_range *r,
					const struct stream_ends *ends)
{
	for (int i = 0; i < 2; i++) {
		if (!(r->ends & 1 << i))
			continue;
		if (r->by_address ? r->address[0] == ends->address[i][0] &&
					    r->address[1] == ends->address[i][1]
				  : ends->port[i] >= r->from && ends->port[i] <= r->to)
			return true;
	}
	return false;
}

static APART bool ends_fit(const struct stream_ends *ends)
{
	__u32 held = 0;

	for (__u32 i = 0; i < ENDS_RANGES_MAX && i < ends_wanted.ranges; i++)
		if (range_holds(&ends_wanted.v[i], ends))
			held |= 1u << (ends_wanted.v[i].clause & 31);
	return held + 1 == 1u << (ends_wanted.clauses & 31);
}

/* A stream of a family that has no ports can be no end's. */
static APART void sock_judge(struct sock_state *k, const struct sock *sk)
{
	struct stream_ends ends = {};
	struct ev_sock e = {};

	addresses_fill(&e, sk);
	if (e.family != AF_UNIX && !e.rport)
		return; /* not connected yet */
	ends.port[0] = e.lport;
	ends.port[1] = e.rport;
	end_take(ends.address[0], e.laddr, e.family == AF_INET);
	end_take(ends.address[1], e.raddr, e.family == AF_INET);
	k->judged = e.family != AF_UNIX && ends_fit(&ends) ? JUDGED_WANTED : JUDGED_UNWANTED;
}

static __always_inline void sock_want(struct sock_state *k, const struct sock *sk)
{
	if (ends_wanted.clauses && !k->judged && k->kind != SOCK_UDP)
		sock_judge(k, sk);
}

#endif
