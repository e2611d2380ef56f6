/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The envelope of a transaction as keys and values of a JSON line. Most of it says who and where: the same in
 * every transaction of a connection, so what was made for one is kept for the next.
 */
#ifndef TLSLENS_WRITER_JSON_FIELDS_H
#define TLSLENS_WRITER_JSON_FIELDS_H

#include "core/buf.h"
#include "core/txn.h"

#define JSON_CONNS_KEPT \
	1024 /* connections whose fields are kept; the next one takes an older one's place */
#define JSON_CONN_MAX_BYTES 16384 /* a connection with more (a long command line) is not kept */

struct json_fields;

/* NULL without memory. */
struct json_fields *json_fields_new(void);
/* What stands before the attributes of the parser, and what stands behind them. */
void json_fields_lead(struct json_fields *j, struct buf *b, const struct txn *t);
void json_fields_rest(struct json_fields *j, struct buf *b, const struct txn *t);
void json_fields_free(struct json_fields *j);

#endif
