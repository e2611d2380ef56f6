/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A compiled filter: nodes in an array, the parts of a node before the node. Private to filter*.c. */
#ifndef TLSLENS_SELECT_FILTER_TREE_H
#define TLSLENS_SELECT_FILTER_TREE_H

#include <regex.h>

#include "select/fields.h"

enum filter_kind {
	FILTER_TEST,
	FILTER_NOT,
	FILTER_AND,
	FILTER_OR,
};

enum filter_op {
	FILTER_THERE, /* a name alone */
	FILTER_EQ,
	FILTER_NE,
	FILTER_LT,
	FILTER_LE,
	FILTER_GT,
	FILTER_GE,
	FILTER_MATCH,
	FILTER_IN,
};

enum filter_type {
	FILTER_TEXT,
	FILTER_NUMBER,
	FILTER_TRUTH,
};

struct filter_value {
	enum filter_type type;
	struct str text; /* owned */
	int64_t num;
};

struct filter_node {
	enum filter_kind kind;
	size_t left, right;   /* nodes */
	enum filter_op op;    /* of a test, with what follows */
	char *name;	      /* owned */
	struct field_ref ref; /* get is NULL: an attribute or a header, found by name */
	size_t value, value_count;
	regex_t regex;
	bool has_regex;
	struct buf subject; /* what it is run over */
};

struct filter {
	struct filter_node *nodes;
	struct filter_value *values;
	size_t node_count, value_count, root;
	struct field field; /* room for the value that is looked at */
};

#endif
