/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Datagrams on sockets that are connected to nobody (a DNS server's): each has a peer of its own. To whom one is
 * sent the program says with the call. Whom one came from the kernel tells the program when the call is nearly
 * over, behind sock_recv_length, so such a call is looked at when it ends: raw_tp/sys_exit is attached by the
 * loader while there are such calls, and only then.
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
	return is_udp(sk) && !BPF_CORE_READ(sk, __sk_common.skc_dport);
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

/*
 * A datagram came in on such a socket: true when its record waits for the end of the call. Until the loader has
 * seen that there are some, they go out without their peers.
 */
static APART bool await_peer(const struct sock_call *x, const struct user_call *u)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct awaited a = {.sk = (__u64)x->sk, .nr = u->nr, .flags = x->flags};

	if (!peer_place(u, 0))
		return false;
	exit_needed_ns = bpf_ktime_get_ns();
	return exit_seen && bpf_map_update_elem(&awaited, &id, &a, BPF_ANY) == 0;
}

#endif
