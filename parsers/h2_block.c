/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Header blocks: put together from their frames, walked, and their secrets told at the stream offsets
 * where the octets stood. Every block of a direction comes through here, wanted or not, because each one
 * may change the HPACK table. Octets that could not be walked are told as one secret: nobody knows what
 * they hold.
 */
#include "core/secrets.h"
#include "parsers/h2.h"

#define FILL_RAW 0x2a
/* The code of '*' (RFC 7541 appendix B): the value still decodes. */
#define FILL_HUFFMAN 0xf9
#define FIELDS_FIRST 16

struct walker {
	struct h2 *h;
	enum dir d;
	const struct h2_piece *pieces;
	size_t pieces_n, piece;
	struct h2_stream *st; /* NULL: nothing is kept */
	struct h2_msg *msg;
	struct h2_section sec;
	uint32_t cap;
	/* of the field at hand */
	const struct hpack_field *field;
	bool has_secret;
};

/*
 * Octets [at, at + n) of the block are a secret; its pieces may stand apart in the stream. Calls come in
 * rising order, so w->piece only moves on.
 */
static void hide(struct walker *w, size_t at, size_t n, uint8_t fill)
{
	struct proto_sink *sink = w->h->sink;
	const struct h2_piece *k;
	size_t end, take;

	for (; n && w->piece < w->pieces_n; w->piece++) {
		k = &w->pieces[w->piece];
		end = w->piece + 1 < w->pieces_n ? k[1].at : SIZE_MAX;
		if (at >= end)
			continue;
		take = n < end - at ? n : end - at;
		sink->ops->secret(sink, w->d, k->off + (at - k->at), take, fill);
		at += take;
		n -= take;
		if (!n)
			return;
	}
}

static void hide_range(void *arg, size_t at, size_t n)
{
	struct walker *w = arg;

	w->has_secret = true;
	if (!w->field->huffman)
		hide(w, w->field->at + at, n, FILL_RAW);
}

/* A value whose name is older than the join may be anything, so it is hidden too. */
static void hide_secrets(struct walker *w, const struct hpack_field *f)
{
	const struct secret_rules *rules = w->h->limits->secrets;
	enum secret_kind kind = SECRET_WHOLE;

	if (f->n == 0)
		return;
	if (f->name.p && !f->never_indexed)
		kind = str_eq(f->name, STR(":path")) ? SECRET_URL : secret_header(rules, f->name);
	if (kind == SECRET_NONE)
		return;
	w->field = f;
	w->has_secret = kind == SECRET_WHOLE || !f->value.p;
	if (!w->has_secret)
		secret_ranges(rules, kind, f->value, hide_range, w);
	if (w->has_secret && (f->huffman || kind == SECRET_WHOLE || !f->value.p))
		hide(w, f->at, f->n, f->huffman ? FILL_HUFFMAN : FILL_RAW);
}

/* Something of the section is not kept: counted once for it. */
static void cut(struct walker *w, enum limit_kind k)
{
	if (!w->sec.limit)
		proto_limit(w->h->sink, k);
	w->sec.limit = true;
}

static bool within_limits(struct walker *w, size_t bytes)
{
	const struct limits *lim = w->h->limits;

	if (w->msg->fields >= lim->headers)
		cut(w, LIMIT_HEADERS);
	else if (bytes > lim->header_bytes || w->msg->header_bytes > lim->header_bytes - bytes)
		cut(w, LIMIT_HEADER_BYTES);
	else if (w->h->kept_bytes + bytes + sizeof(struct header) > H2_KEPT_BYTES)
		cut(w, LIMIT_KEPT_BYTES);
	else
		return true;
	return false;
}

static bool reserve_field(struct walker *w)
{
	struct header *grown;
	uint32_t cap = w->cap ? w->cap * 2 : FIELDS_FIRST;

	if (w->sec.count < w->cap)
		return true;
	grown = arena_alloc(&w->st->txn->arena, cap * sizeof(*grown));
	if (!grown)
		return false;
	if (w->sec.count)
		memcpy(grown, w->sec.v, w->sec.count * sizeof(*grown));
	w->sec.v = grown;
	w->cap = cap;
	return true;
}

static void keep_field(struct walker *w, const struct hpack_field *f)
{
	size_t bytes = f->name.n + f->value.n;
	struct header *k;
	char *copy;

	if (!within_limits(w, bytes))
		return;
	copy = reserve_field(w) ? arena_alloc(&w->st->txn->arena, bytes) : NULL;
	if (!copy) {
		w->sec.limit = true;
		return;
	}
	if (f->name.n)
		memcpy(copy, f->name.p, f->name.n);
	if (f->value.n)
		memcpy(copy + f->name.n, f->value.p, f->value.n);
	k = &w->sec.v[w->sec.count++];
	*k = (struct header){.ref = f->name.p || f->value.p ? 0 : f->ref,
			     .never_indexed = f->never_indexed,
			     .oversize = f->oversize};
	if (f->name.p)
		k->name = (struct str){copy, f->name.n};
	if (f->value.p)
		k->value = (struct str){copy + f->name.n, f->value.n};
	w->msg->fields++;
	w->msg->header_bytes += bytes;
	w->st->kept_bytes += bytes + sizeof(*k);
	w->h->kept_bytes += bytes + sizeof(*k);
}

/* RFC 9113 section 8.3.2: three digits. */
static uint16_t parse_status(struct str v)
{
	uint16_t n = 0;

	for (size_t i = 0; i < v.n && v.n == 3; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return 0;
		n = (uint16_t)(n * 10 + (v.p[i] - '0'));
	}
	return n >= 100 ? n : 0;
}

static void on_field(void *arg, const struct hpack_field *f)
{
	struct walker *w = arg;

	hide_secrets(w, f);
	if (!w->st)
		return;
	w->sec.pseudo |= f->name.n && f->name.p[0] == ':';
	if (!f->name.p)
		w->sec.unknown = true;
	else if (str_eq(f->name, STR(":method")))
		w->sec.method = true;
	else if (str_eq(f->name, STR(":status")) && f->value.p)
		w->sec.status = parse_status(f->value);
	if (!w->sec.fields++)
		w->sec.regular = f->name.n && f->name.p[0] != ':';
	if (f->oversize)
		cut(w, LIMIT_HPACK_STRING);
	keep_field(w, f);
}

static void finish(struct h2 *h, enum dir d, struct walker *w, const uint8_t *p, size_t n)
{
	struct h2_dir *hd = &h->dir[d];
	struct h2_block *b = &hd->block;
	enum dir to = b->push ? dir_other(d) : d;
	bool was_cut = hd->hpack.cut;
	size_t walked;

	w->st = h2_stream_find(h, b->stream);
	if (!w->st)
		w->st = h2_stream_new(h, b->stream, b->ts_ns, b->tid);
	if (w->st)
		w->msg = &w->st->msg[to];
	w->sec.broken = true;
	if (!b->skip && hpack_block(&hd->hpack, p, n, on_field, w, &walked) == 0)
		w->sec.broken = false;
	else if (!b->skip)
		hide(w, walked, n - walked, FILL_RAW);
	if (hd->hpack.cut && !was_cut)
		proto_limit(h->sink, LIMIT_HPACK_TABLE);
	if (w->sec.broken)
		w->sec = (struct h2_section){.broken = true, .limit = b->limit};
	if (w->st)
		h2_stream_section(h, to, w->st, &w->sec, b);
	b->open = false;
	h2_block_free(b);
}

void h2_block_begin(struct h2 *h, enum dir d, uint32_t stream, bool push)
{
	struct h2_dir *hd = &h->dir[d];
	struct h2_block *b = &hd->block;

	h2_block_free(b);
	*b = (struct h2_block){
		.open = true,
		.push = push,
		.end_stream = hd->frame.type == H2_HEADERS && (hd->frame.flags & H2_END_STREAM),
		.on = hd->frame.stream,
		.stream = stream,
		.ts_ns = hd->frame_ts_ns,
		.tid = hd->frame_tid,
		.octets.limit = h->limits->header_bytes,
	};
}

/* Keeps a piece of a block that is not whole yet; false when it is over the limit or out of memory. */
static bool append(struct h2_block *b, const struct h2_bytes *piece)
{
	const struct h2_piece *last = (const struct h2_piece *)b->pieces.p;
	struct h2_piece k = {.at = b->octets.n, .off = piece->off};
	bool joins = false;

	if (b->pieces.n) {
		last += b->pieces.n / sizeof(k) - 1;
		joins = last->off + (k.at - last->at) == k.off;
	}
	if (!joins && buf_put(&b->pieces, &k, sizeof(k)))
		return false;
	return buf_put(&b->octets, piece->p, piece->n) == 0;
}

void h2_block_piece(struct h2 *h, enum dir d, const struct h2_bytes *piece, bool last)
{
	struct h2_block *b = &h->dir[d].block;
	struct h2_piece here = {.at = 0, .off = piece->off};
	struct walker w = {.h = h, .d = d, .pieces = &here, .pieces_n = 1};
	bool in_place = last && !b->octets.n && piece->n <= h->limits->header_bytes;

	if (!b->skip && !in_place && !append(b, piece)) {
		proto_limit(h->sink, LIMIT_HEADER_BYTES);
		h2_block_spoil(h, d, true);
	}
	if (b->skip)
		hide(&w, 0, piece->n, FILL_RAW);
	if (!last)
		return;
	if (in_place) {
		finish(h, d, &w, piece->p, piece->n);
		return;
	}
	w.pieces = (const struct h2_piece *)b->pieces.p;
	w.pieces_n = b->pieces.n / sizeof(*w.pieces);
	finish(h, d, &w, b->octets.p, b->octets.n);
}

void h2_block_spoil(struct h2 *h, enum dir d, bool limit)
{
	struct h2_block *b = &h->dir[d].block;
	struct walker w = {.h = h,
			   .d = d,
			   .pieces = (const struct h2_piece *)b->pieces.p,
			   .pieces_n = b->pieces.n / sizeof(struct h2_piece)};

	hide(&w, 0, b->octets.n, FILL_RAW);
	h2_block_free(b);
	b->skip = true;
	b->limit |= limit;
	hpack_reset(&h->dir[d].hpack);
}

void h2_block_cut(struct h2 *h, enum dir d)
{
	struct walker w = {.h = h, .d = d};

	if (!h->dir[d].block.open)
		return;
	h2_block_spoil(h, d, false);
	finish(h, d, &w, NULL, 0);
}

void h2_block_free(struct h2_block *b)
{
	buf_free(&b->octets);
	buf_free(&b->pieces);
}
