/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The generic probes on the functions of TLS libraries. Every library offers write(ctx, buf, len) and
 * read(ctx, buf, len); which argument is which, and how the length comes back, is told by the attach cookie
 * (bpf/cookie.h). One body, thin wrappers: a session program where the kernel has them (6.13), an entry and
 * a return program for uprobe_multi (6.6) or perf events otherwise. The entry program also serves probes
 * inside a function, where the cookie tells what it has pushed by then.
 *
 * Everything is read at the return of a call: its buffers are touched by then, so their pages are there.
 * No protocol is known here.
 */
#include "bpf/cipher.h"
#include "bpf/proof.h"
#include "bpf/segments.h"
#include "bpf/uprobes/call_end.h"
#include "bpf/uprobes/stacks.h"
#include "bpf/uprobes/whole.h"

char LICENSE[] SEC("license") = "GPL";

extern bool bpf_session_is_return(void) __ksym __weak;

static __always_inline void args_read(struct args *a, const struct pt_regs *regs)
{
	a->v[0] = a->v[7] = 0;
	a->v[1] = REGS_ARG1(regs);
	a->v[2] = REGS_ARG2(regs);
	a->v[3] = REGS_ARG3(regs);
	a->v[4] = REGS_ARG4(regs);
	a->v[5] = REGS_ARG5(regs);
	a->v[6] = REGS_ARG6(regs);
}

/* In a scratch buffer: the stack has no room for it. */
static __always_inline void cipher_put(struct proc_state *p, __u64 ctx, __u64 gen, __u64 buf,
				       __u64 len)
{
	struct scratch *s = scratch_take();
	struct ev_cipher *e;

	if (!s) {
		ADD(p->n.lost_events, 1);
		return;
	}
	e = (struct ev_cipher *)s->rec;
	if (!cipher_read(e->bytes, buf, len)) {
		hdr_fill(&e->hdr, EV_CIPHER, sizeof(*e), p->start_ns);
		e->conn = ctx;
		e->gen = gen;
		event_put(p, e, sizeof(*e));
		p->watch_until_ns = e->hdr.ts_ns + CIPHER_WATCH_NS;
	}
	scratch_give(s);
}

/* The TLS call around hands a record on. Its own socket calls are better evidence, and so is an older proof. */
static __always_inline void cipher_out(struct proc_state *p, __u64 sp, __u64 buf, __u64 len)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call_stack *s = bpf_map_lookup_elem(&calls, &id);
	struct frame *f = s ? frame_innermost(s, sp) : NULL;
	struct conn_state *c;
	struct conn_key k;

	if (f && !(f->flags & FRAME_BELIEVED))
		record_seen(f, buf, len, len, true);
	if (!f || !f->ctx || f->proof != PROOF_NONE)
		return;
	conn_key_fill(&k, p, f->ctx);
	c = conn_get(p, &k);
	if (c && !c->sock)
		cipher_put(p, f->ctx, c->at.gen, buf, len);
}

static APART int call_enter(const struct pt_regs *regs, __u64 cookie)
{
	struct proc_state *p = proc_traced(bpf_get_current_pid_tgid() >> 32);
	__u32 kind = COOKIE_KIND(cookie);
	struct call_stack *s;
	struct conn_key k;
	struct args a;
	struct frame f;
	int depth;

	if (!p)
		return NO_RETURN;
	args_read(&a, regs);
	f.ctx = a.v[COOKIE_CTX(cookie) & 7];
	if (kind == FN_WHOLE) {
		whole_seen(f.ctx);
		return NO_RETURN;
	}
	if (COOKIE_IS_PART(cookie)) {
		f.ctx = whole_of(p, f.ctx);
		if (!f.ctx)
			goto lost;
	}
	if (kind == FN_FREE || kind == FN_RESET) {
		if (f.ctx) {
			conn_key_fill(&k, p, f.ctx);
			conn_end(p, &k);
			if (kind == FN_RESET)
				conn_begin(p, &k);
		}
		return NO_RETURN;
	}
	if (COOKIE_IS_KNOWN_ONLY(cookie)) {
		conn_key_fill(&k, p, f.ctx);
		if (!bpf_map_lookup_elem(&conns, &k))
			return NO_RETURN;
	}
	f.buf = a.v[COOKIE_BUF(cookie) & 7];
	f.len = a.v[COOKIE_LEN(cookie) & 7];
	if (kind == FN_CIPHER) {
		cipher_out(p, REGS_SP(regs) + COOKIE_SP_BYTES(cookie), f.buf, (__u32)f.len);
		return NO_RETURN;
	}
	f.out = a.v[COOKIE_OUT(cookie) & 7];
	f.sp = REGS_SP(regs) + COOKIE_SP_BYTES(cookie);
	f.ret = 0;
	if (COOKIE_IS_INSIDE(cookie))
		bpf_probe_read_user(&f.ret, sizeof(f.ret), (const void *)f.sp);
	f.ts_ns = bpf_ktime_get_ns();
	f.cookie = cookie;
	f.sock = f.sock_addr = 0;
	f.proof = PROOF_NONE;
	f.flags = frame_belief(p, &f);
	f.cipher_bytes = 0;

	if (COOKIE_HAS_STACKS(cookie))
		return stacks_enter(p, &f);
	s = calls_of_thread();
	if (!s)
		goto lost;
	depth = depth_around(s, &f);
	if (depth < 0)
		return NO_RETURN;
	if (depth >= CALL_DEPTH)
		goto lost;
	s->frame[depth & (CALL_DEPTH - 1)] = f;
	s->depth = depth + 1;
	return WANT_RETURN;
lost:
	/* What the call will move is not known: a call is lost, not bytes. */
	ADD(p->n.lost_events, 1);
	return NO_RETURN;
}

static __always_inline __u64 length_returned(const struct pt_regs *regs, __u64 cookie)
{
	if (COOKIE_SHAPE(cookie) != LEN_RET_PAIR_IF_0)
		return REGS_RET(regs);
	return REGS_RET(regs) ? 0 : REGS_RET2(regs);
}

static __always_inline void call_new(struct proc_state *p, const struct frame *f, __u64 ret)
{
	struct conn_key k;
	__u64 ctx = ret;

	if (f->out && bpf_probe_read_user(&ctx, sizeof(ctx), (const void *)f->out))
		return;
	if (!ctx)
		return;
	conn_key_fill(&k, p, ctx);
	conn_end(p, &k); /* its end was missed */
	conn_begin(p, &k);
}

/* `sp` is the stack pointer as it was at the function's first instruction. */
static APART int call_return(const struct pt_regs *regs, __u64 sp, __u64 cookie)
{
	__u64 id = bpf_get_current_pid_tgid(), total = 0;
	struct proc_state *p = proc_traced(id >> 32);
	__u32 kind = COOKIE_KIND(cookie);
	struct call_stack *s;
	struct frame f;
	bool believed;

	if (!p)
		return 0;
	if (COOKIE_HAS_STACKS(cookie)) {
		if (!stacks_leave(p, sp, cookie, &f))
			return 0;
	} else {
		s = bpf_map_lookup_elem(&calls, &id);
		if (!s || !frame_pop(s, sp, cookie, &f))
			return 0;
	}
	if (kind == FN_WRITE || kind == FN_READ || kind == FN_SENDFILE)
		total = moved(p, &f, length_returned(regs, cookie));
	believed = call_is_believed(p, &f, total);
	if (believed && f.proof == PROOF_SOLE)
		prove(p, &f);
	if (kind == FN_NEW)
		call_new(p, &f, REGS_RET(regs));
	else if (total && believed)
		call_data(p, &f, total);
	else if (total)
		call_filtered(p, &f, total);
	return 0;
}

SEC("uprobe")
int tls_session(struct pt_regs *regs)
{
	if (bpf_session_is_return())
		return call_return(regs, REGS_SP_AT_ENTRY(regs), bpf_get_attach_cookie(regs));
	return call_enter(regs, bpf_get_attach_cookie(regs));
}

/* What a program for perf events returns says whether perf sees the event too: never. */
SEC("uprobe")
int tls_entry(struct pt_regs *regs)
{
	__u64 cookie = bpf_get_attach_cookie(regs);

	if (COOKIE_AT_RETURN(cookie))
		call_return(regs, REGS_SP(regs) + COOKIE_SP_BYTES(cookie), cookie);
	else
		call_enter(regs, cookie);
	return 0;
}

SEC("uretprobe")
int tls_return(struct pt_regs *regs)
{
	return call_return(regs, REGS_SP_AT_ENTRY(regs), bpf_get_attach_cookie(regs));
}
