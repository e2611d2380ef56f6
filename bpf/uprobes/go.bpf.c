/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probes on Go's crypto/tls. A row describes its functions like any other's; what differs is the calling
 * convention (arguments and results in registers of Go's own) and whose calls they are: a goroutine may be on
 * another thread at the return, and its stack somewhere else. A return probe would change the return address,
 * which Go's own unwinding trips over, so returns are seen by probes on every `ret`.
 *
 * Several goroutines may use one context at once, and one of them may close it: a context ends with the last
 * call that is open on it.
 */
#include "bpf/goroutine.h"
#include "bpf/uprobes/call_end.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline void args_read(struct args *a, const struct pt_regs *regs)
{
	a->v[0] = a->v[7] = 0;
	a->v[1] = REGS_GO_ARG1(regs);
	a->v[2] = REGS_GO_ARG2(regs);
	a->v[3] = REGS_GO_ARG3(regs);
	a->v[4] = REGS_GO_ARG4(regs);
	a->v[5] = REGS_GO_ARG5(regs);
	a->v[6] = REGS_GO_ARG6(regs);
}

static __always_inline struct call_stack *calls_of_goroutine(const struct conn_key *k)
{
	struct call_stack *s = bpf_map_lookup_elem(&go_calls, k);

	if (s)
		return s;
	go_seen = 1;
	bpf_map_update_elem(&go_calls, k, &no_calls, BPF_NOEXIST);
	return bpf_map_lookup_elem(&go_calls, k);
}

static APART void conn_enter(struct proc_state *p, __u64 ctx)
{
	struct conn_state *c;
	struct conn_key k;

	conn_key_fill(&k, p, ctx);
	c = conn_get(p, &k);
	if (c)
		__sync_fetch_and_add(&c->open, 1);
}

static APART void conn_leave(struct proc_state *p, __u64 ctx)
{
	struct conn_state *c;
	struct conn_key k;

	conn_key_fill(&k, p, ctx);
	c = bpf_map_lookup_elem(&conns, &k);
	if (c && (c->open & ~CONN_CLOSING) &&
	    __sync_fetch_and_add(&c->open, -1) == (CONN_CLOSING | 1))
		conn_end(p, &k);
}

static APART void conn_close(struct proc_state *p, __u64 ctx)
{
	struct conn_state *c;
	struct conn_key k;

	conn_key_fill(&k, p, ctx);
	c = bpf_map_lookup_elem(&conns, &k);
	if (c && __sync_fetch_and_or(&c->open, CONN_CLOSING) == 0)
		conn_end(p, &k);
}

/* Its address may be that of one which nobody closed. Calls open now are the new one's, waiting for this. */
static APART void conn_anew(struct proc_state *p, __u64 ctx)
{
	struct conn_state *c;
	struct conn_key k;
	__u32 open = 0;

	conn_key_fill(&k, p, ctx);
	c = bpf_map_lookup_elem(&conns, &k);
	if (c)
		open = c->open & ~CONN_CLOSING;
	conn_end(p, &k);
	conn_begin(p, &k);
	c = bpf_map_lookup_elem(&conns, &k);
	if (c)
		c->open = open;
}

/* The handshake of a renegotiation begins nothing. */
static __always_inline bool is_within_handshake(const struct call_stack *s, const struct frame *f)
{
	for (__u32 k = 0; k < CALL_DEPTH && k < s->depth; k++)
		if (s->frame[k].ctx == f->ctx && s->frame[k].sp > f->sp &&
		    is_handshake(&s->frame[k]))
			return true;
	return false;
}

/* Calls that were left without a return: a panic, or the entry was passed twice as the stack had to grow. */
static __always_inline void frames_leave(struct proc_state *p, const struct call_stack *s,
					 __u32 from, __u32 to)
{
	for (__u32 k = 0; k < CALL_DEPTH; k++)
		if (k >= from && k < to)
			conn_leave(p, s->frame[k].ctx);
}

static APART int go_enter(const struct pt_regs *regs, __u64 cookie)
{
	struct proc_state *p = proc_traced(bpf_get_current_pid_tgid() >> 32);
	__u32 kind = COOKIE_KIND(cookie);
	struct call_stack *s;
	struct goroutine g;
	struct conn_key k;
	struct args a;
	struct frame f;
	int depth;

	if (!p)
		return 0;
	args_read(&a, regs);
	f.ctx = a.v[COOKIE_CTX(cookie) & 7];
	f.out = a.v[COOKIE_OUT(cookie) & 7];
	if (COOKIE_SHAPE(cookie) == LEN_RET_OF_DATA && (__u8)f.out != TLS_APPLICATION_DATA)
		return 0;
	if (kind == FN_FREE) {
		conn_close(p, f.ctx);
		return 0;
	}
	f.sp = REGS_SP(regs) + COOKIE_SP_BYTES(cookie);
	if (!goroutine_read(&g, REGS_GO_G(regs), f.sp))
		goto lost;
	f.ret = 0;
	bpf_probe_read_user(&f.ret, sizeof(f.ret), (const void *)f.sp);
	f.sp -= g.hi;
	f.buf = a.v[COOKIE_BUF(cookie) & 7];
	f.len = a.v[COOKIE_LEN(cookie) & 7];
	f.flags = FRAME_BELIEVED;
	f.cipher_bytes = 0;
	if (f.buf >= g.lo && f.buf < g.hi) {
		f.buf -= g.hi;
		f.flags |= FRAME_BUF_ON_STACK;
	}
	f.ts_ns = bpf_ktime_get_ns();
	f.cookie = cookie;
	f.sock = f.sock_addr = 0;
	f.proof = PROOF_NONE;

	conn_key_fill(&k, p, g.addr);
	s = calls_of_goroutine(&k);
	if (!s)
		goto lost;
	s->base = g.hi;
	if (kind == FN_BEGIN && !is_within_handshake(s, &f))
		conn_anew(p, f.ctx);
	depth = depth_around(s, &f);
	if (depth < 0)
		return 0;
	frames_leave(p, s, depth, s->depth);
	if (depth >= CALL_DEPTH)
		goto lost;
	s->frame[depth & (CALL_DEPTH - 1)] = f;
	s->depth = depth + 1;
	conn_enter(p, f.ctx);
	return 0;
lost:
	/* What the call will move is not known: a call is lost, not bytes. */
	ADD(p->n.lost_events, 1);
	return 0;
}

static APART int go_return(const struct pt_regs *regs, __u64 cookie)
{
	struct proc_state *p = proc_traced(bpf_get_current_pid_tgid() >> 32);
	struct call_stack *s;
	struct goroutine g;
	struct conn_key k;
	struct frame f;
	__u64 total;
	__u32 depth;

	if (!p || !goroutine_read(&g, REGS_GO_G(regs), REGS_SP(regs)))
		return 0;
	conn_key_fill(&k, p, g.addr);
	s = bpf_map_lookup_elem(&go_calls, &k);
	if (!s)
		return 0;
	s->base = g.hi;
	depth = s->depth;
	if (!frame_pop(s, REGS_SP(regs) + COOKIE_SP_BYTES(cookie) - g.hi, cookie, &f))
		return 0;
	if (f.flags & FRAME_BUF_ON_STACK)
		f.buf += g.hi;
	if (f.proof == PROOF_SOLE)
		prove(p, &f);
	if (COOKIE_KIND(cookie) == FN_WRITE || COOKIE_KIND(cookie) == FN_READ) {
		total = moved(p, &f, REGS_GO_ARG1(regs));
		if (total)
			call_data(p, &f, total);
	}
	frames_leave(p, s, s->depth, depth);
	if (!s->depth)
		bpf_map_delete_elem(&go_calls, &k);
	return 0;
}

SEC("uprobe")
int go_call(struct pt_regs *regs)
{
	__u64 cookie = bpf_get_attach_cookie(regs);

	if (COOKIE_AT_RETURN(cookie))
		go_return(regs, cookie);
	else
		go_enter(regs, cookie);
	return 0;
}
