/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection as parsers and writers see it. Owned by flow/; borrowed by everybody else, valid until
 * the sink has seen its CHUNK_CLOSE.
 */
#ifndef TLSLENS_CORE_CONN_H
#define TLSLENS_CORE_CONN_H

#include "core/slice.h"

struct identity;

/* On what the peer's address rests; the name is `tlslens.conn.source`. Never a guess. */
enum peer_source {
	PEER_UNKNOWN = 0,
	PEER_NESTED, /* a socket call inside the TLS call, on the same thread */
	PEER_CACHED, /* proven earlier for this generation of the context */
	PEER_RECORD, /* the same TLS record seen on the socket */
	PEER_KERNEL, /* a plain socket */
};

const char *peer_source_name(enum peer_source s);

/* Which side of the connection the traced process is. Known once a request was seen or by the socket. */
enum role {
	ROLE_UNKNOWN = 0,
	ROLE_CLIENT,
	ROLE_SERVER,
};

enum transport {
	TRANSPORT_TCP = 0,
	TRANSPORT_UDP,
	TRANSPORT_UNIX,
};

enum addr_family {
	ADDR_NONE = 0,
	ADDR_IPV4,
	ADDR_IPV6,
	ADDR_UNIX,
};

struct endpoint {
	uint8_t addr[16]; /* network order; IPv4 in the first four octets */
	uint16_t port;	  /* host order */
};

/* Whether an earlier session goes on, as far as the hellos tell; the name is `tls.resumed`. */
enum tls_resumed {
	TLS_RESUMED_UNKNOWN = 0,
	TLS_RESUMED_NO,
	TLS_RESUMED_YES,
};

struct conn {
	uint64_t seq; /* 1, 2, ... in a run: what tables key on */
	char id[64];  /* `tlslens.conn.id`: pid-context-generation, stable in replay */
	const struct identity *proc; /* borrowed, lives as long as the connection */

	enum peer_source source;
	enum addr_family family;
	enum transport transport;
	struct endpoint local, peer; /* zero unless source != PEER_UNKNOWN */
	uint32_t netns;

	enum role role;
	const char *lib;   /* row name, "" for plain sockets; static or owned by flow */
	bool plain;	   /* not TLS on the wire */
	bool from_start;   /* seen since its first byte */
	const char *proto; /* proto_ops.name once detected, else NULL */

	/* From the hellos when they were seen, else empty. Owned by flow. */
	struct str tls_version, tls_cipher, sni, alpn;
	enum tls_resumed tls_resumed;

	/* What the process had looked up and was told the peer's address for, else empty. Owned by flow. */
	struct str peer_name;
};

#endif
