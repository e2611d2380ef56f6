/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transactions and their recycler: finished ones are kept with their first arena block. */
#include "core/txn.h"

#include <stdlib.h>

#define POOL_MAX 256
#define ATTRS_FIRST 32

static struct {
	struct txn *head;
	unsigned int count;
} pool;

struct txn *txn_new(const struct conn *conn)
{
	struct txn *t = pool.head;
	struct arena arena = {0};

	if (t) {
		pool.head = t->next;
		pool.count--;
		arena = t->arena;
	} else {
		t = malloc(sizeof(*t));
		if (!t)
			return NULL;
	}
	*t = (struct txn){.conn = conn, .arena = arena};
	return t;
}

void txn_free(struct txn *t)
{
	if (!t)
		return;
	if (pool.count >= POOL_MAX) {
		arena_free(&t->arena);
		free(t);
		return;
	}
	arena_reset(&t->arena);
	t->next = pool.head;
	pool.head = t;
	pool.count++;
}

void txn_pool_drain(void)
{
	struct txn *t;

	while ((t = pool.head)) {
		pool.head = t->next;
		arena_free(&t->arena);
		free(t);
	}
	pool.count = 0;
}

static struct attr *push(struct txn *t, const char *name, enum attr_type type)
{
	struct attr *grown, *a;
	uint32_t cap;

	if (t->attr_count == t->attr_cap) {
		cap = t->attr_cap ? TXN_ATTRS_MAX : ATTRS_FIRST;
		grown = t->attr_cap < TXN_ATTRS_MAX ? arena_alloc(&t->arena, cap * sizeof(*grown))
						    : NULL;
		if (!grown) {
			t->flags |= TXN_LIMIT;
			return NULL;
		}
		if (t->attr_count)
			memcpy(grown, t->attrs, t->attr_count * sizeof(*grown));
		t->attrs = grown;
		t->attr_cap = cap;
	}
	a = &t->attrs[t->attr_count++];
	*a = (struct attr){.name = name, .type = type};
	return a;
}

static void push_str(struct txn *t, const char *name, enum attr_type type, struct str v)
{
	struct attr *a = push(t, name, type);

	if (a)
		a->str = v;
}

void txn_str(struct txn *t, const char *name, struct str v)
{
	push_str(t, name, ATTR_STR, v);
}

void txn_bytes(struct txn *t, const char *name, struct str v)
{
	push_str(t, name, ATTR_BYTES, v);
}

void txn_json(struct txn *t, const char *name, struct str v)
{
	push_str(t, name, ATTR_JSON, v);
}

void txn_int(struct txn *t, const char *name, int64_t v)
{
	struct attr *a = push(t, name, ATTR_INT);

	if (a)
		a->num = v;
}

void txn_bool(struct txn *t, const char *name, bool v)
{
	struct attr *a = push(t, name, ATTR_BOOL);

	if (a)
		a->flag = v;
}

void txn_strs(struct txn *t, const char *name, struct str *v, uint32_t count)
{
	struct attr *a = push(t, name, ATTR_STRS);

	if (a) {
		a->strs = v;
		a->count = count;
	}
}

void txn_headers(struct txn *t, const char *name, struct header *v, uint32_t count)
{
	struct attr *a = push(t, name, ATTR_HEADERS);

	if (a) {
		a->headers = v;
		a->count = count;
	}
}

struct attr *txn_attr(const struct txn *t, const char *name)
{
	for (uint32_t i = 0; i < t->attr_count; i++)
		if (t->attrs[i].name == name || strcmp(t->attrs[i].name, name) == 0)
			return &t->attrs[i];
	return NULL;
}
