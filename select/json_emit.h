/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON values (RFC 8259) appended to a buffer, whose error is sticky. Whatever the bytes are, what comes
 * out is valid UTF-8 and one line. Values, keys and commas are the caller's business.
 */
#ifndef TLSLENS_SELECT_JSON_EMIT_H
#define TLSLENS_SELECT_JSON_EMIT_H

#include "core/buf.h"

/*
 * A string in its quotes. Control characters (C0, DEL, C1) become \u00NN, each ill-formed sequence one
 * U+FFFD. False when there was such a sequence, so that the caller can give the bytes in another form.
 */
bool json_quoted(struct buf *b, struct str s);
void json_int(struct buf *b, int64_t v);
void json_base64(struct buf *b, struct str s);
/* A value that is JSON already; line breaks between its tokens become spaces. */
void json_raw(struct buf *b, struct str s);
/* `,"name":` for a name that needs no escapes. */
void json_key(struct buf *b, struct str name);

/* Room for n bytes to write straight into, or NULL; b->n is then the caller's to move. */
static inline uint8_t *json_room(struct buf *b, size_t n)
{
	if (b->cap - b->n < n && buf_reserve(b, n))
		return NULL;
	return b->p + b->n;
}

/* Bytes that are JSON as they are. */
static inline void json_puts(struct buf *b, struct str s)
{
	uint8_t *o = json_room(b, s.n);

	if (o) {
		memcpy(o, s.p, s.n);
		b->n += s.n;
	}
}

#endif
