/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One call on a socket, as both ways of seeing them tell of it. No protocol is known here but the header of a TLS
 * record.
 */
#ifndef TLSLENS_BPF_SOCK_CALL_H
#define TLSLENS_BPF_SOCK_CALL_H

#include "bpf/cipher.h"
#include "bpf/cookie.h"
#include "bpf/frame.h"
#include "bpf/kprobes/sock_table.h"
#include "bpf/payload.h"

/* Bytes that were only looked at were not moved; those of the error queue, and urgent ones, are of no stream. */
#define MSG_MOVES_NOTHING (MSG_PEEK | MSG_ERRQUEUE | MSG_OOB)

struct sock_call {
	struct sock *sk;
	struct segments at; /* where the bytes are, the first segment taken */
	struct ev_peer
		peer; /* of a datagram on a socket connected to nobody; family 0: not known */
	__u64 n;      /* bytes moved; 0: it failed, or moved nothing */
	__u64 sp, fd; /* of the system call: user stack pointer, first argument */
	__u8 dir;
	__u32 flags;   /* of recvmsg(2) */
	__u32 message; /* of a vector: which one, or VECTOR_UNKNOWN */
	__u8 nocopy;   /* the bytes are in no buffer of the process, or nobody knows which */
};

/* The system call as its registers tell it: number, arguments 1 to 6, and of Go the goroutine. */
struct user_call {
	__u64 nr, arg[7], sp, g;
	bool in_progress;
};

/* In the room of struct work. */
struct sock_work {
	struct sock_call call;
	struct move move;
	struct user_call user; /* the system call that it is seen by, if any */
};

_Static_assert(sizeof(struct sock_work) <= WORK_BYTES, "it has room");

/* As scratch_take(). */
static __always_inline struct work *work_take(void)
{
	__u32 i = bpf_get_smp_processor_id() * SCRATCH_SLOTS;
	struct work *w;

	for (int k = 0; k < SCRATCH_SLOTS; k++, i++) {
		w = bpf_map_lookup_elem(&works, &i);
		if (w && __sync_val_compare_and_swap(&w->busy, 0, 1) == 0)
			return w;
	}
	return NULL;
}

static __always_inline void work_give(struct work *w)
{
	__sync_lock_test_and_set(&w->busy, 0);
}

/*
 * The type of the TLS record whose header the bytes of a call begin with (RFC 8446 section 5.1), as far as it goes;
 * 0: with none.
 */
static __always_inline __u8 begins_tls(const struct sock_call *x)
{
	__u8 b[3] = {};
	__u64 n = x->n < x->at.len ? x->n : x->at.len;

	if (x->nocopy || !n)
		return 0;
	if (n >= sizeof(b) ? bpf_probe_read_user(b, sizeof(b), (const void *)x->at.base)
			   : bpf_probe_read_user(b, 1, (const void *)x->at.base))
		return 0;
	return b[0] >= TLS_TYPE_MIN && b[0] <= TLS_APPLICATION_DATA &&
			       (n < sizeof(b) || (b[1] == TLS_MAJOR && b[2] <= TLS_MINOR_MAX))
		       ? b[0]
		       : 0;
}

/*
 * A socket call of a thread that has TLS calls open. What it proves is known when the TLS call returns:
 * another socket may be used within the same one.
 */
static __always_inline void evidence(struct frame *f, struct sock_state *k, struct sock *sk)
{
	if (f->proof != PROOF_NONE && f->sock != k->sock) {
		f->proof = PROOF_VOID;
		return;
	}
	f->sock = k->sock;
	f->sock_addr = (__u64)sk;
	if (f->proof == PROOF_NONE)
		f->proof = PROOF_SOLE;
}

/* The process, when a context of it needs its socket found. */
static __always_inline bool is_watched(const struct proc_state *p)
{
	return p->watch_until_ns && bpf_ktime_get_ns() < p->watch_until_ns;
}

/* A socket that records name is told of first, and again when a datagram socket is connected to somebody. */
static __always_inline void sock_tell(struct proc_state *p, struct sock_state *k,
				      const struct sock_call *x)
{
	struct sock *sk = x->sk;

	if (!k->announced ||
	    (k->kind == SOCK_UDP &&
	     k->rport != __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport))))
		announce(p, k, sk, x->fd);
}

#endif
