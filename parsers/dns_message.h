/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A DNS message (RFC 1035 section 4): its head and question, and what it says as attributes. */
#ifndef TLSLENS_PARSERS_DNS_MESSAGE_H
#define TLSLENS_PARSERS_DNS_MESSAGE_H

#include "core/txn.h"
#include "parsers/dns_name.h"

#define DNS_HEAD_BYTES 12
#define DNS_RECORD_BYTES_MIN 11
#define DNS_OPCODE_QUERY 0
#define DNS_CLASS_IN 1
#define DNS_FLAG_TRUNCATED 0x0200
#define DNS_TEXT_BYTES_MAX (256 << 10) /* of the records of a message; more sets TXN_LIMIT */

struct dns_message {
	const uint8_t *p; /* borrowed: the whole message */
	size_t n;
	uint16_t id;
	bool response;
	uint8_t opcode;
	uint16_t flags;					       /* the second 16 bits of the head */
	uint16_t questions, answers, authorities, additionals; /* as the head claims */
	struct dns_name name; /* of the first question, with n == 0 when there is none */
	uint16_t type, class;
	size_t records_at; /* offset of the answers */
};

/* Reads head and questions. -EBADMSG when they are not there. */
int dns_message_read(struct dns_message *m, const uint8_t *p, size_t n);

struct dns_record {
	struct dns_name owner;
	uint16_t type, class;
	uint32_t ttl;
	uint16_t n;
	struct cursor data; /* over the whole message, at the data's n octets */
};

/* Steps over a record, the first one standing at records_at; false when it is not there whole. */
bool dns_record_read(struct cursor *c, struct dns_record *r);

/* The OPT record, whose fixed fields EDNS uses otherwise (RFC 6891 section 6.1.3). */
bool dns_message_opt(const struct dns_message *m, struct dns_record *opt);

/* The same question, or one of them has none. */
bool dns_message_same_question(const struct dns_message *a, const struct dns_message *b);

/*
 * Appends what a message says to a transaction: the question unless it is there already, and of a response
 * its code, records, addresses, flags and EDNS. Sets TXN_AMBIGUOUS, with what is wrong, when the records
 * are not as the head counts them. -EBADMSG, with nothing appended, when it is no message.
 * For bodies of DNS over HTTPS (RFC 8484) too: the envelope is left alone.
 */
int dns_describe(struct txn *t, const uint8_t *p, size_t n);

/* Sets TXN_AMBIGUOUS and adds a reason to A_AMBIGUITY; `why` is static. */
void dns_ambiguous(struct txn *t, const char *why);

/* The response code with EDNS's upper bits: "NOERROR", "BADVERS", "RCODE4095". */
struct str dns_code_text(struct arena *a, const struct dns_message *m);
/* The response code, 0 to 4095. */
unsigned int dns_code(const struct dns_message *m);

/* What a line says of the question: its type, or the opcode when that is not QUERY; and the name. */
struct str dns_verb(struct arena *a, const struct dns_message *m);
struct str dns_target(struct arena *a, const struct dns_message *m);

/*
 * Can these be the first `have` octets of a message of `whole`? Strict: what no resolver sends is refused.
 * *enough is set when there was enough of it to be sure.
 */
bool dns_plausible(const uint8_t *p, size_t have, size_t whole, bool *enough);

#endif
