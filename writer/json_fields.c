/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept is found by the connection's number and holds as long as the connection, its role and its evidence
 * are what they were to the last byte.
 */
#include "writer/json_fields.h"

#include <assert.h>
#include <stdlib.h>

#include "select/fields.h"
#include "select/json_emit.h"
#include "writer/json_value.h"

#define RUNS_MAX 16 /* of neighbouring fields that are the connection's */

/* On what the fields of a connection depend. */
struct state {
	struct conn conn; /* by value, compared as bytes; nothing in it is followed */
	enum role role;
	enum peer_source source;
};

struct kept {
	struct state state;
	struct buf text; /* every run, one after the other */
	uint32_t end[RUNS_MAX];
	bool made;
};

struct json_fields {
	struct field_ref refs[FIELDS_MAX];
	struct json_name names[FIELDS_MAX];
	size_t count, lead;
	struct field field;
	struct kept *kept[JSON_CONNS_KEPT];
};

struct json_fields *json_fields_new(void)
{
	struct json_fields *j = calloc(1, sizeof(*j));
	int err = 0;

	if (!j)
		return NULL;
	j->count = fields_list(j->refs, &j->lead);
	for (size_t i = 0; !err && i < j->count; i++)
		err = json_name_make(&j->names[i], j->refs[i].name, STR_NONE);
	if (!err)
		return j;
	json_fields_free(j);
	return NULL;
}

void json_fields_free(struct json_fields *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < JSON_CONNS_KEPT; i++) {
		if (j->kept[i])
			buf_free(&j->kept[i]->text);
		free(j->kept[i]);
	}
	field_free(&j->field);
	free(j);
}

static void put(struct json_fields *j, struct buf *b, const struct txn *t, size_t i)
{
	if (!field_get(&j->refs[i], t, &j->field))
		return;
	json_name_put(b, &j->names[i]);
	json_value(b, &j->field.v);
}

void json_fields_lead(struct json_fields *j, struct buf *b, const struct txn *t)
{
	for (size_t i = 0; i < j->lead; i++)
		put(j, b, t, i);
}

static void make(struct json_fields *j, struct kept *k, const struct txn *t)
{
	size_t run = 0;

	buf_clear(&k->text);
	k->text.limit = JSON_CONN_MAX_BYTES;
	for (size_t i = j->lead; i < j->count; i++) {
		if (j->refs[i].scope == FIELD_OF_TXN)
			continue;
		put(j, &k->text, t, i);
		if (i + 1 == j->count || j->refs[i + 1].scope == FIELD_OF_TXN)
			k->end[run++] = (uint32_t)k->text.n;
		assert(run < RUNS_MAX);
	}
}

/* What is kept for the connection, made anew when it changed; NULL when it cannot be kept. */
static const struct kept *kept_for(struct json_fields *j, const struct txn *t)
{
	struct kept **slot = &j->kept[t->conn->seq % JSON_CONNS_KEPT], *k = *slot;

	if (txn_is_event(t)) /* it has none */
		return NULL;
	if (!k) {
		k = *slot = calloc(1, sizeof(*k));
		if (!k)
			return NULL;
	}
	if (!k->made || k->state.role != t->role || k->state.source != t->source ||
	    memcmp(&k->state.conn, t->conn, sizeof(k->state.conn)) != 0) {
		memcpy(&k->state.conn, t->conn, sizeof(k->state.conn));
		k->state.role = t->role;
		k->state.source = t->source;
		make(j, k, t);
		k->made = true;
	}
	return buf_ok(&k->text) ? k : NULL;
}

void json_fields_rest(struct json_fields *j, struct buf *b, const struct txn *t)
{
	const struct kept *k = kept_for(j, t);
	size_t run = 0, from = 0;

	for (size_t i = j->lead; i < j->count; i++) {
		if (!k || j->refs[i].scope == FIELD_OF_TXN) {
			put(j, b, t, i);
			continue;
		}
		json_puts(b, (struct str){(const char *)k->text.p + from, k->end[run] - from});
		from = k->end[run++];
		while (i + 1 < j->count && j->refs[i + 1].scope != FIELD_OF_TXN)
			i++;
	}
}
