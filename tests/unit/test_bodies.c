/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Content codings and character sets of bodies; the encoders are the libraries' own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include "core/attr_names.h"
#include "select/bodies.h"
#include "select/coding.h"

#define PLAIN_BYTES 100000

struct bytes {
	uint8_t *p;
	size_t n;
};

static struct str as_str(struct bytes b)
{
	return (struct str){(const char *)b.p, b.n};
}

/* Compressible, but not too much. */
static struct bytes plain_text(size_t n)
{
	struct bytes b = {malloc(n), n};
	uint32_t x = 1;

	assert_non_null(b.p);
	for (size_t i = 0; i < n; i++) {
		x = x * 1664525 + 1013904223;
		b.p[i] = (uint8_t)('a' + (x >> 24) % 16);
	}
	return b;
}

static struct bytes deflated(int window_bits, struct bytes in)
{
	struct bytes out = {malloc(in.n + 1000), in.n + 1000};
	z_stream z = {.next_in = in.p,
		      .avail_in = (uInt)in.n,
		      .next_out = out.p,
		      .avail_out = (uInt)out.n};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out.n = z.total_out;
	deflateEnd(&z);
	return out;
}

static struct bytes encoded(const char *coding, struct bytes in)
{
	struct bytes out = {malloc(in.n + 1000), in.n + 1000};

	if (strcmp(coding, "gzip") == 0 || strcmp(coding, "deflate") == 0) {
		free(out.p);
		return deflated(coding[0] == 'g' ? MAX_WBITS + 16 : MAX_WBITS, in);
	}
	if (strcmp(coding, "br") == 0)
		assert_true(BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, in.n, in.p, &out.n,
						  out.p));
	else
		out.n = ZSTD_compress(out.p, out.n, in.p, in.n, 3);
	return out;
}

static const char *const codings[] = {"gzip", "deflate", "br", "zstd"};

static void each_coding_is_undone(void **state)
{
	struct bytes plain = plain_text(PLAIN_BYTES);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct bytes coded = encoded(codings[i], plain);
		struct buf out = {0};

		assert_int_equal(
			coding_undo(str_from(codings[i]), as_str(coded), PLAIN_BYTES, &out),
			CODING_WHOLE);
		assert_int_equal(out.n, plain.n);
		assert_memory_equal(out.p, plain.p, plain.n);
		buf_free(&out);
		free(coded.p);
	}
	free(plain.p);
}

static void a_prefix_of_the_coded_gives_a_prefix_of_the_plain(void **state)
{
	struct bytes plain = plain_text(3000);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct bytes coded = encoded(codings[i], plain);

		for (size_t n = 0; n < coded.n; n++) {
			struct bytes part = {memcpy(malloc(n + 1), coded.p, n), n};
			struct buf out = {0};

			assert_int_equal(
				coding_undo(str_from(codings[i]), as_str(part), 5000, &out),
				CODING_CUT);
			assert_true(out.n <= plain.n);
			if (out.n)
				assert_memory_equal(out.p, plain.p, out.n);
			buf_free(&out);
			free(part.p);
		}
		free(coded.p);
	}
	free(plain.p);
}

static void damage_is_told_and_harmless(void **state)
{
	struct bytes plain = plain_text(3000);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct bytes coded = encoded(codings[i], plain);

		for (size_t at = 0; at < coded.n; at++) {
			struct buf out = {0};

			coded.p[at] ^= 0x55;
			coding_undo(str_from(codings[i]), as_str(coded), 5000, &out);
			assert_true(out.n <= 5000);
			buf_free(&out);
			coded.p[at] ^= 0x55;
		}
		coded.p[0] ^= 0xff;
		coded.p[1] ^= 0xff;
		if (strcmp(codings[i], "br") != 0) { /* which has no magic number */
			struct buf out = {0};

			assert_int_equal(
				coding_undo(str_from(codings[i]), as_str(coded), 5000, &out),
				CODING_DAMAGED);
			buf_free(&out);
		}
		free(coded.p);
	}
	free(plain.p);
}

static void chains_and_names(void **state)
{
	struct bytes plain = plain_text(3000);
	struct bytes once = encoded("br", plain), twice = encoded("gzip", once);
	struct bytes raw = deflated(-MAX_WBITS, plain);
	struct buf out = {0};

	(void)state;
	assert_int_equal(coding_undo(STR("br , ,GZIP"), as_str(twice), 5000, &out), CODING_WHOLE);
	assert_int_equal(out.n, plain.n);
	assert_memory_equal(out.p, plain.p, plain.n);
	buf_clear(&out);
	assert_int_equal(coding_undo(STR("deflate"), as_str(raw), 5000, &out), CODING_WHOLE);
	assert_memory_equal(out.p, plain.p, plain.n);
	buf_clear(&out);
	assert_int_equal(coding_undo(STR("gzip, lzma"), as_str(twice), 5000, &out), CODING_UNKNOWN);
	assert_int_equal(coding_undo(STR("gzip,gzip,gzip,gzip,gzip"), as_str(twice), 5000, &out),
			 CODING_UNKNOWN);
	assert_int_equal(coding_undo(STR_NONE, as_str(plain), 100, &out), CODING_CUT);
	assert_int_equal(out.n, 100);
	buf_free(&out);
	free(plain.p);
	free(once.p);
	free(twice.p);
	free(raw.p);
}

/* 64 MiB of zeros, twice compressed: what is worked through is bounded by the stage, what comes out by us. */
static void bombs_stay_small(void **state)
{
	struct bytes zeros = {calloc(1, 64 << 20), 64 << 20};
	struct bytes once = deflated(MAX_WBITS + 16, zeros), twice = deflated(MAX_WBITS + 16, once);
	struct buf out = {0};

	(void)state;
	assert_int_equal(coding_undo(STR("gzip"), as_str(once), 4096, &out), CODING_CUT);
	assert_int_equal(out.n, 4096);
	buf_clear(&out);
	assert_int_equal(coding_undo(STR("gzip,gzip"), as_str(twice), 4096, &out), CODING_CUT);
	assert_int_equal(out.n, 4096);
	buf_free(&out);
	free(zeros.p);
	free(once.p);
	free(twice.p);
}

/* One exchange with a response body, through bodies_shape(). Freed by the caller. */
static struct txn *exchange(const char *type, const char *coding, struct str body, uint64_t on_wire)
{
	static const struct conn conn;
	struct txn *t = txn_new(&conn);
	struct header *h = arena_zalloc(&t->arena, 2 * sizeof(*h));
	uint32_t n = 0;

	t->event_name = "http.exchange";
	if (type)
		h[n++] = (struct header){.name = STR("Content-Type"), .value = str_from(type)};
	if (coding)
		h[n++] =
			(struct header){.name = STR("content-encoding"), .value = str_from(coding)};
	txn_headers(t, A_RESPONSE_HEADERS, h, n);
	txn_bytes(t, A_RESPONSE_BODY_BASE64, arena_str(&t->arena, body.p, body.n));
	t->response_body_bytes = on_wire;
	return t;
}

/* What becomes of a body: `text` when it is to be content, else octets. */
static void expect(const char *type, struct str body, uint64_t on_wire, const char *text)
{
	struct bodies_cfg cfg = {.body_bytes = 4096};
	struct txn *t = exchange(type, NULL, body, on_wire);
	const struct attr *a;

	bodies_shape(&cfg, t);
	a = txn_attr(t, text ? A_HTTP_RESPONSE_BODY_CONTENT : A_RESPONSE_BODY_BASE64);
	assert_non_null(a);
	assert_null(txn_attr(t, text ? A_RESPONSE_BODY_BASE64 : A_HTTP_RESPONSE_BODY_CONTENT));
	if (text)
		assert_true(str_eq(a->str, str_from(text)));
	else
		assert_true(str_eq(a->str, body));
	assert_int_equal(!!(t->flags & TXN_LIMIT), on_wire > body.n);
	txn_free(t);
}

#define WHOLE(s) STR(s), sizeof(s) - 1

static void character_sets_are_declared_or_defined(void **state)
{
	(void)state;
	expect("application/json", WHOLE("{\"a\":\"\xc3\xa9\"}"), "{\"a\":\"\xc3\xa9\"}");
	expect("application/problem+json; x=y", WHOLE("\xc3\xa9"), "\xc3\xa9");
	expect("application/json", WHOLE("\xff\xfe"), NULL);
	expect("text/plain; charset=utf-8", WHOLE("\xc3\xa9"), "\xc3\xa9");
	expect("text/plain; charset=\"ISO-8859-1\"", WHOLE("\xe9t\xe9"), "\xc3\xa9t\xc3\xa9");
	expect("text/html;charset=windows-1252", WHOLE("\x80"), "\xe2\x82\xac");
	expect("text/plain; charset=utf-16le", WHOLE("h\0i\0"), "hi");
	expect("text/plain", WHOLE("plain"), "plain");
	expect("text/plain", WHOLE("\xc3\xa9"), NULL); /* may be anything */
	expect("text/plain; charset=no-such-set", WHOLE("abc"), NULL);
	expect("image/png", WHOLE("abc"), NULL);
	expect(NULL, WHOLE("abc"), NULL);
	expect("application/x-www-form-urlencoded", WHOLE("a=b&c=d"), "a=b&c=d");
}

static void text_is_cut_between_characters(void **state)
{
	(void)state;
	expect("application/json", STR("abc\xe2\x82"), 100, "abc");
	expect("application/json", STR("abc\xe2\x82"), 5, NULL); /* not cut: not UTF-8 */
	expect("application/json",
	       STR("a\xff"
		   "bc\xe2\x82"),
	       100, NULL);
	expect("text/plain; charset=utf-16le", STR("h\0i\0x"), 100, "hi");
}

static void what_cannot_be_undone_stays_and_says_so(void **state)
{
	struct bodies_cfg cfg = {.body_bytes = 4096};
	struct txn *t = exchange("text/plain", "compress", STR("\x1f\x9d..."), 5);
	const struct attr *a;

	(void)state;
	bodies_shape(&cfg, t);
	a = txn_attr(t, A_RESPONSE_BODY_BASE64);
	assert_non_null(a);
	assert_true(str_eq(a->str, STR("\x1f\x9d...")));
	a = txn_attr(t, A_RESPONSE_BODY_CODING);
	assert_non_null(a);
	assert_true(str_eq(a->str, STR("compress")));
	txn_free(t);
}

static void types_choose(void **state)
{
	struct bodies_cfg cfg = {.body_bytes = 4096, .types = "text/*,*JSON"};
	struct txn *t = exchange("application/ld+json", NULL, STR("{}"), 2);

	(void)state;
	bodies_shape(&cfg, t);
	assert_non_null(txn_attr(t, A_HTTP_RESPONSE_BODY_CONTENT));
	txn_free(t);
	t = exchange("image/png", NULL, STR("x"), 1);
	bodies_shape(&cfg, t);
	assert_null(txn_attr(t, A_RESPONSE_BODY_BASE64));
	assert_non_null(txn_attr(t, A_RESPONSE_HEADERS));
	txn_free(t);
	txn_pool_drain();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_coding_is_undone),
		cmocka_unit_test(a_prefix_of_the_coded_gives_a_prefix_of_the_plain),
		cmocka_unit_test(damage_is_told_and_harmless),
		cmocka_unit_test(chains_and_names),
		cmocka_unit_test(bombs_stay_small),
		cmocka_unit_test(character_sets_are_declared_or_defined),
		cmocka_unit_test(text_is_cut_between_characters),
		cmocka_unit_test(what_cannot_be_undone_stays_and_says_so),
		cmocka_unit_test(types_choose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
