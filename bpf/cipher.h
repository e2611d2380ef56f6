/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Contexts whose TLS library does not touch the socket (memory BIOs): the beginning of a record as the context
 * makes it, and as a socket sends it. Whether they are the same is found out in user space. Handshake records
 * are left out: a HelloRetryRequest is the same in every connection (RFC 8446 section 4.1.3).
 */
#ifndef TLSLENS_BPF_CIPHER_H
#define TLSLENS_BPF_CIPHER_H

#include "bpf/emit.h"

/* The first bytes at `from` into bytes[]; 0 when they begin a whole enough record of application data. */
static __always_inline long cipher_read(__u8 *bytes, __u64 from, __u64 n)
{
	if (n < EV_CIPHER_BYTES || bpf_probe_read_user(bytes, EV_CIPHER_BYTES, (const void *)from))
		return -1;
	return bytes[0] == TLS_APPLICATION_DATA && bytes[1] == TLS_MAJOR &&
			       (bytes[3] << 8 | bytes[4]) >= EV_CIPHER_BYTES - TLS_HEADER_BYTES
		       ? 0
		       : -1;
}

struct user_iovec {
	__u64 base, len;
};

/* Where the bytes of a send begin, and how many lie there; the registers are those of the system call. */
static __always_inline struct user_iovec sent_bytes(const struct pt_regs *r)
{
	struct user_iovec v = {REGS_ARG2(r), REGS_ARG3(r)};
	__u64 iov = REGS_ARG2(r);

	switch (REGS_SYSCALL(r)) {
	case SYS_WRITE:
	case SYS_SENDTO:
		return v;
	case SYS_SENDMSG:
		if (bpf_probe_read_user(&iov, sizeof(iov), (const void *)(iov + MSGHDR_IOV)))
			break;
		/* fall through */
	case SYS_WRITEV:
		if (!bpf_probe_read_user(&v, sizeof(v), (const void *)iov))
			return v;
		break;
	default:
		break;
	}
	v.base = v.len = 0;
	return v;
}

#endif
