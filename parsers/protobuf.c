/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parsers/protobuf.h"

#define VARINT_BYTES_MAX 10
#define FIELD_NUMBER_MAX 0x1fffffff

static uint64_t take_varint(struct cursor *c)
{
	uint64_t v = 0;
	uint8_t o;

	for (unsigned int i = 0; i < VARINT_BYTES_MAX; i++) {
		o = cursor_u8(c);
		/* the tenth octet has one bit left to give; readers drop the others */
		v |= (uint64_t)(o & 0x7f) << 7 * i;
		if (!(o & 0x80))
			return v;
	}
	c->failed = true;
	return 0;
}

static struct str take_bytes(struct cursor *c)
{
	uint64_t n = take_varint(c);
	const uint8_t *p;

	if (n > cursor_left(c)) {
		c->failed = true;
		return STR("");
	}
	p = cursor_bytes(c, (size_t)n);
	return p ? (struct str){(const char *)p, (size_t)n} : STR("");
}

static void take_tag(struct cursor *c, struct pb_field *f)
{
	uint64_t tag = take_varint(c);

	f->wire = (enum pb_wire)(tag & 7);
	f->number = (uint32_t)(tag >> 3);
	if (tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX || f->wire > PB_I32)
		c->failed = true;
}

/* The value behind a tag; of a group's begin and end there is none. */
static void take_value(struct cursor *c, struct pb_field *f)
{
	switch (f->wire) {
	case PB_VARINT:
		f->value = take_varint(c);
		break;
	case PB_I64:
		f->value = cursor_u64le(c);
		break;
	case PB_I32:
		f->value = cursor_u32le(c);
		break;
	case PB_LEN:
		f->bytes = take_bytes(c);
		break;
	case PB_GROUP:
	case PB_GROUP_END:
		break;
	}
}

/* Steps over the fields of a group and over its end, and of the groups within. */
static struct str take_group(struct cursor *c, uint32_t number)
{
	uint32_t open[PB_DEPTH_MAX] = {number};
	const uint8_t *from = c->pos, *end = from;
	unsigned int depth = 1;
	struct pb_field f;

	while (depth && cursor_left(c)) {
		end = c->pos;
		take_tag(c, &f);
		if (f.wire == PB_GROUP) {
			c->failed |= depth == PB_DEPTH_MAX;
			if (!c->failed)
				open[depth++] = f.number;
		} else if (f.wire == PB_GROUP_END) {
			c->failed |= open[--depth] != f.number;
		} else {
			take_value(c, &f);
		}
	}
	c->failed |= depth > 0;
	return c->failed ? STR("") : (struct str){(const char *)from, (size_t)(end - from)};
}

bool pb_next(struct cursor *c, struct pb_field *f)
{
	const uint8_t *at = c->pos;

	*f = (struct pb_field){.bytes = STR("")};
	if (!cursor_left(c))
		return false;
	take_tag(c, f);
	if (f->wire == PB_GROUP_END)
		c->failed = true; /* of a group that was not begun */
	if (f->wire == PB_GROUP && cursor_ok(c))
		f->bytes = take_group(c, f->number);
	else
		take_value(c, f);
	if (cursor_ok(c))
		return true;
	c->pos = at; /* what cannot be read begins here */
	return false;
}

bool pb_next_packed(struct cursor *c, enum pb_wire wire, uint64_t *v)
{
	struct pb_field f = {.wire = wire};

	if (!cursor_left(c))
		return false;
	take_value(c, &f);
	*v = f.value;
	return cursor_ok(c);
}

bool pb_plausible(struct str s)
{
	struct cursor c = cursor_init(s.p, s.n);
	struct pb_field f;

	while (pb_next(&c, &f))
		;
	return cursor_ok(&c);
}
