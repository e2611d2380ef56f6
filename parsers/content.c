/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parsers/content.h"

static const struct content_ops *const rows[] = {&content_dns};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static struct str field(const struct header *headers, uint32_t count, struct str name)
{
	for (uint32_t i = 0; i < count; i++)
		if (!headers[i].trailer && str_ieq(headers[i].name, name))
			return headers[i].value;
	return STR_NONE;
}

/* RFC 9110 section 8.3.1: what stands before the parameters. */
static bool is_type(struct str value, struct str media_type)
{
	struct str head = {value.p, media_type.n};

	if (value.n < media_type.n || !str_ieq(head, media_type))
		return false;
	return value.n == media_type.n || strchr("; \t", value.p[media_type.n]);
}

bool content_is(const struct content_message *m, struct str media_type)
{
	struct str coding = field(m->headers, m->count, STR("content-encoding"));

	if (coding.n && !str_ieq(coding, STR("identity")))
		return false;
	return is_type(field(m->headers, m->count, STR("content-type")), media_type);
}

static const struct content_ops *row_of(const struct content_message *m)
{
	for (size_t i = 0; i < ROWS; i++)
		if (content_is(m, str_from(rows[i]->media_type)))
			return rows[i];
	return NULL;
}

size_t content_keep_bytes(const struct header *headers, uint32_t count, const struct limits *limits)
{
	const struct content_ops *row =
		row_of(&(struct content_message){.headers = headers, .count = count});

	return row && row->bytes_max > limits->body_bytes ? row->bytes_max : limits->body_bytes;
}

void content_emit(struct proto_sink *sink, struct txn *http, const struct content_message *req,
		  const struct content_message *resp)
{
	const struct content_ops *row = row_of(req);
	struct txn *carried;

	row = row ? row : row_of(resp);
	carried = row ? row->describe(sink, http, req, resp) : NULL;
	sink->ops->txn(sink, http);
	if (carried)
		sink->ops->txn(sink, carried);
}
