/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "select/rpc_body.h"

#include "core/cursor.h"
#include "parsers/grpc.h"

/* JSON for so many octets: quotes, numbers and names around small fields, several readings of one. */
#define JSON_GROWTH 32
#define JSON_BYTES_MIN 4096

struct shown {
	struct buf *out;
	const struct rpc_body *body;
	struct buf plain;
	size_t left; /* of body->limit */
	uint32_t fields;
	enum coding_result res;
};

static void spend(struct shown *s, struct str message)
{
	if (message.n > s->left) {
		message.n = s->left;
		s->res = CODING_CUT;
	}
	s->left -= message.n;
	if (!pb_json(s->out, s->body->type, message, &s->fields))
		s->res = CODING_CUT;
}

static void show_compressed(struct shown *s, struct str message)
{
	enum coding_result res = CODING_UNKNOWN;

	buf_clear(&s->plain);
	/* one coding, not a list as in HTTP */
	if (s->body->encoding.n && !memchr(s->body->encoding.p, ',', s->body->encoding.n))
		res = coding_undo(s->body->encoding, message, s->left, &s->plain);
	if (res != CODING_WHOLE)
		s->res = res;
	if (res == CODING_WHOLE || res == CODING_CUT)
		spend(s, (struct str){s->plain.n ? (const char *)s->plain.p : "", s->plain.n});
}

static bool useful(const struct shown *s)
{
	return s->res == CODING_WHOLE || s->res == CODING_CUT;
}

enum coding_result rpc_body_json(struct buf *out, const struct rpc_body *body)
{
	struct cursor c = cursor_init(body->framed.p, body->framed.n);
	struct shown s = {.out = out,
			  .body = body,
			  .left = body->limit,
			  .fields = PB_FIELDS_MAX,
			  .res = CODING_WHOLE};
	const char *before = "[";

	out->limit = out->n + body->limit * JSON_GROWTH + JSON_BYTES_MIN;
	for (; cursor_left(&c) >= GRPC_PREFIX && s.left && useful(&s); before = ",") {
		bool compressed = cursor_u8(&c);
		uint32_t length = cursor_u32(&c);
		size_t n = cursor_left(&c) < length ? cursor_left(&c) : length;
		struct str message = {(const char *)cursor_bytes(&c, n), n};

		if (n < length)
			s.res = CODING_CUT;
		buf_puts(out, before);
		if (compressed)
			show_compressed(&s, message);
		else
			spend(&s, message);
	}
	if (cursor_left(&c) && useful(&s))
		s.res = CODING_CUT;
	buf_puts(out, *before == '[' ? "[]" : "]");
	buf_free(&s.plain);
	return buf_ok(out) ? s.res : CODING_NO_MEMORY;
}
