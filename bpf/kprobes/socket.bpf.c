/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets as tracepoints show them. sock_send_length and sock_recv_length (6.3) fire when a call is done, on its
 * thread, and cost other system calls nothing measurable; and the ends of sockets, for both backends.
 */
#include "bpf/kprobes/datagram.h"

char LICENSE[] SEC("license") = "GPL";

static APART void called(struct proc_state *p, struct sock_work *w, const struct user_call *u,
			 __s32 n)
{
	struct sock_call *x = &w->call;
	struct call_stack *s = calls_open(p, u->g, u->sp);

	x->sp = u->sp;
	x->fd = u->arg[1];
	x->n = n > 0 && !(x->flags & MSG_MOVES_NOTHING) ? n : 0;
	if (x->n && p->flags & PROC_PLAIN && is_unconnected(x->sk)) {
		if (x->dir && await_peer(x, u))
			return;
		if (!x->dir && !is_vector_call(u->nr))
			peer_read(&x->peer, peer_place(u, 0));
	}
	if (!is_vector_call(u->nr) && p->flags & PROC_PLAIN && is_udp(x->sk))
		vector_over();
	if (x->n || is_vector_call(u->nr))
		locate(p, x, u, n < 0);
	if (x->n && !x->dir && u->nr == SYS_SENDMMSG && x->message != VECTOR_UNKNOWN &&
	    p->flags & PROC_PLAIN && is_unconnected(x->sk))
		peer_read(&x->peer, peer_place(u, x->message));
	if (x->n || s)
		sock_called(p, s, w);
}

/* Cheap first: most sends and receives of the machine are of processes that are not traced. */
static __always_inline int sock_length(struct bpf_raw_tracepoint_args *ctx, __u8 dir, __u32 flags)
{
	struct proc_state *p = proc_traced(bpf_get_current_pid_tgid() >> 32);
	const struct pt_regs *r;
	struct sock_work *sw;
	struct user_call u;
	struct work *w;

	if (!p)
		return 0;
	r = (const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	if (!r)
		return 0;
	user_call_read(&u, r);
	w = work_take();
	if (!w) {
		ADD(p->n.lost_events, 1);
		return 0;
	}
	sw = (struct sock_work *)w->room;
	sw->call =
		(struct sock_call){.sk = (struct sock *)ctx->args[0], .dir = dir, .flags = flags};
	called(p, sw, &u, ctx->args[1]);
	work_give(w);
	return 0;
}

SEC("raw_tp/sock_send_length")
int sock_sent(struct bpf_raw_tracepoint_args *ctx)
{
	return sock_length(ctx, 0, 0);
}

SEC("raw_tp/sock_recv_length")
int sock_received(struct bpf_raw_tracepoint_args *ctx)
{
	return sock_length(ctx, 1, ctx->args[2]);
}

/* One datagram of a call that has ended. */
static APART void datagram_put(struct proc_state *p, struct sock_work *w, const struct user_call *u,
			       __u32 i, __u64 n)
{
	struct sock_call *x = &w->call;

	peer_read(&x->peer, peer_place(u, i));
	x->at = (struct segments){};
	x->n = n;
	x->nocopy = 0;
	place(x, u, i);
	sock_called(p, NULL, w);
}

struct datagrams {
	struct proc_state *p;
	struct sock_work *w;
	const struct user_call *u;
};

static long datagram_next(__u32 i, struct datagrams *d)
{
	__u32 n = 0;

	if (bpf_probe_read_user(
		    &n, sizeof(n),
		    (const void *)(d->u->arg[2] + (__u64)i * MMSGHDR_BYTES + MMSGHDR_LEN)))
		return 1;
	datagram_put(d->p, d->w, d->u, i, n);
	return 0;
}

/* Attached only while there are datagrams whose peer is not known before: every system call pays for it. */
SEC("raw_tp/sys_exit")
int sock_exit(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct proc_state *p = proc_traced(id >> 32);
	struct awaited *a = p ? bpf_map_lookup_elem(&awaited, &id) : NULL;
	__s64 ret = ctx->args[1];
	struct datagrams d;
	struct user_call u;
	struct pt_regs r;
	struct work *w;

	if (!a)
		return 0;
	if (bpf_probe_read_kernel(&r, sizeof(r), (const void *)ctx->args[0]))
		goto out;
	user_call_read(&u, &r);
	w = a->nr == u.nr && ret > 0 ? work_take() : NULL;
	if (!w)
		goto out;
	d.p = p;
	d.w = (struct sock_work *)w->room;
	d.u = &u;
	d.w->call = (struct sock_call){.sk = (struct sock *)a->sk,
				       .dir = 1,
				       .fd = u.arg[1],
				       .sp = u.sp,
				       .flags = a->flags};
	if (u.nr == SYS_RECVMMSG)
		bpf_loop(ret > DATAGRAMS_MAX ? DATAGRAMS_MAX : ret, datagram_next, &d, 0);
	else
		datagram_put(p, d.w, &u, 0, ret);
	work_give(w);
out:
	bpf_map_delete_elem(&awaited, &id);
	return 0;
}

/* What is sent is there before it is, other than what is received: that is not looked at. */
static APART void sending(struct call_stack *s, const struct sock_call *x)
{
	struct frame *f = frame_innermost(s, x->sp - s->base);

	if (f && f->proof != PROOF_NONE && !(f->flags & FRAME_BELIEVED) && !x->nocopy)
		record_seen(f, x->at.base, x->at.len, x->n, true);
}

/*
 * Without those tracepoints: a call is seen when it begins. That is enough to know whose socket it is, and costs
 * every system call of the machine.
 */
static APART void calling(struct proc_state *p, struct sock_work *w, const struct user_call *u)
{
	struct sock_call *x = &w->call;
	struct call_stack *s = calls_open(p, u->g, u->sp);
	struct sock_state *k;

	x->sp = u->sp;
	x->fd = u->arg[1];
	if (s)
		sock_called(p, s, w);
	if (x->dir || (!s && !is_watched(p)))
		return;
	locate(p, x, u, false);
	x->n = x->at.len;
	if (s)
		sending(s, x);
	if (!is_watched(p))
		return;
	k = x->nocopy || !x->n ? NULL : sock_get(p, x->sk, 0, 0);
	if (k && k->kind != SOCK_UDP && k->kind != SOCK_NOBODY)
		sent(p, k, x);
}

SEC("raw_tp/sys_enter")
int sock_syscall(struct bpf_raw_tracepoint_args *ctx)
{
	struct proc_state *p = proc_traced(bpf_get_current_pid_tgid() >> 32);
	struct sock_work *sw;
	struct user_call u;
	struct pt_regs r;
	struct sock *sk;
	struct work *w;

	if (!p || bpf_probe_read_kernel(&r, sizeof(r), (const void *)ctx->args[0]))
		return 0;
	user_call_read(&u, &r);
	if (!is_send(u.nr) && !is_receive(u.nr))
		return 0;
	sk = sock_of_fd(u.arg[1]);
	w = sk ? work_take() : NULL;
	if (!w)
		return 0;
	sw = (struct sock_work *)w->room;
	sw->call = (struct sock_call){.sk = sk, .dir = !is_send(u.nr)};
	calling(p, sw, &u);
	work_give(w);
	return 0;
}

/* The end of a socket's life, and the beginning of one that connects. May run in a softirq. */
SEC("raw_tp/inet_sock_set_state")
int sock_set_state(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = (struct sock *)ctx->args[0];
	__u64 key = (__u64)sk;
	struct sock_state *k;
	struct proc_state *p;

	if (ctx->args[2] == TCP_SYN_SENT) {
		p = proc_traced(bpf_get_current_pid_tgid() >> 32);
		if (p && is_stream(sk))
			sock_new(p, sk, 0, 0, true);
		return 0;
	}
	if (ctx->args[2] != TCP_CLOSE || paused)
		return 0;
	k = bpf_map_lookup_elem(&socks, &key);
	if (!k)
		return 0;
	sock_put_close(k);
	bpf_map_delete_elem(&socks, &key);
	return 0;
}

struct bpf_map;

/*
 * Sockets other than TCP close without a tracepoint: those that are gone. At the end of the run, the final
 * positions of all others, which live on.
 */
static long sweep_one(struct bpf_map *map, __u64 *key, struct sock_state *k, const bool *all)
{
	if (!k->tcp && sock_ino((const struct sock *)*key) != k->ino)
		sock_put_close(k);
	else if (*all)
		sock_put_end(k);
	else
		return 0;
	bpf_map_delete_elem(map, key);
	return 0;
}

SEC("syscall")
int sock_sweep(void *ctx)
{
	bool all = paused;

	bpf_for_each_map_elem(&socks, sweep_one, &all, 0);
	return 0;
}
