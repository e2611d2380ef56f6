/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The attach cookie: one 64-bit word that tells the generic pair of programs what function it sits on.
 * Shared by the BPF side and capture/tls_libs.c.
 *
 *   bits  0-7   library row          bits 24-27  argument holding the context   (1..6, 0: none)
 *   bits  8-11  enum fn_kind         bits 28-31  argument holding the buffer
 *   bits 12-15  enum len_shape       bits 32-35  argument holding the wanted length
 *   bits 16-23  function of the row  bits 36-39  argument holding size_t *out
 *
 * Bit 40: the wanted length is an iovec count, the buffer an array of struct iovec (reserved).
 *
 * Of a probe inside the function (capture/site_find.h), not at its first instruction:
 *   bits 41-52  what the function has pushed by then, in units of 8 bytes
 *   bit  53     it is one
 *   bit  54     it sits where the result is final, not at the entry
 *
 * Bit 55: counts only on contexts whose FN_NEW was seen: the function serves other things than TLS, too.
 * Bit 56: the process switches stacks within calls (capture/returns.h).
 * Bit 57: the function was found by the shape of its code: bpf/proof.h.
 * Bit 58: the context is a part of another one: bpf/uprobes/whole.h.
 */
#ifndef TLSLENS_BPF_COOKIE_H
#define TLSLENS_BPF_COOKIE_H

#include <linux/types.h>

enum fn_kind {
	FN_WRITE = 0, /* moves plaintext out */
	FN_READ = 1,  /* moves plaintext in */
	FN_PEEK =
		2, /* shows plaintext without consuming it: hides what it calls inside, emits nothing */
	FN_NEW = 3,   /* creates a context: return value, or *out_arg when out_arg is set */
	FN_FREE = 4,  /* the context of ctx_arg ends (entry only) */
	FN_RESET = 5, /* the context of ctx_arg starts anew at offset 0 (entry only) */
	FN_SENDFILE =
		6, /* moves plaintext out that is in no buffer: a gap of the returned length */
	FN_HANDSHAKE = 7, /* no plaintext; its socket calls prove the peer */
	FN_CIPHER = 8,	  /* takes ciphertext from the TLS call around it (entry only) */
	FN_BEGIN = 9,  /* a handshake, with which the context of ctx_arg starts anew at offset 0 */
	FN_WHOLE = 10, /* tells of which context the thread uses a part next (entry only) */
};

/* How the number of bytes moved comes back. */
enum len_shape {
	LEN_RET = 0,	  /* the return value, when > 0, as a C int or long */
	LEN_OUT_IF_1 = 1, /* *(size_t *)out_arg, when the call returned 1 */
	LEN_OUT_IF_0 = 2, /* *(size_t *)out_arg, when the call returned 0 */
	LEN_OUT_IF_NOT_0 =
		3, /* *(size_t *)out_arg, when the call returned anything but 0 (early data) */
	LEN_ARG_IF_0 = 4, /* len_arg, when the call returned 0 */
	LEN_RET_LONG = 5, /* the return value as a signed 64-bit number */
	LEN_RET_UNLESS_PEEK =
		6, /* as LEN_RET; out_arg holds flags, and MSG_PEEK in them moves nothing */
	LEN_RET_OF_DATA = 7, /* as LEN_RET_LONG; out_arg holds the content type of TLS records:
			      * what is not application data does not count */
	LEN_PAIR_IF_0 =
		8, /* Rust's Result<usize, _> at out_arg: two words, the second when the first is 0 */
	LEN_RET_PAIR_IF_0 = 9, /* the same in the registers of results */
};

#define COOKIE(lib, fn, kind, shape, ctx, buf, len, out)                                \
	((__u64)(lib) | (__u64)(kind) << 8 | (__u64)(shape) << 12 | (__u64)(fn) << 16 | \
	 (__u64)(ctx) << 24 | (__u64)(buf) << 28 | (__u64)(len) << 32 | (__u64)(out) << 36)

#define COOKIE_LIB(c) ((__u8)(c))
#define COOKIE_KIND(c) ((__u32)((c) >> 8) & 15)
#define COOKIE_SHAPE(c) ((__u32)((c) >> 12) & 15)
#define COOKIE_FN(c) ((__u8)((c) >> 16))
#define COOKIE_CTX(c) ((__u32)((c) >> 24) & 15)
#define COOKIE_BUF(c) ((__u32)((c) >> 28) & 15)
#define COOKIE_LEN(c) ((__u32)((c) >> 32) & 15)
#define COOKIE_OUT(c) ((__u32)((c) >> 36) & 15)

#define COOKIE_SP_BYTES_MAX (0xfffu * 8)
#define COOKIE_INSIDE(sp_bytes, at_return) \
	((__u64)(sp_bytes) / 8 << 41 | 1ull << 53 | (__u64)(at_return) << 54)

#define COOKIE_KNOWN_ONLY (1ull << 55)
#define COOKIE_STACKS (1ull << 56)
#define COOKIE_UNPROVEN (1ull << 57)
#define COOKIE_PART (1ull << 58)

#define COOKIE_SP_BYTES(c) (((c) >> 41 & 0xfff) * 8)
#define COOKIE_IS_INSIDE(c) ((c) >> 53 & 1)
#define COOKIE_AT_RETURN(c) ((c) >> 54 & 1)
#define COOKIE_IS_KNOWN_ONLY(c) ((c) >> 55 & 1)
#define COOKIE_HAS_STACKS(c) ((c) >> 56 & 1)
#define COOKIE_IS_UNPROVEN(c) ((c) >> 57 & 1)
#define COOKIE_IS_PART(c) ((c) >> 58 & 1)
/* The function alone, wherever in it the probe sits. */
#define COOKIE_FUNCTION(c) ((c) & ((1ull << 41) - 1))

#endif
