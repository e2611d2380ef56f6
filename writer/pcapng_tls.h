/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS 1.2 records under a cipher suite that does not encrypt (TLS_RSA_WITH_NULL_MD5, RFC 5246
 * appendix A.5): readers find the plaintext by themselves, without key or setting. The handshake is
 * the shortest that Wireshark takes for one, and made up; only server name and protocol are real.
 */
#ifndef TLSLENS_WRITER_PCAPNG_TLS_H
#define TLSLENS_WRITER_PCAPNG_TLS_H

#include "core/slice.h"

#define TLS_PLAINTEXT_MAX 16384u /* RFC 5246 section 6.2.1 */
#define TLS_HEAD_BYTES 5
#define TLS_MAC_BYTES 16 /* of MD5; zeros stand there */
#define TLS_OVERHEAD_BYTES (TLS_HEAD_BYTES + TLS_MAC_BYTES)
#define TLS_HELLO_MAX 640 /* the longest handshake flight of this file */
#define TLS_SNI_MAX 255	  /* longer names are left out */
#define TLS_ALPN_MAX 255  /* RFC 7301 section 3.1: one octet of length */
#define TLS_CCS_BYTES 6

struct tls_hello {
	uint64_t seed;	      /* the randoms are derived from it */
	struct str sni, alpn; /* borrowed; absent: left out */
};

/* Each writes at most TLS_HELLO_MAX octets and returns how many. */
size_t pcapng_tls_put_client_hello(uint8_t *out, const struct tls_hello *h);
/* ServerHello and ServerHelloDone, a record each. */
size_t pcapng_tls_put_server_hello(uint8_t *out, const struct tls_hello *h);
size_t pcapng_tls_put_change_cipher_spec(uint8_t *out);

/* Makes a record of the n <= TLS_PLAINTEXT_MAX bytes at out + TLS_HEAD_BYTES; its length. */
size_t pcapng_tls_seal_data(uint8_t *out, size_t n);

/* A well-mixed 64-bit number; the same for the same input, everywhere. */
uint64_t pcapng_tls_mix(uint64_t x);

#endif
