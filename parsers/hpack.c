/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walker: takes a block apart into representations and feeds nghttp2's inflater only what it can
 * resolve. What refers to entries older than the context is left out or replaced by a stand-in of at
 * most the true size, so that our table stays a newest-first prefix of the true one.
 */
#include "parsers/hpack.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>

#include "core/cursor.h"

#define STATIC_ENTRIES 61 /* RFC 7541 appendix A */

/* RFC 7541 section 6 */
enum rep_kind {
	REP_INDEXED,
	REP_INSERT, /* literal with incremental indexing */
	REP_PLAIN,  /* literal without indexing */
	REP_NEVER,  /* literal never indexed */
	REP_RESIZE, /* dynamic table size update */
};

struct string {
	const uint8_t *begin; /* of the length */
	const uint8_t *p;     /* of the octets */
	size_t n;
	bool huffman;
};

struct rep {
	enum rep_kind kind;
	uint32_t index; /* or the new table size */
	const uint8_t *begin, *end;
	struct string name, value; /* the name when index is 0 */
};

struct walk {
	struct hpack *h;
	hpack_field_fn *fn;
	void *arg;
	const uint8_t *block;
};

/* RFC 7541 section 5.1; nothing here needs more than 32 bits. */
static uint32_t take_int(struct cursor *c, unsigned int prefix)
{
	uint32_t mask = (1u << prefix) - 1;
	uint64_t v = cursor_u8(c) & mask;
	uint8_t o;

	if (v < mask)
		return (uint32_t)v;
	for (unsigned int shift = 0; shift <= 28; shift += 7) {
		o = cursor_u8(c);
		v += (uint64_t)(o & 0x7f) << shift;
		if (!(o & 0x80)) {
			c->failed |= v > UINT32_MAX;
			return (uint32_t)v;
		}
	}
	c->failed = true;
	return 0;
}

static size_t put_int(uint8_t *out, unsigned int prefix, uint8_t first, uint32_t v)
{
	uint32_t mask = (1u << prefix) - 1;
	size_t n = 0;

	if (v < mask) {
		out[0] = (uint8_t)(first | v);
		return 1;
	}
	out[n++] = (uint8_t)(first | mask);
	for (v -= mask; v >= 0x80; v >>= 7)
		out[n++] = (uint8_t)(v | 0x80);
	out[n++] = (uint8_t)v;
	return n;
}

static struct string take_string(struct cursor *c)
{
	struct string s = {.begin = c->pos};

	s.huffman = cursor_left(c) && (*c->pos & 0x80);
	s.n = take_int(c, 7);
	s.p = cursor_bytes(c, s.n);
	return s;
}

static bool take_rep(struct cursor *c, struct rep *r)
{
	uint8_t o = cursor_left(c) ? *c->pos : 0;

	*r = (struct rep){.begin = c->pos};
	if (o & 0x80) {
		r->kind = REP_INDEXED;
		r->index = take_int(c, 7);
	} else if ((o & 0xe0) == 0x20) {
		r->kind = REP_RESIZE;
		r->index = take_int(c, 5);
	} else {
		r->kind = o & 0x40 ? REP_INSERT : o & 0x10 ? REP_NEVER : REP_PLAIN;
		r->index = take_int(c, o & 0x40 ? 6 : 4);
		if (r->index == 0)
			r->name = take_string(c);
		r->value = take_string(c);
	}
	r->end = c->pos;
	return cursor_ok(c);
}

static void tell(const struct walk *w, const struct hpack_field *known, const nghttp2_nv *nv)
{
	struct hpack_field f = *known;

	/* `known` holds non-NULL where the inflater's answer is the truth */
	if (f.name.p)
		f.name = (struct str){(const char *)nv->name, nv->namelen};
	if (f.value.p)
		f.value = (struct str){(const char *)nv->value, nv->valuelen};
	w->fn(w->arg, &f);
}

/* Feeds octets that end with a representation; `known` is told with what comes out, if anything. */
static int inflate(const struct walk *w, const uint8_t *p, size_t n,
		   const struct hpack_field *known)
{
	nghttp2_nv nv;
	ssize_t used;
	int flags;

	while (n) {
		flags = 0;
		used = nghttp2_hd_inflate_hd2(w->h->inflater, &nv, &flags, p, n, 0);
		if (used < 0)
			return used == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EBADMSG;
		if (flags & NGHTTP2_HD_INFLATE_EMIT && known)
			tell(w, known, &nv);
		else if (used == 0)
			return -EBADMSG;
		p += used;
		n -= (size_t)used;
	}
	return 0;
}

static int end_block(struct hpack *h)
{
	nghttp2_nv nv;
	int flags = 0;
	ssize_t used = nghttp2_hd_inflate_hd2(h->inflater, &nv, &flags, NULL, 0, 1);

	if (used < 0 || !(flags & NGHTTP2_HD_INFLATE_FINAL))
		return -EBADMSG;
	nghttp2_hd_inflate_end_headers(h->inflater);
	return 0;
}

/*
 * The limit that SETTINGS would set is lifted once, for good: our table must never be smaller than the
 * true one before the encoder itself says so in a size update. A block of our own then sizes it to
 * HPACK_TABLE_BYTES.
 */
static int open_context(struct hpack *h)
{
	struct walk w = {.h = h};
	uint8_t resize[6];
	size_t n = put_int(resize, 5, 0x20, HPACK_TABLE_BYTES);
	int err;

	h->inserted = 0;
	if (nghttp2_hd_inflate_new(&h->inflater))
		return -ENOMEM;
	if (nghttp2_hd_inflate_change_table_size(h->inflater, UINT32_MAX))
		return -EBADMSG;
	err = inflate(&w, resize, n, NULL);
	return err ? err : end_block(h);
}

static int walk_resize(const struct walk *w, const struct rep *r)
{
	uint8_t resize[6];
	size_t n;

	w->h->cut = r->index > HPACK_TABLE_BYTES;
	if (!w->h->cut)
		return inflate(w, r->begin, (size_t)(r->end - r->begin), NULL);
	n = put_int(resize, 5, 0x20, HPACK_TABLE_BYTES);
	return inflate(w, resize, n, NULL);
}

/* An entry of ours whose name is older than the context stands in the table with an empty name. */
static bool name_is_stand_in(const struct hpack *h, uint32_t index)
{
	const nghttp2_nv *nv = index > STATIC_ENTRIES
				       ? nghttp2_hd_inflate_get_table_entry(h->inflater, index)
				       : NULL;

	return nv && nv->namelen == 0;
}

static int walk_indexed(const struct walk *w, const struct rep *r, size_t have)
{
	struct hpack_field f = {.name = STR(""), .value = STR("")};

	if (r->index > have) {
		f = (struct hpack_field){.ref = w->h->inserted - ((int64_t)r->index - 62) - 1};
		w->fn(w->arg, &f);
		return 0;
	}
	if (name_is_stand_in(w->h, r->index))
		f.name = STR_NONE;
	return inflate(w, r->begin, (size_t)(r->end - r->begin), &f);
}

/*
 * nghttp2 takes no string over HPACK_STRING_BYTES. The name of an oversize value is still read, through a
 * literal without indexing and without value; a table that should have got the entry begins anew.
 */
static int walk_oversize(const struct walk *w, const struct rep *r, size_t have,
			 struct hpack_field *f)
{
	static const uint8_t no_value;
	uint8_t head[6];
	size_t n = put_int(head, 4, 0x00, r->index);
	int err = 0;

	f->oversize = true;
	f->value = STR_NONE;
	if (r->name.n > HPACK_STRING_BYTES || r->index > have)
		f->name = STR_NONE;
	if (f->name.p) {
		err = inflate(w, head, n, NULL);
		if (!err && r->index == 0)
			err = inflate(w, r->name.begin, (size_t)(r->value.begin - r->name.begin),
				      NULL);
		if (!err)
			err = inflate(w, &no_value, 1, f);
	} else {
		w->fn(w->arg, f);
	}
	if (err || r->kind != REP_INSERT)
		return err;
	hpack_reset(w->h);
	return open_context(w->h);
}

static int walk_literal(const struct walk *w, const struct rep *r, size_t have)
{
	struct hpack_field f = {.name = STR(""), .value = STR("")};
	uint8_t stand_in[2] = {[1] = 0x00}; /* the same kind of literal with a new, empty name */
	int err;

	f.never_indexed = r->kind == REP_NEVER;
	f.huffman = r->value.huffman;
	f.at = (size_t)(r->value.p - w->block);
	f.n = r->value.n;
	if (name_is_stand_in(w->h, r->index))
		f.name = STR_NONE;
	if (r->name.n > HPACK_STRING_BYTES || r->value.n > HPACK_STRING_BYTES)
		return walk_oversize(w, r, have, &f);
	if (r->kind == REP_INSERT)
		w->h->inserted++;
	if (r->index <= have)
		return inflate(w, r->begin, (size_t)(r->end - r->begin), &f);
	f.name = STR_NONE;
	stand_in[0] = r->kind == REP_INSERT ? 0x40 : r->kind == REP_NEVER ? 0x10 : 0x00;
	err = inflate(w, stand_in, sizeof(stand_in), NULL);
	return err ? err : inflate(w, r->value.begin, (size_t)(r->end - r->value.begin), &f);
}

static int walk_rep(const struct walk *w, const struct rep *r)
{
	size_t have = nghttp2_hd_inflate_get_num_table_entries(w->h->inflater);

	switch (r->kind) {
	case REP_RESIZE:
		return walk_resize(w, r);
	case REP_INDEXED:
		return walk_indexed(w, r, have);
	case REP_INSERT:
	case REP_PLAIN:
	case REP_NEVER:
		return walk_literal(w, r, have);
	}
	return -EBADMSG;
}

int hpack_block(struct hpack *h, const uint8_t *p, size_t n, hpack_field_fn *fn, void *arg,
		size_t *walked)
{
	struct walk w = {.h = h, .fn = fn, .arg = arg, .block = p};
	struct cursor c = cursor_init(p, n);
	struct rep r;
	int err = h->inflater ? 0 : open_context(h);

	*walked = 0;
	while (!err && cursor_left(&c)) {
		err = take_rep(&c, &r) ? walk_rep(&w, &r) : -EBADMSG;
		if (!err)
			*walked = cursor_offset(&c);
	}
	if (!err)
		err = end_block(h);
	if (err)
		hpack_reset(h);
	return err;
}

void hpack_reset(struct hpack *h)
{
	if (h->inflater)
		nghttp2_hd_inflate_del(h->inflater);
	*h = (struct hpack){0};
}

bool hpack_plausible(const uint8_t *p, size_t n)
{
	struct cursor c = cursor_init(p, n);
	bool fields = false;
	struct rep r;

	while (cursor_left(&c)) {
		if (!take_rep(&c, &r) || (r.kind == REP_INDEXED && r.index == 0))
			return false;
		if (r.kind == REP_RESIZE && fields) /* RFC 7541 section 4.2 */
			return false;
		fields |= r.kind != REP_RESIZE;
	}
	return cursor_ok(&c);
}
