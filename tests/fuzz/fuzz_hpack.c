/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HPACK walker against nghttp2's own inflater. The input is a row of blocks, each behind an octet for
 * its length; the first octet says at which block a second walker joins. What nghttp2 reads from the start
 * both walkers must read alike, field by field, or call unknown; where it fails the comparison ends.
 */
#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "core/arena.h"
#include "parsers/hpack.h"

#define FIELDS_MAX 4096
#define BLOCKS_MAX 48 /* each that fails costs three new contexts, which is most of the time */
#define TRUTH_BYTES ((size_t)8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct truth {
	struct arena arena;
	struct str name[FIELDS_MAX], value[FIELDS_MAX];
	size_t count;
	bool good; /* nghttp2 read the block */
};

struct check {
	const struct truth *truth;
	size_t at, block_bytes;
};

static void must(bool what)
{
	if (!what)
		abort();
}

static void read_truth(nghttp2_hd_inflater *inf, struct truth *t, const uint8_t *p, size_t n)
{
	nghttp2_nv nv;
	ssize_t used;
	int flags;

	t->count = 0;
	t->good = false;
	for (;;) {
		flags = 0;
		used = nghttp2_hd_inflate_hd2(inf, &nv, &flags, p, n, 1);
		if (used < 0)
			return;
		p += used;
		n -= (size_t)used;
		if (flags & NGHTTP2_HD_INFLATE_EMIT) {
			if (t->count == FIELDS_MAX)
				return;
			t->name[t->count] = arena_str(&t->arena, nv.name, nv.namelen);
			t->value[t->count] = arena_str(&t->arena, nv.value, nv.valuelen);
			if (!t->name[t->count].p || !t->value[t->count].p)
				return; /* a bomb: too much to keep for a comparison */
			t->count++;
		}
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
	}
	nghttp2_hd_inflate_end_headers(inf);
	t->good = true;
}

static void on_field(void *arg, const struct hpack_field *f)
{
	struct check *c = arg;
	const struct truth *t = c->truth;
	size_t i = c->at++;

	must(f->n <= c->block_bytes && f->at <= c->block_bytes - f->n);
	must(f->name.p || f->name.n == 0);
	must(f->value.p || f->value.n == 0);
	if (!t->good)
		return;
	must(i < t->count);
	must(!f->name.p || str_eq(f->name, t->name[i]));
	must(!f->value.p || str_eq(f->value, t->value[i]));
}

static void walk(struct hpack *h, const struct truth *t, const uint8_t *p, size_t n)
{
	struct check c = {.truth = t, .block_bytes = n};
	size_t walked = 0;
	int err = hpack_block(h, p, n, on_field, &c, &walked);

	must(walked <= n);
	must(err == 0 || h->inflater == NULL);
	if (t->good) {
		must(err == 0);
		must(c.at == t->count);
		must(hpack_plausible(p, n));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct truth t;
	struct hpack whole = {0}, late = {0};
	nghttp2_hd_inflater *inf;
	size_t join = n ? p[0] : 0, k;
	bool agree = true;

	t.arena.limit_bytes = TRUTH_BYTES;
	must(nghttp2_hd_inflate_new(&inf) == 0);
	must(nghttp2_hd_inflate_change_table_size(inf, UINT32_MAX) == 0);
	for (size_t block = 0, i = 1; i < n && block < BLOCKS_MAX; block++, i += k) {
		k = p[i++];
		if (k > n - i)
			k = n - i;
		t.good = false;
		if (agree)
			read_truth(inf, &t, p + i, k);
		agree = t.good;
		walk(&whole, &t, p + i, k);
		if (block >= join % 8)
			walk(&late, &t, p + i, k);
		arena_reset(&t.arena);
	}
	nghttp2_hd_inflate_del(inf);
	hpack_reset(&whole);
	hpack_reset(&late);
	arena_free(&t.arena);
	return 0;
}
