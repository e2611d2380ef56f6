/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of the NULL cipher; see the header for the contract. */
#include "writer/pcapng_tls.h"

#define VERSION_TLS12 0x0303
#define SUITE_RSA_NULL_MD5 0x0001
#define EXT_SERVER_NAME 0x0000 /* RFC 6066 section 3 */
#define EXT_ALPN 0x0010	       /* RFC 7301 section 3.1 */

enum content_type {
	CHANGE_CIPHER_SPEC = 20,
	HANDSHAKE = 22,
	APPLICATION_DATA = 23,
};

enum handshake_type {
	CLIENT_HELLO = 1,
	SERVER_HELLO = 2,
	SERVER_HELLO_DONE = 14,
};

static uint8_t *put(uint8_t *p, uint64_t v, size_t octets)
{
	for (size_t i = 0; i < octets; i++)
		p[i] = (uint8_t)(v >> (8 * (octets - 1 - i)));
	return p + octets;
}

/* Fills in the length left empty at `at`, so many octets, of what was written behind it up to p. */
static void close_length(uint8_t *at, size_t octets, const uint8_t *p)
{
	put(at, (uint64_t)(p - at) - octets, octets);
}

static uint8_t *put_str(uint8_t *p, struct str s)
{
	memcpy(p, s.p, s.n);
	return p + s.n;
}

/* The finaliser of splitmix64. */
uint64_t pcapng_tls_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static uint8_t *put_random(uint8_t *p, uint64_t seed)
{
	for (size_t i = 0; i < 4; i++) {
		seed = pcapng_tls_mix(seed);
		p = put(p, seed, 8);
	}
	return p;
}

/* The octets of record and handshake header, lengths to be filled in by end_handshake(). */
static uint8_t *begin_handshake(uint8_t *p, enum handshake_type type)
{
	*p++ = HANDSHAKE;
	p = put(p, VERSION_TLS12, 2);
	p = put(p, 0, 2);
	*p++ = type;
	return put(p, 0, 3);
}

static uint8_t *end_handshake(uint8_t *record, uint8_t *p)
{
	close_length(record + 3, 2, p);
	close_length(record + 6, 3, p);
	return p;
}

static uint8_t *put_server_name(uint8_t *p, struct str name)
{
	p = put(p, EXT_SERVER_NAME, 2);
	p = put(p, name.n + 5, 2);
	p = put(p, name.n + 3, 2);
	*p++ = 0; /* host_name */
	p = put(p, name.n, 2);
	return put_str(p, name);
}

static uint8_t *put_alpn(uint8_t *p, struct str alpn)
{
	p = put(p, EXT_ALPN, 2);
	p = put(p, alpn.n + 3, 2);
	p = put(p, alpn.n + 1, 2);
	*p++ = (uint8_t)alpn.n;
	return put_str(p, alpn);
}

/* The extensions, or nothing at all where there is none to tell. */
static uint8_t *put_extensions(uint8_t *p, struct str sni, struct str alpn)
{
	uint8_t *at = p;

	p += 2;
	if (sni.n && sni.n <= TLS_SNI_MAX)
		p = put_server_name(p, sni);
	if (alpn.n && alpn.n <= TLS_ALPN_MAX)
		p = put_alpn(p, alpn);
	if (p == at + 2)
		return at;
	close_length(at, 2, p);
	return p;
}

size_t pcapng_tls_put_client_hello(uint8_t *out, const struct tls_hello *h)
{
	uint8_t *p = begin_handshake(out, CLIENT_HELLO);

	p = put(p, VERSION_TLS12, 2);
	p = put_random(p, h->seed);
	*p++ = 0;	  /* no session */
	p = put(p, 2, 2); /* one suite */
	p = put(p, SUITE_RSA_NULL_MD5, 2);
	p = put(p, 0x0100, 2); /* one compression method: none */
	p = put_extensions(p, h->sni, h->alpn);
	return (size_t)(end_handshake(out, p) - out);
}

size_t pcapng_tls_put_server_hello(uint8_t *out, const struct tls_hello *h)
{
	uint8_t *p = begin_handshake(out, SERVER_HELLO), *done;

	p = put(p, VERSION_TLS12, 2);
	p = put_random(p, ~h->seed);
	*p++ = 0;
	p = put(p, SUITE_RSA_NULL_MD5, 2);
	*p++ = 0;
	p = put_extensions(p, STR_NONE, h->alpn);
	done = end_handshake(out, p);
	/* Without it Wireshark takes the handshake for a resumed one. */
	p = end_handshake(done, begin_handshake(done, SERVER_HELLO_DONE));
	return (size_t)(p - out);
}

static uint8_t *put_head(uint8_t *p, enum content_type type, size_t n)
{
	*p++ = type;
	p = put(p, VERSION_TLS12, 2);
	return put(p, n, 2);
}

size_t pcapng_tls_put_change_cipher_spec(uint8_t *out)
{
	uint8_t *p = put_head(out, CHANGE_CIPHER_SPEC, 1);

	*p++ = 1;
	return (size_t)(p - out);
}

size_t pcapng_tls_seal_data(uint8_t *out, size_t n)
{
	put_head(out, APPLICATION_DATA, n + TLS_MAC_BYTES);
	memset(out + TLS_HEAD_BYTES + n, 0, TLS_MAC_BYTES);
	return n + TLS_OVERHEAD_BYTES;
}
