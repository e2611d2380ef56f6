/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The descriptors stay as protobuf-c unpacked them, and own every string; beside them stand a table of
 * message types, one of enums and one of methods, sorted by full name.
 */
#include "parsers/protobuf_types.h"

#include <errno.h>
#include <stdlib.h>

#include <google/protobuf/descriptor.pb-c.h>

#include "core/arena.h"

typedef Google__Protobuf__FileDescriptorSet set_proto;
typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;
typedef Google__Protobuf__EnumDescriptorProto enum_proto;
typedef Google__Protobuf__ServiceDescriptorProto service_proto;

#define NESTING_MAX 32 /* message types declared within each other */

struct pb_enum {
	struct str name; /* first: rows of the three tables are sorted by it */
	const enum_proto *from;
};

struct message_row {
	struct str name;
	const message_proto *from;
	struct pb_type type;
	uint32_t extensions; /* that are added to it */
};

struct method_row {
	struct str name; /* "pkg.Service/Method" */
	struct pb_method method;
};

struct pb_types {
	set_proto *set; /* owned */
	struct arena arena;
	struct message_row *messages;
	struct pb_enum *enums;
	struct method_row *methods;
	size_t message_count, enum_count, method_count;
};

/* What is found on the way through the files: counted first, then put into the tables. */
struct visit {
	struct pb_types *t;
	bool count_only;
	int err;
};

static int by_name(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	size_t n = x->n < y->n ? x->n : y->n;
	int order = n ? memcmp(x->p, y->p, n) : 0;

	return order ? order : (x->n > y->n) - (x->n < y->n);
}

static void *find_row(const void *rows, size_t count, size_t size, struct str name)
{
	return count ? bsearch(&name, rows, count, size, by_name) : NULL;
}

/* Type names in descriptors begin with a dot. */
static struct str full_name(const char *name)
{
	return str_from(name && *name == '.' ? name + 1 : name);
}

static struct str join(struct visit *v, struct str scope, char between, const char *name)
{
	struct str s;

	if (!scope.n)
		return str_from(name ? name : "");
	s = arena_printf(&v->t->arena, "%.*s%c%s", (int)scope.n, scope.p, between,
			 name ? name : "");
	if (!s.p)
		v->err = -ENOMEM;
	return s;
}

static void visit_enum(struct visit *v, struct str scope, const enum_proto *e)
{
	if (!v->count_only)
		v->t->enums[v->t->enum_count] = (struct pb_enum){join(v, scope, '.', e->name), e};
	v->t->enum_count++;
}

static void visit_message(struct visit *v, struct str scope, const message_proto *m, int depth)
{
	struct str name = STR_NONE;

	if (depth > NESTING_MAX)
		v->err = -EBADMSG;
	if (v->err)
		return;
	if (!v->count_only) {
		name = join(v, scope, '.', m->name);
		v->t->messages[v->t->message_count] = (struct message_row){.name = name, .from = m};
	}
	v->t->message_count++;
	for (size_t i = 0; i < m->n_nested_type; i++)
		visit_message(v, name, m->nested_type[i], depth + 1);
	for (size_t i = 0; i < m->n_enum_type; i++)
		visit_enum(v, name, m->enum_type[i]);
}

static void visit_service(struct visit *v, struct str scope, const service_proto *s)
{
	struct str name = v->count_only ? STR_NONE : join(v, scope, '.', s->name);

	for (size_t i = 0; i < s->n_method && !v->err; i++, v->t->method_count++)
		if (!v->count_only)
			v->t->methods[v->t->method_count].name =
				join(v, name, '/', s->method[i]->name);
}

static void visit_files(struct visit *v)
{
	v->t->message_count = v->t->enum_count = v->t->method_count = 0;
	for (size_t i = 0; i < v->t->set->n_file; i++) {
		const file_proto *f = v->t->set->file[i];
		struct str package = str_from(f->package);

		for (size_t k = 0; k < f->n_message_type; k++)
			visit_message(v, package, f->message_type[k], 0);
		for (size_t k = 0; k < f->n_enum_type; k++)
			visit_enum(v, package, f->enum_type[k]);
		for (size_t k = 0; k < f->n_service; k++)
			visit_service(v, package, f->service[k]);
	}
}

static struct message_row *find_message(const struct pb_types *t, struct str name)
{
	return find_row(t->messages, t->message_count, sizeof(*t->messages), name);
}

static int add_member(struct pb_types *t, struct pb_type *type, const field_proto *f,
		      struct str name)
{
	const struct message_row *m = find_message(t, full_name(f->type_name));

	if ((int)f->type < PB_DOUBLE || (int)f->type >= PB_KINDS || f->number <= 0 || !f->name)
		return -EBADMSG;
	type->members[type->count++] = (struct pb_member){
		.number = (uint32_t)f->number,
		.kind = (enum pb_kind)(int)f->type,
		.repeated =
			f->label == GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED,
		.oneof = f->has_oneof_index ? f->oneof_index : -1,
		.name = name,
		.message = m ? &m->type : NULL,
		.values = find_row(t->enums, t->enum_count, sizeof(*t->enums),
				   full_name(f->type_name)),
	};
	return 0;
}

static int fill_message(struct pb_types *t, struct message_row *row)
{
	const message_proto *m = row->from;
	size_t room = m->n_field + row->extensions;
	int err = 0;

	row->type.name = row->name;
	row->type.map_entry = m->options && m->options->map_entry;
	row->type.oneofs = (uint32_t)m->n_oneof_decl;
	row->type.members = arena_alloc(&t->arena, (room + 1) * sizeof(*row->type.members));
	if (!row->type.members)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_field && !err; i++)
		err = add_member(t, &row->type, m->field[i], str_from(m->field[i]->name));
	return err;
}

/* An extension of any type in the files (proto2): told of a first time, it is counted, then added. */
static int extend(struct pb_types *t, struct str scope, const field_proto *f, bool count_only)
{
	struct message_row *row = find_message(t, full_name(f->extendee));
	struct str name;

	if (!row)
		return 0;
	if (count_only) {
		row->extensions++;
		return 0;
	}
	name = arena_printf(&t->arena, "[%.*s%s%s]", (int)scope.n, scope.n ? scope.p : "",
			    scope.n ? "." : "", f->name ? f->name : "");
	return name.p ? add_member(t, &row->type, f, name) : -ENOMEM;
}

static int extend_all(struct pb_types *t, bool count_only)
{
	int err = 0;

	for (size_t i = 0; i < t->set->n_file; i++) {
		const file_proto *f = t->set->file[i];

		for (size_t k = 0; k < f->n_extension && !err; k++)
			err = extend(t, str_from(f->package), f->extension[k], count_only);
	}
	for (size_t i = 0; i < t->message_count; i++) {
		const message_proto *m = t->messages[i].from;

		for (size_t k = 0; k < m->n_extension && !err; k++)
			err = extend(t, t->messages[i].name, m->extension[k], count_only);
	}
	return err;
}

static int by_number(const void *a, const void *b)
{
	const struct pb_member *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static void fill_methods(struct pb_types *t)
{
	size_t at = 0;

	for (size_t i = 0; i < t->set->n_file; i++)
		for (size_t k = 0; k < t->set->file[i]->n_service; k++) {
			const service_proto *s = t->set->file[i]->service[k];

			for (size_t m = 0; m < s->n_method; m++, at++) {
				const struct message_row *in, *out;

				in = find_message(t, full_name(s->method[m]->input_type));
				out = find_message(t, full_name(s->method[m]->output_type));
				t->methods[at].method = (struct pb_method){in ? &in->type : NULL,
									   out ? &out->type : NULL};
			}
		}
	if (at)
		qsort(t->methods, at, sizeof(*t->methods), by_name);
}

static int make_tables(struct pb_types *t)
{
	struct visit v = {.t = t, .count_only = true};
	int err = 0;

	visit_files(&v);
	t->messages = arena_zalloc(&t->arena, (t->message_count + 1) * sizeof(*t->messages));
	t->enums = arena_zalloc(&t->arena, (t->enum_count + 1) * sizeof(*t->enums));
	t->methods = arena_zalloc(&t->arena, (t->method_count + 1) * sizeof(*t->methods));
	if (v.err || !t->messages || !t->enums || !t->methods)
		return v.err ? v.err : -ENOMEM;
	v.count_only = false;
	visit_files(&v);
	if (v.err)
		return v.err;
	qsort(t->messages, t->message_count, sizeof(*t->messages), by_name);
	qsort(t->enums, t->enum_count, sizeof(*t->enums), by_name);
	err = extend_all(t, true);
	for (size_t i = 0; i < t->message_count && !err; i++)
		err = fill_message(t, &t->messages[i]);
	if (!err)
		err = extend_all(t, false);
	for (size_t i = 0; i < t->message_count; i++) {
		struct pb_type *type = &t->messages[i].type;

		if (type->count)
			qsort(type->members, type->count, sizeof(*type->members), by_number);
	}
	fill_methods(t);
	return err;
}

int pb_types_load(struct pb_types **types, const uint8_t *p, size_t n)
{
	struct pb_types *t = calloc(1, sizeof(*t));
	int err;

	*types = NULL;
	if (!t)
		return -ENOMEM;
	t->set = google__protobuf__file_descriptor_set__unpack(NULL, n, p);
	err = t->set && t->set->n_file ? make_tables(t) : -EBADMSG;
	if (err)
		pb_types_free(t);
	else
		*types = t;
	return err;
}

void pb_types_free(struct pb_types *t)
{
	if (!t)
		return;
	google__protobuf__file_descriptor_set__free_unpacked(t->set, NULL);
	arena_free(&t->arena);
	free(t);
}

struct pb_method pb_method_find(const struct pb_types *t, struct str path)
{
	const struct method_row *row;

	if (path.n && path.p[0] == '/')
		path = (struct str){path.p + 1, path.n - 1};
	row = t ? find_row(t->methods, t->method_count, sizeof(*t->methods), path) : NULL;
	return row ? row->method : (struct pb_method){0};
}

const struct pb_type *pb_type_find(const struct pb_types *t, struct str name)
{
	const struct message_row *row = find_message(t, name);

	return row ? &row->type : NULL;
}

const struct pb_member *pb_member_find(const struct pb_type *t, uint32_t number)
{
	const struct pb_member key = {.number = number};

	return t->count ? bsearch(&key, t->members, t->count, sizeof(key), by_number) : NULL;
}

struct str pb_enum_name(const struct pb_enum *e, int32_t number)
{
	for (size_t i = 0; e && i < e->from->n_value; i++)
		if (e->from->value[i]->number == number)
			return str_from(e->from->value[i]->name);
	return STR_NONE;
}

enum pb_wire pb_kind_wire(enum pb_kind kind)
{
	switch (kind) {
	case PB_DOUBLE:
	case PB_FIXED64:
	case PB_SFIXED64:
		return PB_I64;
	case PB_FLOAT:
	case PB_FIXED32:
	case PB_SFIXED32:
		return PB_I32;
	case PB_STRING:
	case PB_BYTES:
	case PB_MESSAGE:
		return PB_LEN;
	case PB_OF_GROUP:
		return PB_GROUP;
	default:
		return PB_VARINT;
	}
}
