/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A message of Protocol Buffers as JSON.
 *
 * With its type: an object by field names, in the order of their numbers. Enums are names, maps objects,
 * bytes base64, numbers JSON numbers of any size; of a oneof the last on the wire counts. What the type does
 * not tell stands under "@unknown" in the other form.
 *
 * Without: an array of the fields as they stand on the wire, each with its number, its wire type and every
 * reading that its octets allow; more than one reading means that nobody can say which is meant:
 *   {"field":1,"wire":"varint","uint":150,"sint":75}       also "int" where it would be negative
 *   {"field":2,"wire":"i32","uint":1078530011,"float":3.14159}   ("i64": "double")
 *   {"field":3,"wire":"len","string":"\b\u0001","message":[...]}  or "packed", or "bytes" when none fits
 *   {"field":4,"wire":"group","message":[...]}
 *
 * Octets that are no field, or that no limit left room for, stand under "@unread" ("unread" without type).
 */
#ifndef TLSLENS_SELECT_PROTOBUF_JSON_H
#define TLSLENS_SELECT_PROTOBUF_JSON_H

#include "core/buf.h"
#include "parsers/protobuf_types.h"

#define PB_FIELDS_MAX 65536 /* written of one transaction */

/* Appends a message; `fields` is what is left of PB_FIELDS_MAX. False when something was left unread. */
bool pb_json(struct buf *out, const struct pb_type *type, struct str message, uint32_t *fields);

#endif
