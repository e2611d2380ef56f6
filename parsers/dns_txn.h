/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A query and its answer as a transaction, whatever they came by. */
#ifndef TLSLENS_PARSERS_DNS_TXN_H
#define TLSLENS_PARSERS_DNS_TXN_H

#include "core/proto.h"
#include "parsers/dns_message.h"

#define DNS_CHAIN_MAX 16 /* aliases followed from the name asked for to its addresses */

/* Begun with its query or, when nobody saw that, its answer; times are the caller's. NULL without memory. */
struct txn *dns_txn_new(const struct conn *conn, const struct dns_message *m,
			const char *transport);

/* What the query asks. */
void dns_txn_query(struct txn *t, const struct dns_message *m);

/* The end that the answer makes of it. */
void dns_txn_answer(struct txn *t, const struct dns_message *m);

/*
 * Of an exchange that the traced process asked for and got an answer to: tells the sink the addresses of the
 * question's name, by the chain of aliases that begins there (RFC 1034 section 3.6.2). Records of other
 * names, glue for one, say nothing, and neither does an answer in which something is wrong.
 */
void dns_txn_resolved(const struct txn *t, struct proto_sink *sink, const struct dns_message *m);

#endif
