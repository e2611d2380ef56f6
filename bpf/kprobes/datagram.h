/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Datagrams on sockets that are connected to nobody (a DNS server's): each has a peer of its own. To whom one is
 * sent the program says with the call. Whom one came from the kernel tells the programs of control groups on
 * received datagrams, before it tells the process and before the call is seen to be done, on the same thread.
 */
#ifndef TLSLENS_BPF_DATAGRAM_H
#define TLSLENS_BPF_DATAGRAM_H

#include "bpf/kprobes/user_call.h"

/* struct sockaddr_in and sockaddr_in6, as far as they are of use. */
struct user_sockaddr {
	__u16 family, port;
	__u32 v4; /* or sin6_flowinfo */
	__u8 v6[16];
};

static __always_inline bool is_udp(const struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_protocol) == IPPROTO_UDP;
}

static __always_inline bool is_unconnected(const struct sock *sk)
{
	return !BPF_CORE_READ(sk, __sk_common.skc_dport);
}

/* The peer, by its address in the memory of the process; family 0 when there is none that can be read. */
static __always_inline void peer_read(struct ev_peer *p, __u64 from)
{
	struct user_sockaddr a = {};

	__builtin_memset(p, 0, sizeof(*p));
	if (!from || bpf_probe_read_user(&a, 8, (const void *)from))
		return;
	if (a.family == AF_INET)
		__builtin_memcpy(p->addr, &a.v4, sizeof(a.v4));
	else if (a.family == AF_INET6 &&
		 !bpf_probe_read_user(a.v6, sizeof(a.v6), (const void *)(from + 8)))
		__builtin_memcpy(p->addr, a.v6, sizeof(a.v6));
	else
		return;
	p->family = a.family;
	p->port = __builtin_bswap16(a.port);
}

/* Where the address of a message is, or is to be put; 0: nowhere. Of a vector, that of message `i`. */
static __always_inline __u64 peer_place(const struct user_call *u, __u32 i)
{
	struct user_msghdr h;
	__u64 at = u->arg[2];

	switch (u->nr) {
	case SYS_SENDTO:
	case SYS_RECVFROM:
		return u->arg[5];
	case SYS_SENDMMSG:
	case SYS_RECVMMSG:
		at += (__u64)i * MMSGHDR_BYTES;
		break;
	case SYS_SENDMSG:
	case SYS_RECVMSG:
		break;
	default:
		return 0;
	}
	return bpf_probe_read_user(&h, sizeof(h), (const void *)at) || !h.name_len ? 0 : h.name;
}

static __always_inline bool is_own_peer(const struct sock *sk, const struct ev_peer *p)
{
	__u64 own[2] = {}, named[2];

	if (BPF_CORE_READ(sk, __sk_common.skc_family) != p->family ||
	    BPF_CORE_READ(sk, __sk_common.skc_dport) != __builtin_bswap16(p->port))
		return false;
	__builtin_memcpy(named, p->addr, sizeof(named));
	if (p->family == AF_INET)
		*(__u32 *)own = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	else
		BPF_CORE_READ_INTO(&own, sk, __sk_common.skc_v6_daddr);
	return own[0] == named[0] && own[1] == named[1]; /* memcmp() is a call */
}

/* To whom it was sent, when that is nobody whom the socket is connected to: udp(7) has it both ways. */
static __always_inline void receiver_read(struct sock_call *x, const struct user_call *u)
{
	if (x->nocopy || x->message == VECTOR_UNKNOWN)
		return;
	peer_read(&x->peer, peer_place(u, x->message));
	if (x->peer.family && is_own_peer(x->sk, &x->peer))
		x->peer.family = 0;
}

/*
 * Whom it came from. The kernel told it in this call if the process asks for it; should that not have been seen,
 * what was told before is of no use.
 */
static __always_inline void sender_take(struct sock_call *x, const struct user_call *u)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct sender *s = bpf_map_lookup_elem(&senders, &id);

	if (!s)
		return;
	if (s->sk == (__u64)x->sk && is_unconnected(x->sk) && x->message != VECTOR_UNKNOWN &&
	    peer_place(u, x->message))
		x->peer = s->peer;
	bpf_map_delete_elem(&senders, &id);
}

static APART void datagram(struct sock_call *x, const struct user_call *u)
{
	if (x->dir)
		sender_take(x, u);
	else if (x->n)
		receiver_read(x, u);
}

#endif
