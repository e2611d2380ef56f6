/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What flow/ knows of a socket; a part of flow/state.h, which includes it. */
#ifndef TLSLENS_FLOW_SOCK_H
#define TLSLENS_FLOW_SOCK_H

#include "core/conn.h"
#include "flow/hash.h"

struct flow_conn;
struct flow_hello; /* hellos.c */

struct flow_sock {
	uint64_t id;
	UT_hash_handle hh;
	struct flow_sock *closed_prev, *closed_next;
	uint64_t closed_ns;
	bool closed;
	bool announced; /* what follows was told by EV_SOCK */
	enum addr_family family;
	enum transport transport;
	enum role role;
	uint32_t netns;
	struct endpoint local, peer;
	bool tls_seen;		  /* records of TLS, by the kernel side */
	struct flow_hello *hello; /* a reference; NULL: none was seen */
	/* plain traffic: plain.c */
	struct flow_conn *plains;
	struct flow_sock *unwanted_next;
	uint64_t unparsed_bytes;
	uint32_t unparsed_calls;
	uint64_t lost[DIR_COUNT]; /* of datagrams, as told */
	bool counting[DIR_COUNT]; /* .lost is set */
	bool talks;		  /* a protocol was recognised on it */
	bool unwanted;
	bool tls;    /* it speaks TLS */
	bool unread; /* it was counted so */
};

#endif
