/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a socket is, and how it came to be, by what the kernel knows of it.
 */
#ifndef TLSLENS_BPF_SOCK_KIND_H
#define TLSLENS_BPF_SOCK_KIND_H

#include "bpf/emit.h"

static __always_inline bool is_ip(__u16 family)
{
	return family == AF_INET || family == AF_INET6;
}

/* TCP, or any other stream below TLS. */
static __always_inline bool is_stream(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return BPF_CORE_READ(sk, sk_type) == SOCK_STREAM && (is_ip(family) || family == AF_UNIX);
}

static __always_inline __u8 kind_of(struct sock *sk)
{
	if (BPF_CORE_READ_BITFIELD_PROBED(sk, sk_kern_sock))
		return SOCK_NOBODY;
	if (is_stream(sk))
		return SOCK_NEW;
	return BPF_CORE_READ(sk, sk_type) == SOCK_DGRAM &&
			       BPF_CORE_READ(sk, sk_protocol) == IPPROTO_UDP &&
			       is_ip(BPF_CORE_READ(sk, __sk_common.skc_family))
		       ? SOCK_UDP
		       : SOCK_NOBODY;
}

/*
 * How many bytes the program has moved on a TCP socket since it was opened, this call included; false when it
 * cannot be told. A packet may come between two reads, so the edge must stand still. What was sent counts one
 * more on a socket that connected: its SYN is among what was acknowledged.
 */
static __always_inline bool tcp_moved(const struct sock *sk, __u32 dir, __u64 *n)
{
	const struct tcp_sock *t = (const struct tcp_sock *)sk;
	__u32 edge, at, again;
	__u64 total;

	for (int k = 0; k < 2; k++) {
		if (dir == 0) {
			edge = BPF_CORE_READ(t, snd_una);
			total = BPF_CORE_READ(t, bytes_acked);
			at = BPF_CORE_READ(t, write_seq);
			again = BPF_CORE_READ(t, snd_una);
			*n = total + (__u32)(at - edge);
		} else {
			edge = BPF_CORE_READ(t, rcv_nxt);
			total = BPF_CORE_READ(t, bytes_received);
			at = BPF_CORE_READ(t, copied_seq);
			again = BPF_CORE_READ(t, rcv_nxt);
			*n = total - (__u32)(edge - at);
			/* The FIN counts as a byte, and was read when nothing is left. */
			if (edge == at && BPF_CORE_READ(sk, sk_shutdown) & RCV_SHUTDOWN)
				*n -= 1;
		}
		if (edge == again)
			return true;
	}
	return false;
}

/*
 * A socket that nobody was seen to connect and that moved nothing before this call (of `n` bytes, in `dir`) was
 * accepted: one that had connected would have its SYN acknowledged.
 */
static __always_inline bool was_accepted(const struct sock *sk, __u32 dir, __u64 n)
{
	__u64 out, in;

	return tcp_moved(sk, 0, &out) && tcp_moved(sk, 1, &in) && out == (dir == 0 ? n : 0) &&
	       in == (dir == 1 ? n : 0);
}

/* Of a stream; datagrams begin anew with each. */
static __always_inline void sock_begin(struct sock_state *k, const struct sock *sk, __u32 dir,
				       __u64 n)
{
	__u64 moved;

	k->begun[dir & 1] = 1;
	if (k->opened)
		k->from_start[dir & 1] = 1;
	else if (k->tcp)
		k->from_start[dir & 1] = tcp_moved(sk, dir, &moved) && moved == n;
}

#endif
