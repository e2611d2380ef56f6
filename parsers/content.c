/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parsers/content.h"

#include "core/attr_names.h"

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

/* Of the fields only the one that tells what the octets are. */
static void add_type(struct txn *t, const char *name, struct str type)
{
	struct header *h = type.p ? arena_zalloc(&t->arena, sizeof(*h)) : NULL;

	if (!h)
		return;
	h->name = STR("content-type");
	h->value = arena_str(&t->arena, type.p, type.n);
	if (h->value.p)
		txn_headers(t, name, h, 1);
}

void content_describe_piece(struct txn *t, const struct content_piece *p,
			    const struct limits *limits)
{
	size_t shown = p->octets.n < limits->body_bytes ? p->octets.n : limits->body_bytes;
	struct str coding = field(p->headers, p->count, STR("content-encoding"));
	struct str v = arena_str(&t->arena, p->octets.p, shown);

	t->event_name = p->request ? "http.request.body.chunk" : "http.response.body.chunk";
	t->flags |= TXN_EARLY;
	*(p->request ? &t->request_body_bytes : &t->response_body_bytes) = p->octets.n;
	if (!p->misplaced)
		txn_int(t, A_CHUNK_OFFSET, (int64_t)p->offset);
	txn_int(t, A_CHUNK_SIZE, (int64_t)p->octets.n);
	if (v.p)
		txn_bytes(t, p->request ? A_REQUEST_BODY_BASE64 : A_RESPONSE_BODY_BASE64, v);
	/* a part of a coded body cannot be read alone */
	if (coding.n && !str_ieq(coding, STR("identity")))
		txn_str(t, p->request ? A_REQUEST_BODY_CODING : A_RESPONSE_BODY_CODING,
			arena_str(&t->arena, coding.p, coding.n));
	add_type(t, p->request ? A_REQUEST_HEADERS : A_RESPONSE_HEADERS,
		 field(p->headers, p->count, STR("content-type")));
}
