/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters at work; select/filter_parse.c makes them. */
#include "select/filter.h"

#include <stdio.h>
#include <stdlib.h>

#include "select/filter_tree.h"

static int order_int(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int order_str(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : order_int((int64_t)a.n, (int64_t)b.n);
}

static bool fits(enum filter_op op, int order)
{
	switch (op) {
	case FILTER_EQ:
	case FILTER_IN:
		return order == 0;
	case FILTER_NE:
		return order != 0;
	case FILTER_LT:
		return order < 0;
	case FILTER_LE:
		return order <= 0;
	case FILTER_GT:
		return order > 0;
	case FILTER_GE:
		return order >= 0;
	default:
		return false;
	}
}

/* regexec() takes a string that ends with NUL; what stands behind a NUL of the value is not looked at. */
static bool matches_regex(struct filter_node *n, struct str s)
{
	buf_clear(&n->subject);
	buf_put(&n->subject, s.p, s.n);
	buf_putc(&n->subject, '\0');
	return buf_ok(&n->subject) &&
	       regexec(&n->regex, (const char *)n->subject.p, 0, NULL, 0) == 0;
}

/* A text against one literal; a number is not equal to any text. */
static bool test_str(struct filter_node *n, const struct filter_value *v, struct str s)
{
	if (n->op == FILTER_MATCH)
		return matches_regex(n, s);
	if (v->type != FILTER_TEXT)
		return n->op == FILTER_NE;
	return fits(n->op, order_str(s, v->text));
}

/* In quotes a number is compared as it is printed. */
static bool test_int(struct filter_node *n, const struct filter_value *v, int64_t num)
{
	char text[24];
	int len;

	if (n->op != FILTER_MATCH && v->type == FILTER_NUMBER)
		return fits(n->op, order_int(num, v->num));
	len = snprintf(text, sizeof(text), "%lld", (long long)num);
	return test_str(n, v, (struct str){text, (size_t)len});
}

static bool test_bool(struct filter_node *n, const struct filter_value *v, bool flag)
{
	if (n->op == FILTER_MATCH || v->type != FILTER_TRUTH)
		return false;
	return fits(n->op, order_int(flag, v->num));
}

/* != asks that no value is equal, all else that one fits. */
static bool test_strs(struct filter_node *n, const struct filter_value *v, const struct attr *a)
{
	bool all = n->op == FILTER_NE;

	for (uint32_t i = 0; i < a->count; i++)
		if (test_str(n, v, a->strs[i]) != all)
			return !all;
	return all;
}

static bool test_one(struct filter_node *n, const struct filter_value *v, const struct attr *a)
{
	switch (a->type) {
	case ATTR_STR:
	case ATTR_BYTES:
	case ATTR_JSON:
		return test_str(n, v, a->str);
	case ATTR_INT:
		return test_int(n, v, a->num);
	case ATTR_BOOL:
		return test_bool(n, v, a->flag);
	case ATTR_STRS:
		return test_strs(n, v, a);
	case ATTR_HEADERS:
		break; /* a list of pairs: only whether it is there */
	}
	return false;
}

static bool test(struct filter *f, struct filter_node *n, const struct txn *t)
{
	bool there = n->ref.get ? field_get(&n->ref, t, &f->field)
				: field_by_name(n->name, t, &f->field);
	const struct attr *a = &f->field.v;

	if (!there)
		return false;
	if (n->op == FILTER_THERE)
		return a->type == ATTR_BOOL ? a->flag : a->type != ATTR_STRS || a->count;
	for (size_t i = 0; i < n->value_count; i++)
		if (test_one(n, &f->values[n->value + i], a))
			return true;
	return false;
}

static bool eval(struct filter *f, size_t at, const struct txn *t)
{
	struct filter_node *n = &f->nodes[at];

	switch (n->kind) {
	case FILTER_AND:
		return eval(f, n->left, t) && eval(f, n->right, t);
	case FILTER_OR:
		return eval(f, n->left, t) || eval(f, n->right, t);
	case FILTER_NOT:
		return !eval(f, n->left, t);
	case FILTER_TEST:
		return test(f, n, t);
	}
	return false;
}

bool filter_match(struct filter *f, const struct txn *t)
{
	return eval(f, f->root, t);
}

/* As far as one can say without a transaction. */
enum verdict {
	VERDICT_NO,
	VERDICT_MAYBE,
	VERDICT_YES,
};

static bool is_protocol(const struct filter_node *n)
{
	return n->kind == FILTER_TEST && strcmp(n->name, "network.protocol.name") == 0;
}

static enum verdict test_protocol(struct filter *f, struct filter_node *n, const char *name)
{
	const struct attr a = {.type = ATTR_STR, .str = str_from(name)};

	if (!is_protocol(n))
		return VERDICT_MAYBE;
	if (n->op == FILTER_THERE)
		return VERDICT_YES;
	for (size_t i = 0; i < n->value_count; i++)
		if (test_one(n, &f->values[n->value + i], &a))
			return VERDICT_YES;
	return VERDICT_NO;
}

static enum verdict judge(struct filter *f, size_t at, const char *name)
{
	struct filter_node *n = &f->nodes[at];
	enum verdict left, right;

	if (n->kind == FILTER_TEST)
		return test_protocol(f, n, name);
	left = judge(f, n->left, name);
	if (n->kind == FILTER_NOT)
		return VERDICT_YES - left;
	right = judge(f, n->right, name);
	if (n->kind == FILTER_AND)
		return left < right ? left : right;
	return left > right ? left : right;
}

bool filter_may_match_protocol(struct filter *f, const char *name)
{
	return judge(f, f->root, name) != VERDICT_NO;
}

bool filter_asks_protocol(const struct filter *f)
{
	for (size_t i = 0; i < f->node_count; i++)
		if (is_protocol(&f->nodes[i]))
			return true;
	return false;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->node_count; i++) {
		free(f->nodes[i].name);
		buf_free(&f->nodes[i].subject);
		if (f->nodes[i].has_regex)
			regfree(&f->nodes[i].regex);
	}
	for (size_t i = 0; i < f->value_count; i++)
		free((char *)f->values[i].text.p);
	free(f->nodes);
	free(f->values);
	field_free(&f->field);
	free(f);
}
