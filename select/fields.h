/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every output field of a transaction by its name: what the JSON writer prints and a filter compares.
 * The envelope's fields are rows of one table; the parser's attributes and the headers follow by name.
 */
#ifndef TLSLENS_SELECT_FIELDS_H
#define TLSLENS_SELECT_FIELDS_H

#include "core/buf.h"
#include "core/txn.h"

#define FIELDS_MAX 80
#define FIELD_LIST_MAX 256 /* elements of a list, values of one header that are looked at */

/* A value, reused from call to call. Zeroed before the first, given back with field_free(). */
struct field {
	struct attr v;	 /* type and value; borrows from the transaction, from text or from list */
	struct buf text; /* what had to be formatted */
	struct str list[FIELD_LIST_MAX];
};

void field_free(struct field *f);

/* What a field says the same of. */
enum field_scope {
	FIELD_OF_TXN,
	FIELD_OF_CONN, /* as long as the connection, the role and the evidence stay what they are */
	FIELD_OF_PROCESS, /* as long as it is this process */
};

/* One field of the envelope. */
struct field_ref {
	const char *name; /* static */
	bool (*get)(const struct txn *t, unsigned int arg, struct field *f);
	unsigned int arg;
	enum field_scope scope;
};

/*
 * The fields of the envelope in output order; returns how many. The first *lead of them stand before
 * the attributes, the rest behind.
 */
size_t fields_list(struct field_ref refs[FIELDS_MAX], size_t *lead);

/* The field of the envelope of that name; false when there is none. */
bool field_find(const char *name, struct field_ref *ref);

/* May a transaction have an attribute or a header of that output name? */
bool field_is_attribute(const char *name);

/* Fills f and returns true, or returns false when the transaction has no such field. */
static inline bool field_get(const struct field_ref *ref, const struct txn *t, struct field *f)
{
	return ref->get(t, ref->arg, f);
}

/*
 * The same by any output name: envelope, attribute, or http.request.header.<lower> and
 * http.response.header.<lower>, whatever the writers' allow-list is.
 */
bool field_by_name(const char *name, const struct txn *t, struct field *f);

/*
 * Calls fn with the output name and the value of each label of the container and the pod; a dot in a name is
 * `_`, so that none is a prefix of another. `name` is room for names. 0 or a negative errno.
 */
int field_each_label(const struct txn *t, struct buf *name,
		     void (*fn)(void *arg, struct str name, struct str value), void *arg);

/* A header's name as it stands in an output name: lower case, dots as `_`. 0 or a negative errno. */
int field_header_name(struct buf *b, struct str name);

#endif
