/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frame headers: a row per type says what may be in them. */
#include "parsers/h2_frame.h"

#include "core/cursor.h"
#include "parsers/hpack.h"

#define SETTINGS_ENTRIES_PLAUSIBLE 32
#define ERROR_CODES 14 /* RFC 9113 section 7 */

enum on_stream {
	ANY_STREAM,
	NO_STREAM,  /* of the connection: stream 0 */
	THE_STREAM, /* never stream 0 */
};

struct type_rule {
	bool known;
	uint8_t flags; /* that have a meaning */
	enum on_stream on;
	uint32_t min, max; /* payload octets; max 0: no limit of its own */
};

static const struct type_rule rules[] = {
	[H2_DATA] = {true, H2_END_STREAM | H2_PADDED, THE_STREAM, 0, 0},
	[H2_HEADERS] = {true, H2_END_STREAM | H2_END_HEADERS | H2_PADDED | H2_WITH_PRIORITY,
			THE_STREAM, 0, 0},
	[H2_PRIORITY] = {true, 0, THE_STREAM, 5, 5},
	[H2_RST_STREAM] = {true, 0, THE_STREAM, 4, 4},
	[H2_SETTINGS] = {true, H2_ACK, NO_STREAM, 0, 0},
	[H2_PUSH_PROMISE] = {true, H2_END_HEADERS | H2_PADDED, THE_STREAM, 4, 0},
	[H2_PING] = {true, H2_ACK, NO_STREAM, 8, 8},
	[H2_GOAWAY] = {true, 0, NO_STREAM, 8, 0},
	[H2_WINDOW_UPDATE] = {true, 0, ANY_STREAM, 4, 4},
	[H2_CONTINUATION] = {true, H2_END_HEADERS, THE_STREAM, 0, 0},
	[H2_ALTSVC] = {true, 0, ANY_STREAM, 2, 0},
	[H2_ORIGIN] = {true, 0, NO_STREAM, 0, 0},
	[H2_PRIORITY_UPDATE] = {true, 0, NO_STREAM, 4, 0},
};

static const struct type_rule *rule_of(uint8_t type)
{
	bool known = type < sizeof(rules) / sizeof(rules[0]) && rules[type].known;

	return known ? &rules[type] : NULL;
}

static struct h2_frame take_frame(struct cursor *c)
{
	struct h2_frame f = {.length = cursor_u24(c)};
	uint32_t stream;

	f.type = cursor_u8(c);
	f.flags = cursor_u8(c);
	stream = cursor_u32(c);
	f.stream = stream & 0x7fffffff;
	f.reserved = stream >> 31;
	return f;
}

struct h2_frame h2_frame_parse(const uint8_t head[H2_FRAME_HEAD])
{
	struct cursor c = cursor_init(head, H2_FRAME_HEAD);

	return take_frame(&c);
}

uint32_t h2_frame_fixed(const struct h2_frame *f)
{
	const struct type_rule *r = rule_of(f->type);
	uint32_t n = r ? r->min : 0;

	if (!r)
		return 0;
	if (f->type == H2_SETTINGS && f->length)
		return H2_SETTINGS_ENTRY;
	if (f->flags & r->flags & H2_PADDED)
		n++;
	if (f->flags & r->flags & H2_WITH_PRIORITY)
		n += 5;
	return n;
}

bool h2_frame_valid(const struct h2_frame *f, uint32_t length_max)
{
	const struct type_rule *r = rule_of(f->type);

	if (f->length > length_max)
		return false;
	if (!r)
		return true;
	if ((r->on == NO_STREAM && f->stream) || (r->on == THE_STREAM && !f->stream))
		return false;
	if (f->length < h2_frame_fixed(f) || (r->max && f->length > r->max))
		return false;
	if (f->type != H2_SETTINGS)
		return true;
	return f->length % H2_SETTINGS_ENTRY == 0 && !(f->flags & H2_ACK && f->length);
}

/* Stricter than the law: an undefined flag, an unknown type or the reserved bit is rare on the wire. */
static bool usual(const struct h2_frame *f)
{
	const struct type_rule *r = rule_of(f->type);

	if (!r || f->reserved || (f->flags & ~r->flags))
		return false;
	if (f->type == H2_SETTINGS && f->length > SETTINGS_ENTRIES_PLAUSIBLE * H2_SETTINGS_ENTRY)
		return false;
	if (f->length == 0 && (f->type == H2_HEADERS || f->type == H2_CONTINUATION ||
			       (f->type == H2_DATA && !(f->flags & H2_END_STREAM))))
		return false;
	return h2_frame_valid(f, H2_FRAME_BYTES_DEFAULT);
}

/* RFC 9113 section 6.5.2: two settings have values that would end the connection. */
static bool usual_settings(struct cursor *c)
{
	while (cursor_left(c)) {
		uint16_t id = cursor_u16(c);
		uint32_t v = cursor_u32(c);

		if (id == 0 || (id == 2 && v > 1) ||
		    (id == 5 && (v < H2_FRAME_BYTES_DEFAULT || v >> 24)))
			return false;
	}
	return cursor_ok(c);
}

static bool usual_fragment(const struct h2_frame *f, struct cursor *c)
{
	uint8_t pad = f->flags & H2_PADDED ? cursor_u8(c) : 0;
	size_t n;

	if (f->flags & H2_WITH_PRIORITY)
		cursor_skip(c, 5);
	if (f->type == H2_PUSH_PROMISE && (cursor_u32(c) & 0x80000001))
		return false; /* pushed streams have even numbers (RFC 9113 section 5.1.1) */
	n = cursor_left(c);
	if (!cursor_ok(c) || pad > n)
		return false;
	return !(f->flags & H2_END_HEADERS) || hpack_plausible(c->pos, n - pad);
}

/* The payload, when it is there whole. */
static bool usual_payload(const struct h2_frame *f, struct cursor *c)
{
	uint32_t v;

	switch (f->type) {
	case H2_DATA:
		return !(f->flags & H2_PADDED) || cursor_u8(c) < f->length;
	case H2_HEADERS:
	case H2_PUSH_PROMISE:
		return usual_fragment(f, c);
	case H2_SETTINGS:
		return usual_settings(c);
	case H2_RST_STREAM:
		return cursor_u32(c) < ERROR_CODES;
	case H2_GOAWAY:
		cursor_u32(c);
		return cursor_u32(c) < ERROR_CODES;
	case H2_WINDOW_UPDATE:
		v = cursor_u32(c);
		return v && !(v >> 31);
	default:
		return true;
	}
}

/* Can these fewer than nine octets begin a frame? */
static bool usual_beginning(const uint8_t *p, size_t n)
{
	if (n >= 1 && p[0])
		return false; /* longer than H2_FRAME_BYTES_DEFAULT */
	if (n >= 2 && p[1] > H2_FRAME_BYTES_DEFAULT >> 8)
		return false;
	return n < 4 || rule_of(p[3]);
}

struct h2_chain h2_chain_follow(const uint8_t *p, size_t n)
{
	struct h2_chain res = {.plausible = true};
	struct cursor c = cursor_init(p, n), payload;
	bool open_block = false; /* CONTINUATION must follow (RFC 9113 section 6.2) */
	struct h2_frame f;

	while (cursor_left(&c) >= H2_FRAME_HEAD && res.frames < H2_CHAIN_FRAMES) {
		f = take_frame(&c);
		if (!usual(&f) || (res.frames && open_block != (f.type == H2_CONTINUATION)))
			goto no;
		open_block = (f.type == H2_HEADERS || f.type == H2_PUSH_PROMISE ||
			      f.type == H2_CONTINUATION) &&
			     !(f.flags & H2_END_HEADERS);
		res.frames++;
		if (cursor_left(&c) < f.length) {
			res.want = cursor_offset(&c) + f.length;
			return res;
		}
		payload = cursor_sub(&c, f.length);
		if (!usual_payload(&f, &payload))
			goto no;
	}
	res.exact = cursor_left(&c) == 0 && res.frames;
	res.want = cursor_offset(&c) + H2_FRAME_HEAD;
	if (cursor_left(&c) < H2_FRAME_HEAD && !usual_beginning(c.pos, cursor_left(&c)))
		goto no;
	return res;
no:
	res.plausible = false;
	return res;
}

enum probe_res h2_probe(enum dir d, const uint8_t *p, size_t n)
{
	size_t same = n < H2_PREFACE_BYTES ? n : H2_PREFACE_BYTES;
	struct h2_chain chain;

	(void)d;
	if (memcmp(p, H2_PREFACE, same) == 0)
		return same == H2_PREFACE_BYTES ? PROBE_YES : PROBE_MORE;
	chain = h2_chain_follow(p, n);
	if (!chain.plausible)
		return PROBE_NO;
	return h2_chain_proven(&chain, true) ? PROBE_YES : PROBE_MORE;
}

struct str h2_error_name(struct arena *a, uint32_t code)
{
	static const char *const names[ERROR_CODES] = {
		"NO_ERROR",
		"PROTOCOL_ERROR",
		"INTERNAL_ERROR",
		"FLOW_CONTROL_ERROR",
		"SETTINGS_TIMEOUT",
		"STREAM_CLOSED",
		"FRAME_SIZE_ERROR",
		"REFUSED_STREAM",
		"CANCEL",
		"COMPRESSION_ERROR",
		"CONNECT_ERROR",
		"ENHANCE_YOUR_CALM",
		"INADEQUATE_SECURITY",
		"HTTP_1_1_REQUIRED",
	};

	return code < ERROR_CODES ? str_from(names[code]) : arena_printf(a, "0x%x", code);
}
