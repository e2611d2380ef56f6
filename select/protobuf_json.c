/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hostile messages: depth, number of fields and output are bounded, and no work is done twice a level. */
#include "select/protobuf_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/arena.h"
#include "select/json_emit.h"
#include "select/utf8.h"

struct job {
	struct buf *b;
	struct arena scratch;
	uint32_t *fields; /* that may still be written */
	bool unread;
};

/* A field with the member of the type that it is. */
struct item {
	struct pb_field f;
	const struct pb_member *m; /* NULL: unknown */
	uint32_t order;		   /* on the wire */
};

static void put_message(struct job *j, const struct pb_type *type, struct str s, int depth);

static void put_uint(struct buf *b, uint64_t v)
{
	if (v <= INT64_MAX)
		json_int(b, (int64_t)v);
	else
		buf_printf(b, "%" PRIu64, v);
}

/* With as few digits as give the same number back. */
static void put_real(struct buf *b, double v, bool is_float)
{
	char text[32];
	int digits = is_float ? 6 : 15, most = is_float ? 9 : 17;

	if (!isfinite(v)) {
		buf_puts(b, isnan(v) ? "\"NaN\"" : v > 0 ? "\"Infinity\"" : "\"-Infinity\"");
		return;
	}
	do
		snprintf(text, sizeof(text), "%.*g", digits, v);
	while (++digits <= most &&
	       (is_float ? (double)strtof(text, NULL) : strtod(text, NULL)) != v);
	buf_puts(b, text);
}

static void put_float(struct buf *b, uint64_t bits)
{
	uint32_t v = (uint32_t)bits;
	float f;

	memcpy(&f, &v, sizeof(f));
	put_real(b, (double)f, true);
}

static void put_double(struct buf *b, uint64_t bits)
{
	double d;

	memcpy(&d, &bits, sizeof(d));
	put_real(b, d, false);
}

/* What is left of a message from where its fields end. */
static void put_unread(struct job *j, const struct cursor *c, const char *key)
{
	struct str rest = {(const char *)c->pos, (size_t)(c->end - c->pos)};

	if (!rest.n)
		return;
	j->unread = true;
	buf_puts(j->b, key);
	json_base64(j->b, rest);
}

/* Text that people write: no control characters but those of lines. */
static bool is_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((uint8_t)s.p[i] < 0x20 && !strchr("\t\n\r", s.p[i] ? s.p[i] : 1))
			return false;
	return !memchr(s.p, 0x7f, s.n) && utf8_valid(s);
}

static bool put_packed(struct buf *b, struct str s)
{
	struct cursor c = cursor_init(s.p, s.n);
	const char *before = ",\"packed\":[";
	uint64_t v;

	while (pb_next_packed(&c, PB_VARINT, &v))
		;
	if (!cursor_ok(&c))
		return false;
	for (c = cursor_init(s.p, s.n); pb_next_packed(&c, PB_VARINT, &v); before = ",") {
		buf_puts(b, before);
		put_uint(b, v);
	}
	buf_putc(b, ']');
	return true;
}

static void put_len_readings(struct job *j, struct str s, int depth)
{
	bool text = is_text(s), message = depth < PB_DEPTH_MAX && pb_plausible(s);

	if (text) {
		buf_puts(j->b, ",\"string\":");
		json_quoted(j->b, s);
	}
	if (message) {
		buf_puts(j->b, ",\"message\":");
		put_message(j, NULL, s, depth + 1);
	}
	if (text || message || put_packed(j->b, s))
		return;
	buf_puts(j->b, ",\"bytes\":");
	json_base64(j->b, s);
}

static void put_number_readings(struct buf *b, const struct pb_field *f)
{
	uint64_t v = f->value;
	int64_t negative = f->wire == PB_I32 ? (int32_t)v : (int64_t)v;

	buf_puts(b, ",\"uint\":");
	put_uint(b, v);
	if (negative < 0) {
		buf_puts(b, ",\"int\":");
		json_int(b, negative);
	}
	if (f->wire == PB_VARINT) {
		buf_puts(b, ",\"sint\":");
		json_int(b, pb_zigzag(v));
	} else if (f->wire == PB_I32) {
		buf_puts(b, ",\"float\":");
		put_float(b, v);
	} else {
		buf_puts(b, ",\"double\":");
		put_double(b, v);
	}
}

static void put_untyped_field(struct job *j, const struct pb_field *f, int depth)
{
	static const char *const names[] = {
		[PB_VARINT] = "varint", [PB_I64] = "i64",     [PB_LEN] = "len",
		[PB_GROUP] = "group",	[PB_GROUP_END] = "?", [PB_I32] = "i32",
	};

	buf_printf(j->b, "{\"field\":%" PRIu32 ",\"wire\":\"%s\"", f->number, names[f->wire]);
	if (f->wire == PB_LEN) {
		put_len_readings(j, f->bytes, depth);
	} else if (f->wire == PB_GROUP) {
		buf_puts(j->b, ",\"message\":");
		put_message(j, NULL, f->bytes, depth + 1);
	} else {
		put_number_readings(j->b, f);
	}
	buf_putc(j->b, '}');
}

static bool take(struct job *j, struct cursor *c, struct pb_field *f, int depth)
{
	if (!*j->fields || depth > PB_DEPTH_MAX || !buf_ok(j->b) || !pb_next(c, f))
		return false;
	--*j->fields;
	return true;
}

static void put_untyped(struct job *j, struct str s, int depth)
{
	struct cursor c = cursor_init(s.p, s.n);
	const char *before = "[";
	struct pb_field f;

	for (; take(j, &c, &f, depth); before = ",") {
		buf_puts(j->b, before);
		put_untyped_field(j, &f, depth);
	}
	if (*before == '[')
		buf_putc(j->b, '[');
	if (c.pos < c.end) {
		put_unread(j, &c, *before == '[' ? "{\"unread\":" : ",{\"unread\":");
		buf_putc(j->b, '}');
	}
	buf_putc(j->b, ']');
}

static void put_enum(struct buf *b, const struct pb_member *m, int32_t number)
{
	struct str name = pb_enum_name(m->values, number);

	if (name.p)
		json_quoted(b, name);
	else
		json_int(b, number);
}

static void put_value(struct job *j, const struct pb_member *m, const struct pb_field *f, int depth)
{
	struct buf *b = j->b;

	switch (m->kind) {
	case PB_DOUBLE:
		put_double(b, f->value);
		break;
	case PB_FLOAT:
		put_float(b, f->value);
		break;
	case PB_INT64:
	case PB_SFIXED64:
		json_int(b, (int64_t)f->value);
		break;
	case PB_UINT64:
	case PB_FIXED64:
		put_uint(b, f->value);
		break;
	case PB_INT32:
	case PB_SFIXED32:
		json_int(b, (int32_t)f->value);
		break;
	case PB_UINT32:
	case PB_FIXED32:
		json_int(b, (uint32_t)f->value);
		break;
	case PB_SINT32:
		json_int(b, pb_zigzag((uint32_t)f->value));
		break;
	case PB_SINT64:
		json_int(b, pb_zigzag(f->value));
		break;
	case PB_BOOL:
		buf_puts(b, f->value ? "true" : "false");
		break;
	case PB_ENUM:
		put_enum(b, m, (int32_t)f->value);
		break;
	case PB_STRING:
		json_quoted(b, f->bytes);
		break;
	case PB_BYTES:
		json_base64(b, f->bytes);
		break;
	case PB_MESSAGE:
	case PB_OF_GROUP:
		put_message(j, m->message, f->bytes, depth + 1);
		break;
	case PB_KINDS:
		break;
	}
}

/* One element or, packed, several. `before`: what stands in front of the next. */
static const char *put_element(struct job *j, const struct item *i, const char *before, int depth)
{
	enum pb_wire wire = pb_kind_wire(i->m->kind);
	struct pb_field f = i->f;
	struct cursor c;

	if (i->f.wire == wire) {
		buf_puts(j->b, before);
		put_value(j, i->m, &i->f, depth);
		return ",";
	}
	c = cursor_init(f.bytes.p, f.bytes.n);
	for (; pb_next_packed(&c, wire, &f.value); before = ",") {
		buf_puts(j->b, before);
		put_value(j, i->m, &f, depth);
	}
	j->unread |= !cursor_ok(&c);
	return before;
}

static void put_repeated(struct job *j, const struct item *items, size_t n, int depth)
{
	const char *before = "[";

	for (size_t i = 0; i < n; i++)
		before = put_element(j, &items[i], before, depth);
	buf_puts(j->b, *before == '[' ? "[]" : "]");
}

/* An entry of a map: its first and its second field, each with what an absent one means. */
struct entry {
	struct pb_field key, value;
	uint32_t order;
};

static struct entry read_entry(const struct item *i)
{
	struct entry e = {{.bytes = STR("")}, {.bytes = STR("")}, i->order};
	const struct pb_type *t = i->m->message;
	struct cursor c = cursor_init(i->f.bytes.p, i->f.bytes.n);
	struct pb_field f;

	while (pb_next(&c, &f)) {
		const struct pb_member *m = pb_member_find(t, f.number);

		if (m && f.wire == pb_kind_wire(m->kind))
			*(f.number == 1 ? &e.key : &e.value) = f;
	}
	return e;
}

static int compare_keys(const struct entry *a, const struct entry *b)
{
	size_t n = a->key.bytes.n < b->key.bytes.n ? a->key.bytes.n : b->key.bytes.n;
	int order = n ? memcmp(a->key.bytes.p, b->key.bytes.p, n) : 0;

	if (!order)
		order = (a->key.bytes.n > b->key.bytes.n) - (a->key.bytes.n < b->key.bytes.n);
	return order ? order : (a->key.value > b->key.value) - (a->key.value < b->key.value);
}

static int by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = compare_keys(x, y);

	return order ? order : (x->order > y->order) - (x->order < y->order);
}

static bool is_map(const struct pb_member *m)
{
	const struct pb_type *t = m->message;

	return m->repeated && t && t->map_entry && t->count == 2 && t->members[0].number == 1 &&
	       t->members[1].number == 2;
}

/* By its keys; of entries with the same one the last on the wire counts. */
static void put_map(struct job *j, const struct item *items, size_t n, int depth)
{
	const struct pb_member *member = items->m->message->members;
	struct entry *e = arena_alloc(&j->scratch, n * sizeof(*e));
	const char *before = "{";

	if (!e) {
		j->unread = true;
		buf_puts(j->b, "{}");
		return;
	}
	for (size_t i = 0; i < n; i++)
		e[i] = read_entry(&items[i]);
	qsort(e, n, sizeof(*e), by_key);
	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n && compare_keys(&e[i], &e[i + 1]) == 0)
			continue;
		buf_puts(j->b, before);
		before = ",";
		if (member[0].kind != PB_STRING)
			buf_putc(j->b, '"');
		put_value(j, &member[0], &e[i].key, depth);
		buf_puts(j->b, member[0].kind == PB_STRING ? ":" : "\":");
		put_value(j, &member[1], &e[i].value, depth);
	}
	buf_putc(j->b, '}');
}

/* Messages of one field merge, which is what the octets of all of them in a row mean. */
static void put_single(struct job *j, const struct item *items, size_t n, int depth)
{
	struct pb_field f = items[n - 1].f;
	size_t total = 0;
	char *all;

	if (n > 1 && (items->m->kind == PB_MESSAGE || items->m->kind == PB_OF_GROUP)) {
		for (size_t i = 0; i < n; i++)
			total += items[i].f.bytes.n;
		all = arena_alloc(&j->scratch, total + 1);
		f.bytes = (struct str){all, 0};
		for (size_t i = 0; all && i < n; i++) {
			if (items[i].f.bytes.n)
				memcpy(all + f.bytes.n, items[i].f.bytes.p, items[i].f.bytes.n);
			f.bytes.n += items[i].f.bytes.n;
		}
		if (!all) {
			f = items[n - 1].f;
			j->unread = true;
		}
	}
	put_value(j, items->m, &f, depth);
}

static bool fits(const struct pb_member *m, const struct pb_field *f)
{
	enum pb_wire wire = pb_kind_wire(m->kind);
	bool number = wire != PB_LEN && wire != PB_GROUP;

	return f->wire == wire || (m->repeated && number && f->wire == PB_LEN);
}

static int by_member(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	uint32_t n = x->m ? x->m->number : UINT32_MAX, k = y->m ? y->m->number : UINT32_MAX;

	return n != k ? (n > k) - (n < k) : (x->order > y->order) - (x->order < y->order);
}

/* Every field of the message, by member, unknown ones last. */
static struct item *collect(struct job *j, const struct pb_type *type, struct cursor *c,
			    size_t *count, int depth)
{
	struct cursor ahead = *c;
	struct pb_field f;
	struct item *items;
	size_t n = 0;

	while (n < *j->fields && pb_next(&ahead, &f))
		n++;
	items = arena_alloc(&j->scratch, (n + 1) * sizeof(*items));
	for (*count = 0; items && *count < n && take(j, c, &f, depth); ++*count) {
		const struct pb_member *m = pb_member_find(type, f.number);

		items[*count] = (struct item){f, m && fits(m, &f) ? m : NULL, (uint32_t)*count};
	}
	if (*count)
		qsort(items, *count, sizeof(*items), by_member);
	if (items && *count == n)
		*c = ahead; /* at its end, or where it fails */
	return items;
}

/* Of a oneof only the last on the wire is set. */
static bool overridden(const uint32_t *last, const struct pb_type *type, const struct item *i)
{
	return last && i->m->oneof >= 0 && (uint32_t)i->m->oneof < type->oneofs &&
	       last[i->m->oneof] > i->order;
}

static uint32_t *last_of_oneofs(struct job *j, const struct pb_type *type, const struct item *items,
				size_t n)
{
	uint32_t *last = NULL;

	if (type->oneofs)
		last = arena_zalloc(&j->scratch, type->oneofs * sizeof(*last));
	for (size_t i = 0; last && i < n && items[i].m; i++) {
		int32_t o = items[i].m->oneof;

		if (o >= 0 && (uint32_t)o < type->oneofs && items[i].order > last[o])
			last[o] = items[i].order;
	}
	return last;
}

static void put_member(struct job *j, const struct item *items, size_t n, int depth)
{
	const struct pb_member *m = items->m;

	json_quoted(j->b, m->name);
	buf_putc(j->b, ':');
	if (is_map(m))
		put_map(j, items, n, depth);
	else if (m->repeated)
		put_repeated(j, items, n, depth);
	else
		put_single(j, items, n, depth);
}

static void put_unknown(struct job *j, const struct item *items, size_t n, int depth)
{
	const char *before = "\"@unknown\":[";

	for (size_t i = 0; i < n; i++, before = ",") {
		buf_puts(j->b, before);
		put_untyped_field(j, &items[i].f, depth);
	}
	buf_putc(j->b, ']');
}

static void put_typed(struct job *j, const struct pb_type *type, struct str s, int depth)
{
	struct cursor c = cursor_init(s.p, s.n);
	size_t count = 0, same;
	struct item *items = collect(j, type, &c, &count, depth);
	const uint32_t *last = last_of_oneofs(j, type, items, count);
	bool first = true;

	buf_putc(j->b, '{');
	for (size_t i = 0; i < count; i += same) {
		for (same = 1; i + same < count && items[i + same].m == items[i].m;)
			same++;
		if (items[i].m && overridden(last, type, &items[i + same - 1]))
			continue;
		if (!first)
			buf_putc(j->b, ',');
		first = false;
		if (items[i].m)
			put_member(j, items + i, same, depth);
		else
			put_unknown(j, items + i, same, depth);
	}
	put_unread(j, &c, first ? "\"@unread\":" : ",\"@unread\":");
	buf_putc(j->b, '}');
}

static void put_message(struct job *j, const struct pb_type *type, struct str s, int depth)
{
	if (type)
		put_typed(j, type, s, depth);
	else
		put_untyped(j, s, depth);
}

bool pb_json(struct buf *out, const struct pb_type *type, struct str message, uint32_t *fields)
{
	struct job j = {.b = out, .fields = fields};

	put_message(&j, type, message, 0);
	arena_free(&j.scratch);
	return !j.unread;
}
