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

#endif
