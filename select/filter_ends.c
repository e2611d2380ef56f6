/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Of `and` both sides must hold, so each gives clauses; of `or` one, so both sides together give one clause, or none.
 * Nothing is drawn from `not`.
 */
#include "select/filter_ends.h"

#include <arpa/inet.h>

#include "select/filter_tree.h"

#define PORT_MAX 65535

/* Which end a server or a client is depends on the role, which only the bytes tell. */
static const struct end_field {
	const char *name;
	uint8_t ends;
	bool by_address;
} end_fields[] = {
	{"network.peer.port", END_BIT_PEER, false},
	{"network.local.port", END_BIT_LOCAL, false},
	{"server.port", END_BIT_PEER | END_BIT_LOCAL, false},
	{"client.port", END_BIT_PEER | END_BIT_LOCAL, false},
	{"network.peer.address", END_BIT_PEER, true},
	{"network.local.address", END_BIT_LOCAL, true},
	{"client.address", END_BIT_PEER | END_BIT_LOCAL, true},
};

static const struct end_field *field_of(const struct filter_node *n)
{
	for (size_t i = 0; i < sizeof(end_fields) / sizeof(end_fields[0]); i++)
		if (strcmp(n->name, end_fields[i].name) == 0)
			return &end_fields[i];
	return NULL;
}

static struct end_range *add(struct ends_wanted *w, const struct end_field *e)
{
	struct end_range *r = &w->v[w->ranges];

	if (w->ranges == ENDS_RANGES_MAX)
		return NULL;
	w->ranges++;
	*r = (struct end_range){
		.ends = e->ends, .by_address = e->by_address, .clause = (uint8_t)w->clauses};
	return r;
}

/* Nothing is in a range that ends before it begins. */
static bool add_ports(struct ends_wanted *w, const struct end_field *e, int64_t from, int64_t to)
{
	struct end_range *r = add(w, e);

	if (!r)
		return false;
	if (from < 0)
		from = 0;
	if (to > PORT_MAX)
		to = PORT_MAX;
	r->from = from > to ? 1 : (uint16_t)from;
	r->to = from > to ? 0 : (uint16_t)to;
	return true;
}

static bool add_port(struct ends_wanted *w, const struct end_field *e, enum filter_op op, int64_t v)
{
	switch (op) {
	case FILTER_EQ:
	case FILTER_IN:
		return add_ports(w, e, v, v);
	case FILTER_NE:
		return add_ports(w, e, 0, v < 0 ? PORT_MAX : v - 1) &&
		       add_ports(w, e, v < PORT_MAX ? v + 1 : PORT_MAX + 1, PORT_MAX);
	case FILTER_LT:
		return add_ports(w, e, 0, v < 0 ? -1 : v - 1);
	case FILTER_LE:
		return add_ports(w, e, 0, v);
	case FILTER_GT:
		return add_ports(w, e, v > PORT_MAX ? v : v + 1, PORT_MAX);
	case FILTER_GE:
		return add_ports(w, e, v, PORT_MAX);
	default:
		return false;
	}
}

static bool add_address(struct ends_wanted *w, const struct end_field *e, const char *text)
{
	uint8_t a[16] = {[10] = 0xff, [11] = 0xff};
	struct end_range *r;

	if (inet_pton(AF_INET, text, a + 12) != 1 && inet_pton(AF_INET6, text, a) != 1)
		return false;
	r = add(w, e);
	if (r)
		memcpy(r->address, a, sizeof(a));
	return r != NULL;
}

static bool add_value(struct ends_wanted *w, const struct end_field *e, enum filter_op op,
		      const struct filter_value *v)
{
	if (e->by_address)
		return (op == FILTER_EQ || op == FILTER_IN) && v->type == FILTER_TEXT &&
		       add_address(w, e, v->text.p);
	return v->type == FILTER_NUMBER && add_port(w, e, op, v->num);
}

static bool add_test(const struct filter *f, const struct filter_node *n, struct ends_wanted *w)
{
	const struct end_field *e = field_of(n);

	if (!e || !n->value_count)
		return false;
	for (size_t i = 0; i < n->value_count; i++)
		if (!add_value(w, e, n->op, &f->values[n->value + i]))
			return false;
	return true;
}

/* Ranges of which one must hold, added to the clause at hand; false: none are known, and some may be left there. */
static bool add_one_of(const struct filter *f, size_t at, struct ends_wanted *w)
{
	const struct filter_node *n = &f->nodes[at];
	uint32_t before = w->ranges;

	switch (n->kind) {
	case FILTER_TEST:
		return add_test(f, n, w);
	case FILTER_OR:
		return add_one_of(f, n->left, w) && add_one_of(f, n->right, w);
	case FILTER_AND:
		if (add_one_of(f, n->left, w))
			return true;
		w->ranges = before;
		return add_one_of(f, n->right, w);
	case FILTER_NOT:
		break;
	}
	return false;
}

static void add_clauses(const struct filter *f, size_t at, struct ends_wanted *w)
{
	const struct filter_node *n = &f->nodes[at];
	uint32_t before = w->ranges;

	if (n->kind == FILTER_AND) {
		add_clauses(f, n->left, w);
		add_clauses(f, n->right, w);
	} else if (w->clauses < ENDS_CLAUSES_MAX && add_one_of(f, at, w)) {
		w->clauses++;
	} else {
		w->ranges = before;
	}
}

bool filter_ends(const struct filter *f, struct ends_wanted *out)
{
	*out = (struct ends_wanted){0};
	add_clauses(f, f->root, out);
	return out->clauses > 0;
}
