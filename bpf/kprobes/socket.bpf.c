/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket of a TLS context: a stream socket that is used inside of a TLS call, on the same thread or by the
 * same goroutine, is the one when it is the only one; what follows from that is drawn at the call's return. Sockets
 * get an id that lives as long as they do, for their addresses are reused.
 *
 * sock_send_length and sock_recv_length (6.3) cost other system calls nothing measurable. Before them it is
 * sys_enter, which costs every system call of the machine: the loader chooses.
 */
#include "bpf/cipher.h"
#include "bpf/cookie.h"
#include "bpf/emit.h"
#include "bpf/frame.h"
#include "bpf/goroutine.h"

char LICENSE[] SEC("license") = "GPL";

/* TCP, or any other stream below TLS. */
static __always_inline bool is_stream(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return BPF_CORE_READ(sk, sk_type) == SOCK_STREAM &&
	       (family == AF_INET || family == AF_INET6 || family == AF_UNIX);
}

/* The entry of a socket, made when it is new or when the address is another socket's by now. */
static __always_inline struct sock_state *sock_get(struct proc_state *p, struct sock *sk,
						   __u8 connected)
{
	__u64 key = (__u64)sk, ino = BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
	struct sock_state *k = bpf_map_lookup_elem(&socks, &key);
	struct sock_state fresh = {};

	if (k && (!k->ino || k->ino == ino)) {
		k->ino = ino;
		return k;
	}
	fresh.sock = NEXT_ID(sock);
	fresh.ino = ino;
	fresh.start_ns = p->start_ns;
	fresh.tgid = bpf_get_current_pid_tgid() >> 32;
	fresh.connected = connected;
	fresh.tcp = BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
	bpf_map_update_elem(&socks, &key, &fresh, BPF_ANY);
	return bpf_map_lookup_elem(&socks, &key);
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
static __always_inline void announce(struct proc_state *p, struct sock_state *k, struct sock *sk,
				     __u64 fd)
{
	struct ev_sock e = {};

	hdr_fill(&e.hdr, EV_SOCK, sizeof(e), p->start_ns);
	e.sock = k->sock;
	/* The first argument of the system call is the file of this socket, or it is something else. */
	e.fd = sock_of_fd(fd) == sk ? (__s32)fd : -1;
	e.accepted = k->connected ? 2 : 0;
	addresses_fill(&e, sk);
	if (!event_put(p, &e, sizeof(e)))
		k->announced = 1;
}

/*
 * A socket call within the TLS calls `s`. `sp` and `fd` are those of the system call. What it
 * proves is known when the TLS call returns: another socket may be used within the same one. Nearly all
 * confirm what is known, so the table is asked before the socket is looked into.
 */
static __always_inline void evidence(struct call_stack *s, struct sock *sk, __u64 sp, __u64 fd)
{
	struct proc_state *p = proc_traced(bpf_get_current_pid_tgid() >> 32);
	struct frame *f = frame_innermost(s, sp - s->base);
	__u64 addr = (__u64)sk;
	struct sock_state *k;

	if (!p || !f || !f->ctx)
		return;
	k = bpf_map_lookup_elem(&socks, &addr);
	if (!k || !k->tcp) {
		if (!is_stream(sk))
			return;
		k = sock_get(p, sk, 0);
	}
	if (!k)
		return;
	if (f->proof != PROOF_NONE && f->sock != k->sock) {
		f->proof = PROOF_AMBIGUOUS;
		return;
	}
	f->sock = k->sock;
	f->sock_addr = addr;
	if (f->proof == PROOF_NONE)
		f->proof = PROOF_SOLE;
	if (!k->announced)
		announce(p, k, sk, fd);
}

/* Cheap first: most sends and receives of the machine are of threads without a TLS call. */
static __always_inline struct call_stack *calls_open(void)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call_stack *s = bpf_map_lookup_elem(&calls, &id);

	return s && s->depth ? s : NULL;
}

/* The calls of the goroutine that made a system call: Go's own code for that keeps its register. */
static __always_inline struct call_stack *goroutine_calls_open(__u64 addr, __u64 sp)
{
	struct proc_state *p = proc_traced(bpf_get_current_pid_tgid() >> 32);
	struct call_stack *s;
	struct goroutine g;
	struct conn_key k;

	if (!p)
		return NULL;
	conn_key_fill(&k, p, addr);
	s = bpf_map_lookup_elem(&go_calls, &k);
	if (!s || !s->depth || !goroutine_read(&g, addr, sp))
		return NULL;
	s->base = g.hi;
	return s;
}

/* The process, when a context of it needs its socket found; for all others sends cost one lookup. */
static __always_inline struct proc_state *proc_watched(void)
{
	struct proc_state *p = proc_traced(bpf_get_current_pid_tgid() >> 32);

	return p && p->watch_until_ns && bpf_ktime_get_ns() < p->watch_until_ns ? p : NULL;
}

/* Tells user space how a send begins, when that is a record. */
static __always_inline void sent(struct proc_state *p, struct sock *sk, const struct pt_regs *r)
{
	struct user_iovec v = sent_bytes(r);
	union {
		__u8 rec[sizeof(struct ev_sock_io) + EV_CIPHER_BYTES];
		struct ev_sock_io io;
	} e = {};
	struct sock_state *k;

	if (!is_stream(sk) || cipher_read(e.io.buf, v.base, v.len))
		return;
	k = sock_get(p, sk, 0);
	if (!k)
		return;
	if (!k->announced)
		announce(p, k, sk, REGS_ARG1(r));
	hdr_fill(&e.io.hdr, EV_SOCK_IO, sizeof(e), p->start_ns);
	e.io.sock = k->sock;
	e.io.want = v.len;
	e.io.got = EV_CIPHER_BYTES;
	event_put(p, &e, sizeof(e));
}

static __always_inline int sock_length(struct bpf_raw_tracepoint_args *ctx, struct proc_state *p)
{
	struct call_stack *s = calls_open();
	const struct pt_regs *r;

	if (!s && !p && !go_seen)
		return 0;
	r = (const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	if (!r)
		return 0;
	if (!s && go_seen)
		s = goroutine_calls_open(REGS_GO_G(r), REGS_SP(r));
	if (s)
		evidence(s, (struct sock *)ctx->args[0], REGS_SP(r), REGS_ARG1(r));
	if (p && (__s32)ctx->args[1] > 0)
		sent(p, (struct sock *)ctx->args[0], r);
	return 0;
}

SEC("raw_tp/sock_send_length")
int sock_sent(struct bpf_raw_tracepoint_args *ctx)
{
	return sock_length(ctx, proc_watched());
}

SEC("raw_tp/sock_recv_length")
int sock_received(struct bpf_raw_tracepoint_args *ctx)
{
	return sock_length(ctx, NULL);
}

SEC("raw_tp/sys_enter")
int sock_syscall(struct bpf_raw_tracepoint_args *ctx)
{
	struct call_stack *s = calls_open();
	struct proc_state *p = proc_watched();
	struct pt_regs r;
	struct sock *sk;

	if (!s && !p && !go_seen)
		return 0;
	switch (ctx->args[1]) {
	case SYS_READ:
	case SYS_WRITE:
	case SYS_READV:
	case SYS_WRITEV:
	case SYS_SENDTO:
	case SYS_RECVFROM:
	case SYS_SENDMSG:
	case SYS_RECVMSG:
		break;
	default:
		return 0;
	}
	if (bpf_probe_read_kernel(&r, sizeof(r), (const void *)ctx->args[0]))
		return 0;
	if (!s && go_seen)
		s = goroutine_calls_open(REGS_GO_G(&r), REGS_SP(&r));
	sk = s || p ? sock_of_fd(REGS_ARG1(&r)) : NULL;
	if (sk && s)
		evidence(s, sk, REGS_SP(&r), REGS_ARG1(&r));
	if (sk && p)
		sent(p, sk, &r);
	return 0;
}

/* The end of a socket's life, and the beginning of one that connects. May run in a softirq. */
SEC("raw_tp/inet_sock_set_state")
int sock_set_state(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 key = ctx->args[0];
	struct sock_state *k;
	struct ev_sock_close e = {};
	struct proc_state *p;

	if (ctx->args[2] == TCP_SYN_SENT) {
		p = proc_traced(bpf_get_current_pid_tgid() >> 32);
		if (p && is_stream((struct sock *)key))
			sock_get(p, (struct sock *)key, 1);
		return 0;
	}
	if (ctx->args[2] != TCP_CLOSE || paused)
		return 0;
	k = bpf_map_lookup_elem(&socks, &key);
	if (!k)
		return 0;
	if (k->announced) {
		hdr_fill(&e.hdr, EV_SOCK_CLOSE, sizeof(e), k->start_ns);
		e.hdr.tgid = e.hdr.tid = k->tgid;
		e.hdr.cgroup_id = 0; /* of whoever runs now */
		e.sock = k->sock;
		p = bpf_map_lookup_elem(&procs, &k->tgid);
		if (ring_put(&e, sizeof(e)) && p)
			ADD(p->n.lost_events, 1);
	}
	bpf_map_delete_elem(&socks, &key);
	return 0;
}
