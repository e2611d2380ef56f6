/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions that were found by the shape of their code may be others than they are taken for. A context of theirs is
 * believed once a call on it sent or took ciphertext: records of TLS on a socket, or handed on by the library, that
 * lie elsewhere than the caller's bytes and are longer than these by what TLS adds. Until then nothing is copied.
 */
#ifndef TLSLENS_BPF_PROOF_H
#define TLSLENS_BPF_PROOF_H

#include "bpf/cookie.h"
#include "bpf/emit.h"

/* `n` bytes at `base`, of which `here` lie in one piece, move within a call. */
static __always_inline void record_seen(struct frame *f, __u64 base, __u64 here, __u64 n, bool sent)
{
	__u8 h[TLS_HEADER_BYTES];
	__u32 length;
	bool begins;

	if (here < sizeof(h) || n < sizeof(h) || base - f->buf < (__u32)f->len ||
	    bpf_probe_read_user(h, sizeof(h), (const void *)base))
		return;
	length = h[3] << 8 | h[4];
	begins = h[0] == TLS_APPLICATION_DATA && h[1] == TLS_MAJOR && length <= TLS_RECORD_MAX;
	if (sent && (begins || f->cipher_bytes))
		f->cipher_bytes += n;
	else if (!sent && begins && length > f->cipher_bytes)
		f->cipher_bytes = length;
}

/* Of a new call: whether its context was believed before. */
static __always_inline __u32 frame_belief(const struct proc_state *p, const struct frame *f)
{
	struct conn_state *c;
	struct conn_key k;

	if (!COOKIE_IS_UNPROVEN(f->cookie))
		return FRAME_BELIEVED;
	conn_key_fill(&k, p, f->ctx);
	c = bpf_map_lookup_elem(&conns, &k);
	return c && c->flags & CONN_BELIEVED ? FRAME_BELIEVED : 0;
}

/* Of a call that has ended and moved `n` bytes of plaintext. */
static APART bool call_is_believed(struct proc_state *p, const struct frame *f, __u64 n)
{
	__u32 added = TLS_OVERHEAD_MIN;
	struct conn_state *c;
	struct conn_key k;

	if (f->flags & FRAME_BELIEVED)
		return true;
	if (!n)
		return false;
	conn_key_fill(&k, p, f->ctx);
	c = conn_get(p, &k);
	if (!c)
		return false;
	if (COOKIE_KIND(f->cookie) != FN_READ)
		added += TLS_HEADER_BYTES;
	if (f->cipher_bytes < n + added) {
		c->flags &= ~CONN_FROM_START; /* what comes later is not the first byte */
		return false;
	}
	c->flags |= CONN_BELIEVED;
	return true;
}

/* What is not believed is not copied. */
static __always_inline void call_filtered(struct proc_state *p, const struct frame *f, __u64 n)
{
	__u32 dir = COOKIE_KIND(f->cookie) == FN_READ;

	if (!(p->flags & PROC_DOUBTED))
		__sync_fetch_and_or(&p->flags, PROC_DOUBTED);
	ADD(p->n.calls[dir], 1);
	ADD(p->n.generated_bytes[dir], n);
	ADD(p->n.filtered_bytes[dir], n);
}

#endif
