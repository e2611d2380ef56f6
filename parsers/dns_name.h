/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domain names on the wire (RFC 1035 section 3.1 and 4.1.4) and as text. */
#ifndef TLSLENS_PARSERS_DNS_NAME_H
#define TLSLENS_PARSERS_DNS_NAME_H

#include "core/buf.h"
#include "core/cursor.h"

#define DNS_NAME_MAX 255 /* octets, the root's included (RFC 1035 section 2.3.4) */

/* Uncompressed: labels with their lengths, ended by the root label. */
struct dns_name {
	uint8_t octets[DNS_NAME_MAX];
	uint8_t n;
};

/*
 * Reads a name; `c` ranges over the whole message, so that pointers can be followed. A pointer must lead
 * to before the labels it ends, so no loop is possible. False, with the cursor failed, for anything else.
 */
bool dns_name_read(struct cursor *c, struct dns_name *name);

/* ASCII case does not count (RFC 4343). */
bool dns_name_equal(const struct dns_name *a, const struct dns_name *b);

/* Of an ASCII capital its small letter, of others themselves; the lengths of labels are no letters. */
uint8_t dns_lower(uint8_t c);

/* Presentation format with escapes (RFC 1035 section 5.1), with the final dot when `dot`; "." is the root. */
void dns_name_text(struct buf *b, const struct dns_name *name, bool dot);

#endif
