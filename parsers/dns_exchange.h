/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Queries of a connection or socket and the answers to them. */
#ifndef TLSLENS_PARSERS_DNS_EXCHANGE_H
#define TLSLENS_PARSERS_DNS_EXCHANGE_H

#include "core/proto.h"
#include "parsers/dns_message.h"

/* Longer than the five seconds after which glibc and dig ask again. */
#define DNS_ANSWER_TIMEOUT_NS ((uint64_t)10 * 1000 * 1000 * 1000)

struct dns_query;

struct dns_exchanges {
	const struct conn *conn;
	struct proto_sink *sink;
	const struct limits *limits;
	const char *transport;	/* static; what A_DNS_TRANSPORT says */
	struct dns_query *list; /* owned; those not answered, the one sent last at the end */
	uint32_t count;
	enum role role;
};

/* When and where a message was moved. */
struct dns_moved {
	enum dir dir;
	uint64_t start_ns, end_ns;
	uint32_t tid;
};

/* Takes a message. -EBADMSG when the bytes are none. */
int dns_exchanges_message(struct dns_exchanges *x, const uint8_t *p, size_t n,
			  const struct dns_moved *moved);

/* Emits the queries that nobody answered in time, or all of them. */
void dns_exchanges_tick(struct dns_exchanges *x, uint64_t now_ns);
void dns_exchanges_close(struct dns_exchanges *x);

#endif
