/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets that traced processes use: their ids, which live as long as they do, for addresses are reused;
 * what user space was told of them.
 */
#ifndef TLSLENS_BPF_SOCK_TABLE_H
#define TLSLENS_BPF_SOCK_TABLE_H

#include "bpf/emit.h"
#include "bpf/kprobes/sock_kind.h"

/* For a process that is not the one that runs now. */
static __always_inline void owner_fill(struct ev_hdr *h, __u16 type, __u32 len,
				       const struct sock_state *k)
{
	hdr_fill(h, type, len, k->start_ns);
	h->tgid = h->tid = k->tgid;
	h->cgroup_id = 0;
}

/* The final positions of a socket whose bytes were told. */
static APART void sock_put_end(const struct sock_state *k)
{
	struct proc_state *p = bpf_map_lookup_elem(&procs, &k->tgid);
	struct ev_conn_end *e;

	if ((k->kind != SOCK_PLAIN && k->kind != SOCK_UDP) || (!k->at.off[0] && !k->at.off[1]))
		return;
	e = ring_reserve(sizeof(*e));
	if (!e) {
		if (p)
			ADD(p->n.lost_events, 1);
		return;
	}
	owner_fill(&e->hdr, EV_CONN_END, sizeof(*e), k);
	e->conn = e->gen = k->sock;
	for (int d = 0; d < 2; d++) {
		e->off[d] = k->at.off[d];
		e->lost[d] = k->at.lost[d];
	}
	ring_submit(e, sizeof(*e));
}

static APART void sock_put_close(const struct sock_state *k)
{
	struct proc_state *p = bpf_map_lookup_elem(&procs, &k->tgid);
	struct ev_sock_close *e;

	sock_put_end(k);
	if (!k->announced)
		return;
	e = ring_reserve(sizeof(*e));
	if (e) {
		owner_fill(&e->hdr, EV_SOCK_CLOSE, sizeof(*e), k);
		e->sock = k->sock;
		ring_submit(e, sizeof(*e));
	} else if (p) {
		ADD(p->n.lost_events, 1);
	}
}

static __always_inline __u64 sock_ino(const struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
}

/* A new entry, at the first call on it (`n` bytes in `dir`) or when it connects. */
static APART struct sock_state *sock_new(struct proc_state *p, struct sock *sk, __u32 dir, __u64 n,
					 bool connects)
{
	__u64 key = (__u64)sk;
	struct sock_state fresh = {};

	fresh.sock = NEXT_ID(sock);
	fresh.ino = sock_ino(sk);
	fresh.start_ns = p->start_ns;
	fresh.tgid = bpf_get_current_pid_tgid() >> 32;
	fresh.kind = kind_of(sk);
	fresh.tcp = BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
	if (connects)
		fresh.opened = 2;
	else if (fresh.tcp && was_accepted(sk, dir, n))
		fresh.opened = 1;
	bpf_map_update_elem(&socks, &key, &fresh, BPF_ANY);
	return bpf_map_lookup_elem(&socks, &key);
}

/* The entry of a socket, made when it is new or when the address is another socket's by now. */
static __always_inline struct sock_state *sock_get(struct proc_state *p, struct sock *sk, __u32 dir,
						   __u64 n)
{
	__u64 key = (__u64)sk, ino;
	struct sock_state *k = bpf_map_lookup_elem(&socks, &key);

	if (!k)
		return sock_new(p, sk, dir, n, false);
	if (k->tcp)
		return k;
	ino = sock_ino(sk);
	if (k->ino == ino)
		return k;
	sock_put_close(k);
	return sock_new(p, sk, dir, n, false);
}

static __always_inline void addresses_fill(struct ev_sock *e, const struct sock *sk)
{
	__u32 v4;

	e->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	e->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	e->type = BPF_CORE_READ(sk, sk_type);
	if (e->family == AF_UNIX)
		return;
	e->protocol = BPF_CORE_READ(sk, sk_protocol);
	e->lport = BPF_CORE_READ(sk, __sk_common.skc_num);
	if (!e->lport) /* given back: the connection was reset, what came before is still read */
		e->lport =
			__builtin_bswap16(BPF_CORE_READ((const struct inet_sock *)sk, inet_sport));
	e->rport = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (e->family == AF_INET) {
		v4 = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		__builtin_memcpy(e->laddr, &v4, sizeof(v4));
		v4 = BPF_CORE_READ(sk, __sk_common.skc_daddr);
		__builtin_memcpy(e->raddr, &v4, sizeof(v4));
	} else {
		BPF_CORE_READ_INTO(&e->laddr, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&e->raddr, sk, __sk_common.skc_v6_daddr);
	}
}

static __always_inline struct sock *sock_of_fd(__u32 fd)
{
	struct task_struct *t = (void *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(t, files, fdt);
	struct socket *s;
	struct file **files, *file = NULL;

	if (!table || fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	files = BPF_CORE_READ(table, fd);
	if (bpf_probe_read_kernel(&file, sizeof(file), files + fd) || !file)
		return NULL;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	s = BPF_CORE_READ(file, private_data);
	return s ? BPF_CORE_READ(s, sk) : NULL;
}

/* Tells user space of a socket; it counts as told only once the record found room. */
static APART void announce(struct proc_state *p, struct sock_state *k, struct sock *sk, __u64 fd)
{
	/* The first argument of the system call is the file of this socket, or it is something else. */
	bool its_file = sock_of_fd(fd) == sk;
	struct ev_sock *e = event_reserve(p, sizeof(*e));

	if (!e)
		return;
	__builtin_memset(e, 0, sizeof(*e));
	hdr_fill(&e->hdr, EV_SOCK, sizeof(*e), p->start_ns);
	e->hdr.flags = k->kind == SOCK_TLS ? EV_SOCK_TLS : 0;
	e->sock = k->sock;
	e->fd = its_file ? (__s32)fd : -1;
	e->accepted = k->opened;
	addresses_fill(e, sk);
	k->rport = e->rport;
	ring_submit(e, sizeof(*e));
	k->announced = 1;
}

#endif
