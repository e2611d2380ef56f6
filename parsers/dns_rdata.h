/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resource records as text: their types, their data and the options of EDNS. */
#ifndef TLSLENS_PARSERS_DNS_RDATA_H
#define TLSLENS_PARSERS_DNS_RDATA_H

#include "parsers/dns_name.h"

#define DNS_TYPE_A 1
#define DNS_TYPE_CNAME 5
#define DNS_TYPE_AAAA 28
#define DNS_TYPE_OPT 41
#define DNS_TYPE_TSIG 250

/* "AAAA", or "TYPE65280" (RFC 3597 section 5). */
void dns_type_text(struct buf *b, uint16_t type);
bool dns_type_known(uint16_t type);

/*
 * The data of a record in presentation format, as dig writes it. `c` ranges over the whole message and
 * stands at the data's n octets. Of an unknown type, or not what its type says: `\# 4 c0000201`
 * (RFC 3597 section 5).
 */
void dns_rdata_text(struct buf *b, struct cursor c, uint16_t type, size_t n);

/* One option of an OPT record (RFC 6891 section 6.1.2): "client-subnet 192.0.2.0/24/0", "cookie 0123". */
void dns_option_text(struct buf *b, uint16_t code, struct cursor data);

#endif
