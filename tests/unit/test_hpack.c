/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HPACK walker: joined at any block of any stream it states the truth or "unknown". The streams come
 * from nghttp2's deflater and from an encoder of our own that does what a deflater would not.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "core/buf.h"
#include "parsers/hpack.h"

#define FIELDS_MAX 24
#define BLOCKS_MAX 60

static uint32_t rnd(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)(*seed ^ *seed >> 15) * below) >> 32);
}

/* A field of the truth; strings are static or owned by the test. */
struct field {
	struct str name, value;
	bool never;
};

struct block {
	struct field fields[FIELDS_MAX];
	size_t count;
	struct buf wire;
};

/* What the walker said of one block, compared with the truth as it comes. */
struct check {
	const struct block *b;
	size_t at, known, unknown, oversize;
	bool wrong;
};

static void check_field(void *arg, const struct hpack_field *f)
{
	struct check *c = arg;
	const struct field *want = &c->b->fields[c->at];

	if (c->at++ >= c->b->count) {
		c->wrong = true;
		return;
	}
	if (f->name.p && !str_eq(f->name, want->name))
		c->wrong = true;
	if (f->value.p && !str_eq(f->value, want->value))
		c->wrong = true;
	if (!f->name.p && !f->value.p && !f->oversize ? f->n != 0 : f->never_indexed != want->never)
		c->wrong = true;
	if (f->oversize)
		c->oversize++;
	else if (f->name.p && f->value.p)
		c->known++;
	else
		c->unknown++;
}

/* Walks one block and requires that nothing it says is false. */
static struct check walk(struct hpack *h, const struct block *b)
{
	struct check c = {.b = b};
	size_t walked;

	assert_int_equal(hpack_block(h, b->wire.p, b->wire.n, check_field, &c, &walked), 0);
	assert_int_equal(walked, b->wire.n);
	assert_int_equal(c.at, b->count);
	assert_false(c.wrong);
	return c;
}

static void free_blocks(struct block *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_free(&b[i].wire);
}

static const char *const names[] = {
	":method",	 ":path", ":status", ":scheme", ":authority",	"content-type",
	"grpc-status",	 "te",	  "cookie",  "x-a",	"x-request-id", "user-agent",
	"authorization",
};
static const char *const values[] = {
	"",
	"GET",
	"POST",
	"/",
	"/index.html",
	"200",
	"204",
	"application/grpc",
	"0",
	"trailers",
	"a=b; c=d",
	"0123456789abcdef0123456789abcdef",
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct field random_field(uint32_t *seed, char *scratch, size_t cap)
{
	struct field f = {str_from(names[rnd(seed, COUNT(names))]),
			  str_from(values[rnd(seed, COUNT(values))]), rnd(seed, 12) == 0};

	if (rnd(seed, 3) == 0) {
		size_t n = rnd(seed, (uint32_t)cap);

		for (size_t i = 0; i < n; i++)
			scratch[i] = (char)('a' + rnd(seed, 26));
		f.value = (struct str){scratch, n};
	}
	return f;
}

/* nghttp2 never indexes what is easily guessed. */
static struct field deflated(struct field f)
{
	f.never |= str_eq(f.name, STR("authorization"));
	f.never |= str_eq(f.name, STR("cookie")) && f.value.n < 20;
	return f;
}

static void deflate_block(nghttp2_hd_deflater *d, struct block *b)
{
	nghttp2_nv nv[FIELDS_MAX];
	ssize_t n;

	for (size_t i = 0; i < b->count; i++)
		nv[i] = (nghttp2_nv){(uint8_t *)b->fields[i].name.p,
				     (uint8_t *)b->fields[i].value.p, b->fields[i].name.n,
				     b->fields[i].value.n,
				     b->fields[i].never ? NGHTTP2_NV_FLAG_NO_INDEX : 0};
	assert_int_equal(buf_reserve(&b->wire, nghttp2_hd_deflate_bound(d, nv, b->count)), 0);
	n = nghttp2_hd_deflate_hd(d, b->wire.p, b->wire.cap, nv, b->count);
	assert_true(n >= 0);
	b->wire.n = (size_t)n;
}

static void joined_at_every_block_of_a_deflater(void **state)
{
	static char scratch[BLOCKS_MAX][FIELDS_MAX][300];
	uint32_t seed = 7;
	size_t late_known = 0, late_all = 0;

	(void)state;
	for (int round = 0; round < 60; round++) {
		struct block b[BLOCKS_MAX] = {0};
		nghttp2_hd_deflater *d;
		struct hpack h = {0};

		assert_int_equal(nghttp2_hd_deflate_new(&d, 64u << rnd(&seed, 11)), 0);
		for (size_t i = 0; i < BLOCKS_MAX; i++) {
			if (rnd(&seed, 10) == 0)
				nghttp2_hd_deflate_change_table_size(d, rnd(&seed, 9000));
			b[i].count = 1 + rnd(&seed, FIELDS_MAX - 1);
			for (size_t k = 0; k < b[i].count; k++)
				b[i].fields[k] = deflated(random_field(&seed, scratch[i][k], 300));
			deflate_block(d, &b[i]);
		}
		for (size_t i = 0; i < BLOCKS_MAX; i++)
			assert_int_equal(walk(&h, &b[i]).unknown, 0);
		for (size_t join = 1; join < BLOCKS_MAX; join++) {
			hpack_reset(&h);
			for (size_t i = join; i < BLOCKS_MAX; i++) {
				struct check c = walk(&h, &b[i]);

				late_known += c.known;
				late_all += c.known + c.unknown;
			}
		}
		hpack_reset(&h);
		nghttp2_hd_deflate_del(d);
		free_blocks(b, BLOCKS_MAX);
	}
	/* joining late must be worth it: nearly everything is known */
	assert_true(late_known * 100 > late_all * 90);
}

/* The true table, newest first, for the wild encoder. */
struct table {
	struct field e[2048];
	size_t count, bytes, max;
};

static void table_trim(struct table *t)
{
	while (t->bytes > t->max) {
		t->count--;
		t->bytes -= t->e[t->count].name.n + t->e[t->count].value.n + 32;
	}
}

static void table_add(struct table *t, struct field f)
{
	size_t n = f.name.n + f.value.n + 32, max = t->max;

	if (n > max) { /* RFC 7541 section 4.4: empties the table */
		t->count = t->bytes = 0;
		return;
	}
	t->max = max - n;
	table_trim(t);
	t->max = max;
	memmove(t->e + 1, t->e, t->count * sizeof(t->e[0]));
	t->e[0] = f;
	t->count++;
	t->bytes += n;
}

static void put_int(struct buf *b, unsigned int prefix, uint8_t first, size_t v)
{
	size_t mask = (1u << prefix) - 1;

	if (v < mask) {
		buf_putc(b, (uint8_t)(first | v));
		return;
	}
	buf_putc(b, (uint8_t)(first | mask));
	for (v -= mask; v >= 0x80; v >>= 7)
		buf_putc(b, (uint8_t)(v | 0x80));
	buf_putc(b, (uint8_t)v);
}

static void put_string(struct buf *b, struct str s)
{
	put_int(b, 7, 0, s.n);
	buf_put(b, s.p, s.n);
}

static void wild_field(uint32_t *seed, struct table *t, struct block *b, char *big, size_t big_n)
{
	static const uint8_t firsts[] = {0x40, 0x00, 0x10};
	struct field *f = &b->fields[b->count++];
	uint32_t kind = rnd(seed, 3);
	size_t pick = t->count ? rnd(seed, (uint32_t)t->count) : 0;

	if (t->count && rnd(seed, 2)) {
		*f = t->e[pick];
		f->never = false;
		put_int(&b->wire, 7, 0x80, 62 + pick);
		return;
	}
	*f = random_field(seed, NULL, 1);
	if (rnd(seed, 40) == 0)
		f->value = (struct str){big, rnd(seed, (uint32_t)big_n)};
	f->never = kind == 2;
	if (t->count && rnd(seed, 2)) {
		f->name = t->e[pick].name;
		put_int(&b->wire, kind ? 4 : 6, firsts[kind], 62 + pick);
	} else {
		buf_putc(&b->wire, firsts[kind]);
		put_string(&b->wire, f->name);
	}
	put_string(&b->wire, f->value);
	if (kind == 0)
		table_add(t, (struct field){f->name, f->value, false});
}

/* Tables above our own size, oversize strings, entries larger than the table, joins anywhere. */
static void joined_at_every_block_of_a_wild_encoder(void **state)
{
	static struct table t;
	static char big[70000];
	uint32_t seed = 99;
	size_t oversize = 0;

	(void)state;
	memset(big, 'z', sizeof(big));
	for (int round = 0; round < 40; round++) {
		struct block b[BLOCKS_MAX] = {0};
		size_t big_n = round % 2 ? sizeof(big) : 6000;
		struct hpack h = {0};

		t = (struct table){.max = 4096};
		for (size_t i = 0; i < BLOCKS_MAX; i++) {
			if (rnd(&seed, 8) == 0) {
				t.max = rnd(&seed, round % 2 ? 200000 : 5000);
				table_trim(&t);
				put_int(&b[i].wire, 5, 0x20, t.max);
			}
			for (size_t n = 1 + rnd(&seed, FIELDS_MAX - 1); b[i].count < n;)
				wild_field(&seed, &t, &b[i], big, big_n);
		}
		for (size_t join = 0; join < BLOCKS_MAX; join++) {
			hpack_reset(&h);
			for (size_t i = join; i < BLOCKS_MAX; i++)
				oversize += walk(&h, &b[i]).oversize;
		}
		hpack_reset(&h);
		free_blocks(b, BLOCKS_MAX);
	}
	assert_true(oversize > 0);
}

struct seen {
	struct hpack_field f[8];
	char text[8][2][64];
	size_t count;
};

static void see(void *arg, const struct hpack_field *f)
{
	struct seen *s = arg;
	struct hpack_field *k = &s->f[s->count];

	assert_true(s->count < COUNT(s->f));
	*k = *f;
	if (f->name.p) {
		assert_true(f->name.n < 64);
		memcpy(s->text[s->count][0], f->name.p, f->name.n);
		k->name.p = s->text[s->count][0];
	}
	if (f->value.p) {
		assert_true(f->value.n < 64);
		memcpy(s->text[s->count][1], f->value.p, f->value.n);
		k->value.p = s->text[s->count][1];
	}
	s->count++;
}

static int see_block(struct hpack *h, struct seen *s, const void *p, size_t n)
{
	size_t walked;

	*s = (struct seen){0};
	return hpack_block(h, p, n, see, s, &walked);
}

#define SEE(h, s, bytes) see_block(h, s, bytes, sizeof(bytes) - 1)

static void unknown_entries_have_stable_refs(void **state)
{
	struct hpack h = {0};
	struct seen s;

	(void)state;
	/* index 62 is the newest entry of before the join; then one is inserted, and it moves to 63 */
	assert_int_equal(SEE(&h, &s, "\xbe\xbf"), 0);
	assert_null(s.f[0].name.p);
	assert_null(s.f[0].value.p);
	assert_int_equal(s.f[0].ref, -1);
	assert_int_equal(s.f[1].ref, -2);
	assert_int_equal(SEE(&h, &s,
			     "\x40\x01"
			     "a"
			     "\x01"
			     "b"
			     "\xbf\xbe"),
			 0);
	assert_int_equal(s.f[1].ref, -1);
	assert_true(str_eq(s.f[2].name, STR("a")));
	assert_true(str_eq(s.f[2].value, STR("b")));
	hpack_reset(&h);
}

static void unknown_name_keeps_its_value_and_its_place(void **state)
{
	struct hpack h = {0};
	struct seen s;

	(void)state;
	/* literal, inserted, name of entry 62 (older than the join); then that entry by index 62 */
	assert_int_equal(SEE(&h, &s,
			     "\x7e\x02"
			     "hi"
			     "\xbe"),
			 0);
	assert_null(s.f[0].name.p);
	assert_true(str_eq(s.f[0].value, STR("hi")));
	assert_int_equal(s.f[0].at, 2);
	assert_int_equal(s.f[0].n, 2);
	assert_null(s.f[1].name.p);
	assert_true(str_eq(s.f[1].value, STR("hi")));
	assert_int_equal(s.f[1].n, 0);
	/* its name by index, never indexed */
	assert_int_equal(SEE(&h, &s,
			     "\x1f\x2f\x01"
			     "x"),
			 0);
	assert_null(s.f[0].name.p);
	assert_true(s.f[0].never_indexed);
	hpack_reset(&h);
}

static void value_octets_are_located(void **state)
{
	struct hpack h = {0};
	struct seen s;

	(void)state;
	/* RFC 7541 appendix C.4.1: :authority in Huffman code */
	assert_int_equal(
		SEE(&h, &s, "\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"),
		0);
	assert_int_equal(s.count, 4);
	assert_int_equal(s.f[0].n, 0);
	assert_true(str_eq(s.f[3].name, STR(":authority")));
	assert_true(str_eq(s.f[3].value, STR("www.example.com")));
	assert_true(s.f[3].huffman);
	assert_int_equal(s.f[3].at, 5);
	assert_int_equal(s.f[3].n, 12);
	hpack_reset(&h);
}

static void oversize_value_keeps_its_name(void **state)
{
	struct hpack h = {0};
	struct buf b = {0};
	struct seen s;

	(void)state;
	put_int(&b, 6, 0x40, 0);
	put_string(&b, STR("x-big"));
	put_int(&b, 7, 0, 65537);
	buf_reserve(&b, 65537);
	memset(b.p + b.n, 'v', 65537);
	b.n += 65537;
	put_int(&b, 4, 0x10, 32); /* cookie, never indexed */
	put_string(&b, STR("c"));
	assert_int_equal(see_block(&h, &s, b.p, b.n), 0);
	assert_int_equal(s.count, 2);
	assert_true(s.f[0].oversize);
	assert_true(str_eq(s.f[0].name, STR("x-big")));
	assert_null(s.f[0].value.p);
	assert_int_equal(s.f[0].n, 65537);
	assert_false(s.f[1].oversize);
	assert_true(str_eq(s.f[1].name, STR("cookie")));
	/* its entry is in the true table, not in ours */
	assert_int_equal(SEE(&h, &s, "\xbe"), 0);
	assert_null(s.f[0].name.p);
	hpack_reset(&h);
	buf_free(&b);
}

static void broken_blocks_start_anew(void **state)
{
	struct hpack h = {0};
	struct seen s;
	size_t walked = 99;

	(void)state;
	assert_int_equal(SEE(&h, &s,
			     "\x40\x01"
			     "a\x01"
			     "b"),
			 0);
	s = (struct seen){0};
	/* a good field, then a string longer than the block */
	assert_int_equal(hpack_block(&h, (const uint8_t *)"\x82\x40\x05xy", 5, see, &s, &walked),
			 -EBADMSG);
	assert_int_equal(walked, 1);
	assert_int_equal(SEE(&h, &s, "\xbe"), 0);
	assert_null(s.f[0].name.p);
	assert_int_equal(SEE(&h, &s, "\x80"), -EBADMSG);		     /* index 0 */
	assert_int_equal(SEE(&h, &s, "\xff\xff\xff\xff\xff\xff"), -EBADMSG); /* endless integer */
	assert_int_equal(SEE(&h, &s, "\x82\x20"), -EBADMSG);	 /* a late size update */
	assert_int_equal(SEE(&h, &s, "\x41\x81\x00"), -EBADMSG); /* bad Huffman padding */
	assert_int_equal(SEE(&h, &s, ""), 0);
	assert_int_equal(s.count, 0);
	hpack_reset(&h);
}

static void plausible_is_structure_only(void **state)
{
	(void)state;
	assert_true(hpack_plausible((const uint8_t *)"\x82\x86\xbe", 3));
	assert_true(hpack_plausible((const uint8_t *)"\x20\x82", 2));
	assert_false(hpack_plausible((const uint8_t *)"\x82\x20", 2));
	assert_false(hpack_plausible((const uint8_t *)"\x80", 1));
	assert_false(hpack_plausible((const uint8_t *)"\x40\x05x", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joined_at_every_block_of_a_deflater),
		cmocka_unit_test(joined_at_every_block_of_a_wild_encoder),
		cmocka_unit_test(unknown_entries_have_stable_refs),
		cmocka_unit_test(unknown_name_keeps_its_value_and_its_place),
		cmocka_unit_test(value_octets_are_located),
		cmocka_unit_test(oversize_value_keeps_its_name),
		cmocka_unit_test(broken_blocks_start_anew),
		cmocka_unit_test(plausible_is_structure_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
