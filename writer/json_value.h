/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and attributes of a transaction as JSON, appended to a buffer whose error is sticky. */
#ifndef TLSLENS_WRITER_JSON_VALUE_H
#define TLSLENS_WRITER_JSON_VALUE_H

#include "core/buf.h"
#include "core/txn.h"

#define JSON_NAME_MAX_BYTES 96
#define JSON_DROPPED "tlslens.output.dropped" /* lines, for a slow reader, since the one before */

/* `,"name":`, made once. */
struct json_name {
	char text[JSON_NAME_MAX_BYTES];
	size_t n;
};

/* `header` is appended as it stands in an output name; may be absent. 0, or a negative errno. */
int json_name_make(struct json_name *k, const char *prefix, struct str header);
void json_name_put(struct buf *b, const struct json_name *k);

void json_value(struct buf *b, const struct attr *a);

#endif
