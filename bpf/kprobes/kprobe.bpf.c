/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets as kprobes show them, on kernels without the tracepoints of socket.bpf.c, or where somebody asks for them:
 * the same body between the entry and the return of the functions that every way to send and receive comes to.
 * io_uring and splice are among them, for which tracepoints have no system call to look at.
 *
 * The kernel's own iterator says where the bytes are. It moves on during the call, so it is read at the entry.
 */
#include "bpf/kprobes/datagram.h"

char LICENSE[] SEC("license") = "GPL";

/* tcp_recvmsg() and its like had a `nonblock` before their flags until 5.19; set before load. */
const volatile __u32 recv_flags_arg = 4;

struct iov_iter {
	__u8 iter_type;
	__u64 iov_offset, count;
	const struct user_iovec *iov; /* __iov since 6.4 */
	void *ubuf;		      /* since 6.0 */
	unsigned long nr_segs;
} __attribute__((preserve_access_index));

struct iov_iter___new {
	const struct user_iovec *__iov;
} __attribute__((preserve_access_index));

enum iter_type {
	ITER_IOVEC_LOCAL, /* an enumeration needs a member; the kernel's are looked up by name */
};
enum iter_type___x {
	ITER_IOVEC,
	ITER_UBUF,
};

struct msghdr {
	void *msg_name;
	struct iov_iter msg_iter;
} __attribute__((preserve_access_index));

static __always_inline void iter_read(struct segments *at, bool *nocopy, const struct iov_iter *it)
{
	__u8 type = BPF_CORE_READ(it, iter_type);
	__u64 skip = BPF_CORE_READ(it, iov_offset);

	if (bpf_core_enum_value_exists(enum iter_type___x, ITER_UBUF) &&
	    type == bpf_core_enum_value(enum iter_type___x, ITER_UBUF)) {
		at->base = (__u64)BPF_CORE_READ(it, ubuf) + skip;
		at->len = BPF_CORE_READ(it, count);
		return;
	}
	if (type != bpf_core_enum_value(enum iter_type___x, ITER_IOVEC)) {
		*nocopy = true; /* pages of a file or a pipe, or the kernel's own memory */
		return;
	}
	if (bpf_core_field_exists(struct iov_iter___new, __iov))
		at->iov = (__u64)BPF_CORE_READ((const struct iov_iter___new *)it, __iov);
	else
		at->iov = (__u64)BPF_CORE_READ(it, iov);
	at->left = BPF_CORE_READ(it, nr_segs);
	at->in_kernel = 1;
	for (int k = 0; k < 4 && !at->len; k++)
		if (!segments_next(at))
			return;
	if (skip <= at->len)
		segments_skip(at, skip);
	else
		*nocopy = true;
}

static __always_inline int entered(struct sock *sk, const struct msghdr *msg, __u8 dir, __u32 flags)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct kernel_call c = {.sk = (__u64)sk, .msg = (__u64)msg, .dir = dir, .flags = flags};
	bool nocopy = !msg;

	if (!proc_traced(id >> 32) || !sk)
		return 0;
	if (msg)
		iter_read(&c.at, &nocopy, &msg->msg_iter);
	c.nocopy = nocopy;
	bpf_map_update_elem(&kernel_calls, &id, &c, BPF_ANY);
	return 0;
}

/*
 * The address that the call was given, or that was put there meanwhile; family 0 when there is none. Its length is
 * the caller's to set, which comes after us.
 */
static __always_inline void kernel_peer_read(struct ev_peer *p, const struct msghdr *msg)
{
	const char *name = BPF_CORE_READ(msg, msg_name);
	struct user_sockaddr a = {};

	if (!name || bpf_probe_read_kernel(&a, 8, name))
		return;
	if (a.family == AF_INET)
		__builtin_memcpy(p->addr, &a.v4, sizeof(a.v4));
	else if (a.family == AF_INET6 && !bpf_probe_read_kernel(a.v6, sizeof(a.v6), name + 8))
		__builtin_memcpy(p->addr, a.v6, sizeof(a.v6));
	else
		return;
	p->family = a.family;
	p->port = __builtin_bswap16(a.port);
}

static __always_inline void kernel_peer(struct sock_call *x, const struct msghdr *msg)
{
	if (x->dir && !is_unconnected(x->sk))
		return;
	kernel_peer_read(&x->peer, msg);
	if (x->peer.family && is_own_peer(x->sk, &x->peer))
		x->peer.family = 0;
}

static APART void returned(struct proc_state *p, struct sock_work *w, struct kernel_call *c,
			   __s32 ret)
{
	struct sock_call *x = &w->call;
	const struct pt_regs *r =
		(const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	struct call_stack *s;
	__u64 g = 0;

	x->sk = (struct sock *)c->sk;
	x->at = c->at;
	x->dir = c->dir;
	x->flags = c->flags;
	x->nocopy = c->nocopy;
	x->n = ret > 0 && !(c->flags & MSG_MOVES_NOTHING) ? ret : 0;
	if (r) {
		x->sp = REGS_SP(r);
		x->fd = REGS_ARG1(r);
		g = REGS_GO_G(r);
	}
	if (x->n && c->msg && is_udp(x->sk))
		kernel_peer(x, (const struct msghdr *)c->msg);
	s = calls_open(p, g, x->sp);
	if (x->n || s)
		sock_called(p, s, w);
}

SEC("kretprobe")
int k_returned(struct pt_regs *regs)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct proc_state *p = proc_traced(id >> 32);
	struct kernel_call *c = p ? bpf_map_lookup_elem(&kernel_calls, &id) : NULL;
	struct sock_work *sw;
	struct work *w;

	if (!c || !c->sk)
		return 0;
	w = work_take();
	if (!w) {
		ADD(p->n.lost_events, 1);
	} else {
		sw = (struct sock_work *)w->room;
		sw->call = (struct sock_call){};
		returned(p, sw, c, (__s32)REGS_RET(regs)); /* all of them return an int */
		work_give(w);
	}
	bpf_map_delete_elem(&kernel_calls, &id);
	return 0;
}

/* (struct sock *, struct msghdr *, size_t) */
SEC("kprobe")
int k_send(struct pt_regs *regs)
{
	return entered((struct sock *)REGS_ARG1(regs), (struct msghdr *)REGS_ARG2(regs), 0, 0);
}

/* (struct sock *, struct msghdr *, size_t, [int nonblock,] int flags, int *) */
SEC("kprobe")
int k_receive(struct pt_regs *regs)
{
	__u64 fourth = REGS_ARG4(regs), fifth = REGS_ARG5(regs);

	/* Else clang makes one load at a computed offset ("dereference of modified ctx ptr"). */
	asm volatile("" : "+r"(fourth), "+r"(fifth));
	return entered((struct sock *)REGS_ARG1(regs), (struct msghdr *)REGS_ARG2(regs), 1,
		       recv_flags_arg == 4 ? fourth : fifth);
}

/* (struct socket *, struct msghdr *, size_t) */
SEC("kprobe")
int k_socket_send(struct pt_regs *regs)
{
	struct socket *s = (struct socket *)REGS_ARG1(regs);

	return entered(BPF_CORE_READ(s, sk), (struct msghdr *)REGS_ARG2(regs), 0, 0);
}

/* (struct socket *, struct msghdr *, size_t, int flags) */
SEC("kprobe")
int k_socket_receive(struct pt_regs *regs)
{
	struct socket *s = (struct socket *)REGS_ARG1(regs);

	return entered(BPF_CORE_READ(s, sk), (struct msghdr *)REGS_ARG2(regs), 1, REGS_ARG4(regs));
}

/* tcp_sendpage(): sendfile, until 6.5. */
SEC("kprobe")
int k_page(struct pt_regs *regs)
{
	return entered((struct sock *)REGS_ARG1(regs), NULL, 0, 0);
}

/* (struct socket *, ...): bytes into a pipe. */
SEC("kprobe")
int k_splice(struct pt_regs *regs)
{
	struct socket *s = (struct socket *)REGS_ARG1(regs);

	return entered(BPF_CORE_READ(s, sk), NULL, 1, 0);
}
