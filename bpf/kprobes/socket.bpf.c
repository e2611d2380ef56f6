/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets as tracepoints show them. sock_send_length and sock_recv_length (6.3) fire when a call is done, on its
 * thread, and cost other system calls nothing measurable; and the ends of sockets, for both backends.
 */
#include "bpf/kprobes/datagram.h"

char LICENSE[] SEC("license") = "GPL";

static APART void called(struct proc_state *p, struct sock_work *w, __s32 n)
{
	const struct user_call *u = &w->user;
	struct sock_call *x = &w->call;
	struct call_stack *s = calls_open(p, u->g, u->sp);
	bool udp;

	x->sp = u->sp;
	x->fd = u->arg[1];
	x->n = n > 0 && !(x->flags & MSG_MOVES_NOTHING) ? n : 0;
	udp = p->flags & PROC_PLAIN && is_udp(x->sk);
	if (udp && !is_vector_call(u->nr))
		vector_over();
	if (x->n || is_vector_call(u->nr))
		locate(p, x, u, n < 0);
	if (udp)
		datagram(x, u);
	if (x->n || s)
		sock_called(p, s, w);
}

/* Cheap first: most sends and receives of the machine are of processes that are not traced. */
static __always_inline int sock_length(struct bpf_raw_tracepoint_args *ctx, __u8 dir, __u32 flags)
{
	struct proc_state *p = proc_traced(bpf_get_current_pid_tgid() >> 32);
	const struct pt_regs *r;
	struct sock_work *sw;
	struct work *w;

	if (!p)
		return 0;
	r = (const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	if (!r)
		return 0;
	w = work_take();
	if (!w) {
		ADD(p->n.lost_events, 1);
		return 0;
	}
	sw = (struct sock_work *)w->room;
	user_call_read(&sw->user, r);
	sw->call =
		(struct sock_call){.sk = (struct sock *)ctx->args[0], .dir = dir, .flags = flags};
	called(p, sw, ctx->args[1]);
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

/* Notes whom a datagram came from; the end of the call follows at once. */
static __always_inline void sender_put(struct bpf_sock_addr *ctx, __u16 family, const __u32 *addr)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct proc_state *p = proc_traced(id >> 32);
	struct sender s = {.sk = (__u64)ctx->sk};

	if (!p || !(p->flags & PROC_PLAIN))
		return;
	s.peer.family = family;
	s.peer.port = __builtin_bswap16(ctx->user_port);
	__builtin_memcpy(s.peer.addr, addr, family == AF_INET ? 4 : 16);
	bpf_map_update_elem(&senders, &id, &s, BPF_ANY);
}

SEC("cgroup/recvmsg4")
int sock_sender4(struct bpf_sock_addr *ctx)
{
	__u32 addr = ctx->user_ip4;

	sender_put(ctx, AF_INET, &addr);
	return 1; /* the only value allowed */
}

SEC("cgroup/recvmsg6")
int sock_sender6(struct bpf_sock_addr *ctx)
{
	__u32 addr[] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};

	sender_put(ctx, AF_INET6, addr);
	return 1;
}

/* What is sent is there before it is, other than what is received: that is not looked at. */
static APART void sending(struct call_stack *s, const struct sock_call *x)
{
	struct frame *f = frame_innermost(s, x->sp - s->base);

	if (f && f->proof != PROOF_NONE && !(f->flags & FRAME_BELIEVED) && !x->nocopy)
		record_seen(f, x->at.base, x->at.len, x->n, true);
}

/* As sock_called(), of one that moved nothing yet. */
static APART void sock_calling(struct proc_state *p, struct call_stack *s, struct sock_call *x)
{
	struct frame *f = frame_innermost(s, x->sp - s->base);
	struct sock_state *k = f && f->ctx ? sock_get(p, x->sk, x->dir, 0) : NULL;

	if (!k || k->kind == SOCK_NOBODY || k->kind == SOCK_UDP)
		return;
	sock_want(k, x->sk);
	evidence(f, k, x->sk);
	sock_tell(p, k, x);
}

/*
 * Without those tracepoints: a call is seen when it begins. That is enough to know whose socket it is, and costs
 * every system call of the machine.
 */
static APART void calling(struct proc_state *p, struct sock_work *w)
{
	const struct user_call *u = &w->user;
	struct sock_call *x = &w->call;
	struct call_stack *s = calls_open(p, u->g, u->sp);
	struct sock_state *k;

	x->sp = u->sp;
	x->fd = u->arg[1];
	if (s)
		sock_calling(p, s, x);
	if (x->dir || (!s && !is_watched(p)))
		return;
	locate(p, x, u, false);
	x->n = x->at.len;
	if (s)
		sending(s, x);
	k = x->nocopy || !x->n ? NULL : sock_get(p, x->sk, 0, 0);
	if (!k || k->kind == SOCK_UDP || k->kind == SOCK_NOBODY)
		return;
	if (k->kind == SOCK_NEW && begins_tls(x))
		k->kind = SOCK_TLS;
	if (is_watched(p))
		sent(p, k, x);
}

SEC("raw_tp/sys_enter")
int sock_syscall(struct bpf_raw_tracepoint_args *ctx)
{
	struct proc_state *p = proc_traced(bpf_get_current_pid_tgid() >> 32);
	const struct pt_regs *r;
	struct sock_work *sw;
	struct sock *sk;
	struct work *w;

	if (!p)
		return 0;
	r = (const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	if (!r || (!is_send(REGS_SYSCALL(r)) && !is_receive(REGS_SYSCALL(r))))
		return 0;
	sk = sock_of_fd(REGS_ARG1(r));
	w = sk ? work_take() : NULL;
	if (!w)
		return 0;
	sw = (struct sock_work *)w->room;
	user_call_read(&sw->user, r);
	sw->call = (struct sock_call){.sk = sk, .dir = !is_send(sw->user.nr)};
	calling(p, sw);
	work_give(w);
	return 0;
}

/* A socket that connects begins anew, whatever it was before. */
SEC("raw_tp/inet_sock_set_state")
int sock_set_state(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = (struct sock *)ctx->args[0];
	__u64 key = (__u64)sk;
	struct sock_state *k;
	struct proc_state *p;

	if (ctx->args[2] != TCP_SYN_SENT)
		return 0;
	p = proc_traced(bpf_get_current_pid_tgid() >> 32);
	if (!p || !is_stream(sk))
		return 0;
	k = bpf_map_lookup_elem(&socks, &key);
	if (k)
		sock_put_close(k);
	sock_new(p, sk, 0, 0, true);
	return 0;
}

/*
 * The end of a TCP socket's life; its address may be another's from now on. Not when its state becomes "closed": what
 * was received before a reset is still read from it then. May run in a softirq.
 */
SEC("raw_tp/tcp_destroy_sock")
int sock_destroyed(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 key = ctx->args[0];
	struct sock_state *k = paused ? NULL : bpf_map_lookup_elem(&socks, &key);

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
