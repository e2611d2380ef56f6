/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The grammar of filters, by recursive descent; a bad expression is refused at its column. */
#include "select/filter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "select/filter_tree.h"

struct parser {
	const char *begin, *p;
	struct filter *f;
	struct filter_error *why;
	unsigned int depth;
};

static int parse_or(struct parser *s, size_t *node);

__attribute__((format(printf, 3, 4))) static int refuse(struct parser *s, const char *at,
							const char *fmt, ...)
{
	va_list ap;

	s->why->column = (size_t)(at - s->begin) + 1;
	va_start(ap, fmt);
	vsnprintf(s->why->text, sizeof(s->why->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static void skip_space(struct parser *s)
{
	s->p += strspn(s->p, " \t\r\n");
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_.@-", c));
}

static size_t name_len(const char *p)
{
	size_t n = 0;

	while (is_name_char(p[n]))
		n++;
	return n;
}

static bool take_word(struct parser *s, const char *word)
{
	size_t n = strlen(word);

	skip_space(s);
	if (name_len(s->p) != n || memcmp(s->p, word, n) != 0)
		return false;
	s->p += n;
	return true;
}

static bool take_sign(struct parser *s, const char *sign)
{
	size_t n = strlen(sign);

	skip_space(s);
	if (strncmp(s->p, sign, n) != 0)
		return false;
	s->p += n;
	return true;
}

static int new_node(struct parser *s, enum filter_kind kind, size_t left, size_t right, size_t *out)
{
	struct filter *f = s->f;

	if (f->node_count == FILTER_NODES_MAX)
		return refuse(s, s->p, "more than %d conditions", FILTER_NODES_MAX);
	f->nodes[f->node_count] = (struct filter_node){.kind = kind, .left = left, .right = right};
	*out = f->node_count++;
	return 0;
}

static const struct unit {
	const char *name;
	int64_t times;
} units[] = {
	{"ns", 1},
	{"us", 1000},
	{"ms", 1000000},
	{"s", 1000000000},
	{"m", 60 * 1000000000ll},
	{"h", 3600 * 1000000000ll},
	{"B", 1},
	{"k", 1 << 10},
	{"K", 1 << 10},
	{"KiB", 1 << 10},
	{"kB", 1000},
	{"M", 1 << 20},
	{"MiB", 1 << 20},
	{"MB", 1000000},
	{"G", 1 << 30},
	{"GiB", 1 << 30},
	{"GB", 1000000000},
	{"", 1},
};

/* Decimals only as far as the unit goes: 1.5s is a whole number of ns. */
static int parse_number(struct parser *s, int64_t *v)
{
	const char *start = s->p, *unit;
	const char *fraction = NULL;
	size_t n, i = 0;
	bool negative = *s->p == '-', ok = true;
	int64_t scale;

	s->p += negative;
	*v = 0;
	for (; *s->p >= '0' && *s->p <= '9'; s->p++)
		ok = ok && !__builtin_mul_overflow(*v, 10, v) &&
		     !__builtin_add_overflow(*v, *s->p - '0', v);
	if (*s->p == '.') {
		fraction = ++s->p;
		s->p += strspn(s->p, "0123456789");
	}
	unit = s->p;
	n = name_len(unit);
	while (strlen(units[i].name) != n || memcmp(units[i].name, unit, n) != 0)
		if (++i == sizeof(units) / sizeof(units[0]))
			return refuse(s, unit,
				      "unknown unit '%.*s': ns us ms s m h, B k M G kB MB GB",
				      n > 16 ? 16 : (int)n, unit);
	s->p += n;
	ok = ok && !__builtin_mul_overflow(*v, units[i].times, v);
	scale = units[i].times;
	for (; fraction && fraction < unit; fraction++) {
		scale /= 10;
		ok = ok && !__builtin_add_overflow(*v, (*fraction - '0') * scale, v);
	}
	if (!ok)
		return refuse(s, start, "this number is too large");
	if (negative)
		*v = -*v;
	return 0;
}

/* Between quotes, with \" \' and \\ for themselves; other backslashes stand, as regexes need them. */
static int parse_string(struct parser *s, struct str *out)
{
	const char *start = s->p;
	char quote = *s->p++, *text = malloc(strlen(start));
	size_t n = 0;

	if (!text)
		return -ENOMEM;
	for (; *s->p && *s->p != quote; s->p++) {
		if (*s->p == '\\' && s->p[1] && (s->p[1] == quote || s->p[1] == '\\'))
			s->p++;
		text[n++] = *s->p;
	}
	if (!*s->p) {
		free(text);
		return refuse(s, start, "this text has no end");
	}
	s->p++;
	text[n] = '\0';
	*out = (struct str){text, n};
	return 0;
}

static int parse_value(struct parser *s)
{
	struct filter *f = s->f;
	struct filter_value *v = &f->values[f->value_count];
	int err = 0;

	skip_space(s);
	if (f->value_count == FILTER_VALUES_MAX)
		return refuse(s, s->p, "more than %d values", FILTER_VALUES_MAX);
	*v = (struct filter_value){.type = FILTER_NUMBER};
	if (*s->p == '"' || *s->p == '\'') {
		v->type = FILTER_TEXT;
		err = parse_string(s, &v->text);
	} else if ((*s->p >= '0' && *s->p <= '9') ||
		   (*s->p == '-' && s->p[1] >= '0' && s->p[1] <= '9')) {
		err = parse_number(s, &v->num);
	} else if ((v->num = take_word(s, "true")) || take_word(s, "false")) {
		v->type = FILTER_TRUTH;
	} else {
		return refuse(s, s->p, "a value is missing: \"text\", a number, true or false");
	}
	if (!err)
		f->value_count++;
	return err;
}

static enum filter_op parse_op(struct parser *s)
{
	/* Longer ones first. */
	static const struct {
		const char *sign;
		enum filter_op op;
	} ops[] = {
		{"==", FILTER_EQ}, {"!=", FILTER_NE}, {"<=", FILTER_LE},   {">=", FILTER_GE},
		{"<", FILTER_LT},  {">", FILTER_GT},  {"~", FILTER_MATCH},
	};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (take_sign(s, ops[i].sign))
			return ops[i].op;
	return take_word(s, "in") ? FILTER_IN : FILTER_THERE;
}

static int parse_list(struct parser *s)
{
	int err;

	if (!take_sign(s, "("))
		return refuse(s, s->p, "'(' is missing after in");
	do
		err = parse_value(s);
	while (!err && take_sign(s, ","));
	if (!err && !take_sign(s, ")"))
		err = refuse(s, s->p, "')' or ',' is missing");
	return err;
}

static int compile_regex(struct parser *s, struct filter_node *n, const char *at)
{
	const struct filter_value *v = &s->f->values[n->value];
	char text[96];
	int err;

	if (v->type != FILTER_TEXT)
		return refuse(s, at, "~ takes a regular expression in quotes");
	err = regcomp(&n->regex, v->text.p, REG_EXTENDED | REG_NOSUB);
	if (err) {
		regerror(err, &n->regex, text, sizeof(text));
		return refuse(s, at, "%s", text);
	}
	n->has_regex = true;
	return 0;
}

static int parse_operand(struct parser *s, struct filter_node *n)
{
	const char *at;
	int err;

	n->value = s->f->value_count;
	skip_space(s);
	at = s->p;
	n->op = parse_op(s);
	if (n->op == FILTER_THERE) {
		if (*s->p == '=')
			return refuse(s, at, "equality is written ==");
		return 0;
	}
	skip_space(s);
	at = s->p;
	err = n->op == FILTER_IN ? parse_list(s) : parse_value(s);
	if (!err && n->op == FILTER_MATCH)
		err = compile_regex(s, n, at);
	n->value_count = s->f->value_count - n->value;
	return err;
}

static int parse_test(struct parser *s, size_t *node)
{
	struct filter_node *n;
	size_t len;
	int err;

	skip_space(s);
	len = name_len(s->p);
	if (!len)
		return refuse(s, s->p, "the name of a field is missing");
	err = new_node(s, FILTER_TEST, 0, 0, node);
	if (err)
		return err;
	n = &s->f->nodes[*node];
	n->name = strndup(s->p, len);
	if (!n->name)
		return -ENOMEM;
	if (!field_find(n->name, &n->ref) && !field_is_attribute(n->name))
		return refuse(s, s->p, "no field is called '%.64s' (see the JSON output)", n->name);
	s->p += len;
	return parse_operand(s, n);
}

static int parse_not(struct parser *s, size_t *node)
{
	int err;

	if (s->depth == FILTER_DEPTH_MAX)
		return refuse(s, s->p, "nested deeper than %d", FILTER_DEPTH_MAX);
	s->depth++;
	if (take_word(s, "not")) {
		err = parse_not(s, node);
		if (!err)
			err = new_node(s, FILTER_NOT, *node, 0, node);
	} else if (take_sign(s, "(")) {
		err = parse_or(s, node);
		if (!err && !take_sign(s, ")"))
			err = refuse(s, s->p, "')' is missing");
	} else {
		err = parse_test(s, node);
	}
	s->depth--;
	return err;
}

static int parse_and(struct parser *s, size_t *node)
{
	size_t right;
	int err = parse_not(s, node);

	while (!err && take_word(s, "and")) {
		err = parse_not(s, &right);
		if (!err)
			err = new_node(s, FILTER_AND, *node, right, node);
	}
	return err;
}

static int parse_or(struct parser *s, size_t *node)
{
	size_t right;
	int err = parse_and(s, node);

	while (!err && take_word(s, "or")) {
		err = parse_and(s, &right);
		if (!err)
			err = new_node(s, FILTER_OR, *node, right, node);
	}
	return err;
}

int filter_compile(struct filter **out, const char *expr, struct filter_error *why)
{
	struct filter *f = calloc(1, sizeof(*f));
	struct parser s = {.begin = expr, .p = expr, .f = f, .why = why};
	int err = -ENOMEM;

	*why = (struct filter_error){0};
	if (!f)
		return err;
	f->nodes = calloc(FILTER_NODES_MAX, sizeof(*f->nodes));
	f->values = calloc(FILTER_VALUES_MAX + 1, sizeof(*f->values));
	if (f->nodes && f->values)
		err = parse_or(&s, &f->root);
	skip_space(&s);
	if (!err && *s.p)
		err = refuse(&s, s.p, "an operator, 'and' or 'or' is missing");
	if (err) {
		filter_free(f);
		return err;
	}
	*out = f;
	return 0;
}
