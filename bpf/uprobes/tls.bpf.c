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
#include "bpf/cookie.h"
#include "bpf/frame.h"
#include "bpf/uprobes/payload.h"

char LICENSE[] SEC("license") = "GPL";

#define MSG_PEEK 2 /* of recv(2), and of NSPR */

extern bool bpf_session_is_return(void) __ksym __weak;

enum entry_result {
	WANT_RETURN = 0,
	NO_RETURN = 1, /* a session then does not run at the return, which costs nothing */
};

/*
 * Arguments by number, 0 for none. Read all of them first: from a switch over the registers clang makes one
 * load at a computed offset, which the verifier refuses ("dereference of modified ctx ptr").
 */
struct args {
	__u64 v[8];
};

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

static const struct call_stack no_calls;

static __always_inline struct call_stack *calls_of_thread(void)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call_stack *s = bpf_map_lookup_elem(&calls, &id);

	if (s)
		return s;
	bpf_map_update_elem(&calls, &id, &no_calls, BPF_NOEXIST);
	return bpf_map_lookup_elem(&calls, &id);
}

/*
 * Whether an open call of this thread stands for the new one: a function of the library calling another
 * one on the same context or buffer. Handshakes move no plaintext, so they hide none.
 */
static __always_inline bool hides(const struct frame *outer, const struct frame *f)
{
	if (COOKIE_KIND(outer->cookie) == FN_HANDSHAKE && COOKIE_KIND(f->cookie) != FN_HANDSHAKE)
		return false;
	return (f->ctx && f->ctx == outer->ctx) || (f->buf && f->buf == outer->buf);
}

/*
 * How many of the frames are calls around the new one, or -1 when one of them hides it. Stacks grow down:
 * a frame that is not above the new call was left by longjmp, or handed its place on by a tail call, whose
 * target returns in its stead and counts for both.
 */
static __always_inline int depth_around(const struct call_stack *s, const struct frame *f)
{
	__u32 depth = s->depth;

	for (__u32 k = 0; k < CALL_DEPTH && k < depth; k++) {
		const struct frame *outer = &s->frame[k];

		if (outer->sp <= f->sp)
			return k;
		if (!hides(outer, f))
			continue;
		return frame_returns(outer) ? -1 : (int)k;
	}
	return depth;
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

	if (!f || !f->ctx || f->proof != PROOF_NONE)
		return;
	conn_key_fill(&k, p, f->ctx);
	c = conn_get(p, &k);
	if (c && !c->sock)
		cipher_put(p, f->ctx, c->gen, buf, len);
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
	f.pad = 0;

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

/* How many bytes the call moved; 0 when it failed. */
static __always_inline __u64 moved(struct proc_state *p, const struct frame *f, __u64 ret)
{
	__u64 n = 0;

	switch (COOKIE_SHAPE(f->cookie)) {
	case LEN_RET_UNLESS_PEEK:
		if (f->out & MSG_PEEK)
			return 0;
		n = (__s32)ret > 0 ? (__u32)ret : 0;
		return n;
	case LEN_RET:
		n = (__s32)ret > 0 ? (__u32)ret : 0;
		return n;
	case LEN_RET_LONG:
		return (__s64)ret > 0 ? ret : 0;
	case LEN_ARG_IF_0:
		return (__s32)ret == 0 ? f->len : 0;
	case LEN_OUT_IF_1:
		if ((__s32)ret != 1)
			return 0;
		break;
	case LEN_OUT_IF_0:
		if ((__s32)ret != 0)
			return 0;
		break;
	case LEN_OUT_IF_NOT_0:
		if ((__s32)ret == 0)
			return 0;
		break;
	default:
		return 0;
	}
	if (bpf_probe_read_user(&n, sizeof(n), (const void *)f->out)) {
		ADD(p->n.lost_events, 1);
		return 0;
	}
	/* A size_t, like the length it must not exceed: anything else is no count. */
	return f->len && n > f->len ? f->len : n;
}

static __always_inline bool sock_lives(__u64 addr, __u64 sock)
{
	struct sock_state *k = bpf_map_lookup_elem(&socks, &addr);

	return k && k->sock == sock;
}

/*
 * The call used one socket: that is its context's from now on. Unless another one was proven before and still
 * lives: a context that changes its socket closes the old one, a log's or a callback's leaves it open.
 */
static __always_inline void prove(struct proc_state *p, struct frame *f)
{
	struct ev_sock e = {};
	struct conn_state *c;
	struct conn_key k;

	conn_key_fill(&k, p, f->ctx);
	c = conn_get(p, &k);
	if (!c || (c->sock == f->sock && c->flags & CONN_ANNOUNCED))
		return;
	if (c->sock && c->sock != f->sock && sock_lives(c->sock_addr, c->sock)) {
		f->proof = PROOF_AMBIGUOUS;
		return;
	}
	if (!sock_lives(f->sock_addr, f->sock))
		return;
	hdr_fill(&e.hdr, EV_SOCK, sizeof(e), p->start_ns);
	e.conn = f->ctx;
	e.gen = c->gen;
	e.sock = f->sock;
	e.fd = -1;
	c->sock = f->sock;
	c->sock_addr = f->sock_addr;
	if (event_put(p, &e, sizeof(e)))
		c->flags &= ~CONN_ANNOUNCED;
	else
		c->flags |= CONN_ANNOUNCED;
}

/* The socket of a data record: proven in this call, or earlier for this generation and still open. */
static __always_inline void peer_of(struct move *m, struct conn_state *c, const struct frame *f)
{
	if (f->proof == PROOF_AMBIGUOUS)
		return;
	if (f->proof == PROOF_SOLE) {
		m->sock = f->sock;
		m->flags |= EV_DATA_NESTED;
		return;
	}
	if (!c->sock)
		return;
	if (!sock_lives(c->sock_addr, c->sock)) {
		c->sock = c->sock_addr = 0;
		return;
	}
	m->sock = c->sock;
	m->flags |= EV_DATA_CACHED;
}

static __always_inline void call_data(struct proc_state *p, const struct frame *f, __u64 total)
{
	__u32 kind = COOKIE_KIND(f->cookie);
	__u32 dir = kind == FN_READ;
	struct move m = {};
	struct conn_state *c;
	struct conn_key k;

	ADD(p->n.calls[dir], 1);
	ADD(p->n.generated_bytes[dir], total);
	conn_key_fill(&k, p, f->ctx);
	c = conn_get(p, &k);
	if (!c) {
		ADD(p->n.lost_bytes[EV_LOST_TABLE], total);
		return;
	}
	m.ctx = f->ctx;
	m.call = NEXT_ID(call);
	m.buf = f->buf;
	m.total = total;
	m.off = __sync_fetch_and_add(&c->off[dir], total);
	m.ts_ns = dir ? bpf_ktime_get_ns() : f->ts_ns;
	m.start_ns = p->start_ns;
	m.cgroup_id = bpf_get_current_cgroup_id();
	m.id = bpf_get_current_pid_tgid();
	m.lib = COOKIE_LIB(f->cookie);
	m.dir = dir;
	if (c->flags & CONN_FROM_START)
		m.flags |= EV_DATA_FROM_START;
	if (!f->buf) /* of FN_SENDFILE and the like, or going on with an earlier call's bytes */
		m.flags |= EV_DATA_NOCOPY;
	peer_of(&m, c, f);
	for (int i = 0; i < CALL_PARTS_MAX; i++)
		if (!move_step(&m, c, p))
			break;
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

/*
 * Takes the frame of the returning call off the stack. Frames below it in memory were left by longjmp; a
 * return that has no frame was hidden or belongs to a tail call already accounted for.
 */
static __always_inline bool frame_pop(struct call_stack *s, __u64 sp, __u64 cookie, struct frame *f)
{
	__u32 depth = s->depth;

	for (int k = 0; k < CALL_DEPTH; k++) {
		if (depth == 0 || depth > CALL_DEPTH || s->frame[(depth - 1) & 3].sp > sp)
			return false;
		depth--;
		if (s->frame[depth & 3].sp != sp)
			continue;
		if (COOKIE_FUNCTION(s->frame[depth & 3].cookie) != COOKIE_FUNCTION(cookie))
			return false;
		*f = s->frame[depth & 3];
		s->depth = depth;
		return true;
	}
	return false;
}

/* `sp` is the stack pointer as it was at the function's first instruction. */
static APART int call_return(const struct pt_regs *regs, __u64 sp, __u64 cookie)
{
	__u64 id = bpf_get_current_pid_tgid(), total;
	struct proc_state *p = proc_traced(id >> 32);
	struct call_stack *s;
	struct frame f;

	if (!p)
		return 0;
	s = bpf_map_lookup_elem(&calls, &id);
	if (!s || !frame_pop(s, sp, cookie, &f))
		return 0;
	if (f.proof == PROOF_SOLE)
		prove(p, &f);
	switch (COOKIE_KIND(cookie)) {
	case FN_NEW:
		call_new(p, &f, REGS_RET(regs));
		break;
	case FN_WRITE:
	case FN_READ:
	case FN_SENDFILE:
		total = moved(p, &f, REGS_RET(regs));
		if (total)
			call_data(p, &f, total);
		break;
	default:
		break;
	}
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
