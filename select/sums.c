/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "select/sums.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/attr_names.h"
#include "select/human.h"

#define NUMBER_LIKE_BYTES 8 /* hex of that length with a digit in it is an id */
#define TOKEN_BYTES 24	    /* so long a part is one whatever it is made of */

const char *sums_key_name(enum sums_key k)
{
	static const char *const names[SUMS_KEYS] = {
		[SUMS_APP] = "process.executable.name",
		[SUMS_CONTAINER] = "container.name",
		[SUMS_ROLE] = "tlslens.role",
		[SUMS_PEER] = "tlslens.summary.peer",
		[SUMS_ADDRESS] = "network.peer.address",
		[SUMS_PORT] = "server.port",
		[SUMS_PROTOCOL] = "network.protocol.name",
		[SUMS_METHOD] = "http.request.method",
		[SUMS_ROUTE] = "http.route",
	};

	return names[k];
}

/* Numbers, UUIDs, hashes and tokens differ from call to call. */
static bool is_changing(struct str part)
{
	size_t digits = 0, hex = 0;

	for (size_t i = 0; i < part.n; i++) {
		digits += isdigit((unsigned char)part.p[i]) != 0;
		hex += isxdigit((unsigned char)part.p[i]) || part.p[i] == '-';
	}
	return part.n && (digits == part.n || part.n >= TOKEN_BYTES ||
			  (digits && hex == part.n && part.n >= NUMBER_LIKE_BYTES));
}

static void put_route(struct buf *b, struct str path)
{
	size_t at = 0, n;

	for (int parts = 0; at < path.n; parts++) {
		struct str part;

		at += path.p[at] == '/';
		for (n = 0; at + n < path.n && path.p[at + n] != '/'; n++)
			;
		part = (struct str){path.p + at, n};
		buf_putc(b, '/');
		if (parts == SUMS_ROUTE_PARTS) {
			buf_puts(b, "...");
			return;
		}
		if (is_changing(part))
			buf_putc(b, '*');
		else
			buf_put(b, part.p, part.n);
		at += n;
	}
}

/* One value of the key, cut and ended by NUL. */
static void put_value(struct buf *key, struct str v)
{
	for (size_t i = 0; i < v.n && i < SUMS_VALUE_MAX_BYTES; i++)
		buf_putc(key, v.p[i] ? (uint8_t)v.p[i] : ' ');
	buf_putc(key, '\0');
}

static void put_field(struct sums *s, struct buf *key, const char *name, const struct txn *t)
{
	struct field *f = &s->field;
	char text[24];
	int n;

	if (!field_by_name(name, t, f)) {
		buf_putc(key, '\0');
		return;
	}
	if (f->v.type == ATTR_INT) {
		n = snprintf(text, sizeof(text), "%lld", (long long)f->v.num);
		put_value(key, (struct str){text, (size_t)n});
	} else {
		put_value(key, f->v.type == ATTR_STR ? f->v.str : STR_NONE);
	}
}

/* gRPC has its method where HTTP has a route. */
static void put_what(struct sums *s, struct buf *key, const struct txn *t)
{
	const struct attr *path = txn_attr(t, A_URL_PATH), *rpc = txn_attr(t, A_RPC_METHOD);
	struct buf route = {0};

	if (rpc)
		put_value(key, STR_NONE);
	else
		put_field(s, key, A_HTTP_METHOD, t);
	if (rpc && rpc->type == ATTR_STR)
		buf_put(&route, rpc->str.p, rpc->str.n);
	else if (path && path->type == ATTR_STR)
		put_route(&route, path->str);
	put_value(key, (struct str){(const char *)route.p, route.n});
	buf_free(&route);
}

static int make_key(struct sums *s, struct buf *key, const struct txn *t)
{
	for (int k = 0; k < SUMS_METHOD; k++) {
		const char *name = sums_key_name(k);

		if (k == SUMS_PEER)
			name = t->role == ROLE_CLIENT ? "server.address" : "client.address";
		put_field(s, key, name, t);
	}
	put_what(s, key, t);
	return key->err;
}

static void rest_key(struct buf *key)
{
	buf_clear(key);
	put_value(key, STR(SUMS_REST));
	for (int k = 1; k < SUMS_KEYS; k++)
		buf_putc(key, '\0');
}

static struct sums_row *row_new(struct sums *s, const struct buf *key)
{
	struct sums_row *row = calloc(1, sizeof(*row));
	char *p;

	if (!row)
		return NULL;
	row->key = p = malloc(key->n);
	if (!p) {
		free(row);
		return NULL;
	}
	memcpy(p, key->p, key->n);
	for (int k = 0; k < SUMS_KEYS; k++) {
		row->v[k] = str_from(p);
		p += row->v[k].n + 1;
	}
	HASH_ADD_KEYPTR(hh, s->rows, row->key, key->n, row);
	return row;
}

static struct sums_row *row_of(struct sums *s, struct buf *key)
{
	struct sums_row *row;

	HASH_FIND(hh, s->rows, key->p, key->n, row);
	if (!row && HASH_COUNT(s->rows) >= SUMS_ROWS_MAX) {
		rest_key(key);
		HASH_FIND(hh, s->rows, key->p, key->n, row);
	}
	return row || !buf_ok(key) ? row : row_new(s, key);
}

int sums_add(struct sums *s, const struct txn *t)
{
	bool client = t->role == ROLE_CLIENT;
	struct buf key = {0};
	struct sums_row *row;

	if (t->flags & TXN_EARLY || txn_is_event(t))
		return 0;
	row = make_key(s, &key, t) ? NULL : row_of(s, &key);
	buf_free(&key);
	if (!row)
		return -ENOMEM;
	row->count++;
	row->errors += t->outcome >= OUTCOME_CLIENT_ERROR;
	row->bytes_out += client ? t->request_body_bytes : t->response_body_bytes;
	row->bytes_in += client ? t->response_body_bytes : t->request_body_bytes;
	histogram_add(&row->durations, human_elapsed_ns(t));
	return 0;
}

static int more_first(struct sums_row *a, struct sums_row *b)
{
	return (a->count < b->count) - (a->count > b->count);
}

void sums_sort(struct sums *s)
{
	HASH_SORT(s->rows, more_first);
}

void sums_clear(struct sums *s)
{
	struct sums_row *row, *next;

	HASH_ITER (hh, s->rows, row, next) {
		HASH_DEL(s->rows, row);
		free(row->key);
		free(row);
	}
	field_free(&s->field);
	s->field = (struct field){0};
}
