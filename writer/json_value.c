/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "writer/json_value.h"

#include <errno.h>

#include "select/fields.h"
#include "select/json_emit.h"

int json_name_make(struct json_name *k, const char *prefix, struct str header)
{
	struct buf full = {0}, quoted = {0};
	int err;

	buf_puts(&full, prefix);
	field_header_name(&full, header);
	buf_putc(&quoted, ',');
	json_quoted(&quoted, (struct str){(const char *)full.p, full.n});
	buf_putc(&quoted, ':');
	err = full.err ? full.err : quoted.err;
	if (!err && quoted.n > sizeof(k->text))
		err = -ENAMETOOLONG;
	if (!err) {
		memcpy(k->text, quoted.p, quoted.n);
		k->n = quoted.n;
	}
	buf_free(&full);
	buf_free(&quoted);
	return err;
}

void json_name_put(struct buf *b, const struct json_name *k)
{
	json_puts(b, (struct str){k->text, k->n});
}

static void put_strs(struct buf *b, const struct attr *a)
{
	buf_putc(b, '[');
	for (uint32_t i = 0; i < a->count; i++) {
		if (i)
			buf_putc(b, ',');
		json_quoted(b, a->strs[i]);
	}
	buf_putc(b, ']');
}

/* What is not known is null and said so: "" is a value (a header older than the join has none). */
static void put_header(struct buf *b, const struct header *h)
{
	bool name_ok = true, value_ok = true, unknown = !h->name.p;

	json_puts(b, STR("{\"name\":"));
	if (unknown)
		json_puts(b, STR("null"));
	else
		name_ok = json_quoted(b, h->name);
	json_puts(b, STR(",\"value\":"));
	if (!h->value.p && (unknown || h->oversize))
		json_puts(b, STR("null"));
	else
		value_ok = json_quoted(b, h->value);
	if (!name_ok) {
		json_puts(b, STR(",\"name_base64\":"));
		json_base64(b, h->name);
	}
	if (!value_ok) {
		json_puts(b, STR(",\"value_base64\":"));
		json_base64(b, h->value);
	}
	if (unknown && (h->value.p || h->oversize)) {
		json_puts(b, STR(",\"unknown\":\"name\""));
	} else if (unknown) {
		json_puts(b, STR(",\"unknown\":\"both\",\"ref\":"));
		json_int(b, h->ref);
	}
	if (h->never_indexed)
		json_puts(b, STR(",\"never_indexed\":true"));
	if (h->oversize)
		json_puts(b, STR(",\"oversize\":true"));
	if (h->trailer)
		json_puts(b, STR(",\"trailer\":true"));
	buf_putc(b, '}');
}

static void put_headers(struct buf *b, const struct attr *a)
{
	buf_putc(b, '[');
	for (uint32_t i = 0; i < a->count; i++) {
		if (i)
			buf_putc(b, ',');
		put_header(b, &a->headers[i]);
	}
	buf_putc(b, ']');
}

void json_value(struct buf *b, const struct attr *a)
{
	switch (a->type) {
	case ATTR_STR:
		json_quoted(b, a->str);
		break;
	case ATTR_INT:
		json_int(b, a->num);
		break;
	case ATTR_BOOL:
		json_puts(b, a->flag ? STR("true") : STR("false"));
		break;
	case ATTR_STRS:
		put_strs(b, a);
		break;
	case ATTR_HEADERS:
		put_headers(b, a);
		break;
	case ATTR_BYTES:
		json_base64(b, a->str);
		break;
	case ATTR_JSON:
		json_raw(b, a->str);
		break;
	}
}
