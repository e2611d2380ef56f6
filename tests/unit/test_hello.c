/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hellos of real programs (tests/fixtures/hello): what a file says behind its line "---", tshark said of the
 * same bytes. Each is read whole and in pieces, in records of any size, cut and altered anywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <dirent.h>

#include "flow/hello.h"
#include "tests/fuzz/fixture_input.h"

#define FOLDER "tests/fixtures/hello/"
#define PARTS_MAX 32
#define FIXTURES_MIN 10

struct part {
	enum dir dir;
	struct buf bytes;
};

/* Parts are what one side said before the other did. */
struct talk {
	struct part part[PARTS_MAX];
	size_t count;
	char told[512];
};

static void put_line(struct talk *t, const char *line)
{
	enum dir d = *line == '<' ? DIR_READ : DIR_WRITE;
	uint8_t octets[255];
	size_t n = input_octets(octets, sizeof(octets), true, (const uint8_t *)line + 2,
				strcspn(line + 2, "\n"));

	assert_true(line[1] == ':' && n);
	if (!t->count || t->part[t->count - 1].dir != d) {
		assert_true(t->count < PARTS_MAX);
		t->part[t->count++] = (struct part){.dir = d};
	}
	buf_put(&t->part[t->count - 1].bytes, octets, n);
}

static void talk_read(struct talk *t, const char *name)
{
	char path[512], line[512];
	FILE *f;

	memset(t, 0, sizeof(*t));
	snprintf(path, sizeof(path), FOLDER "%s", name);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) && strcmp(line, "---\n") != 0)
		if (*line == '<' || *line == '>')
			put_line(t, line);
	t->told[fread(t->told, 1, sizeof(t->told) - 1, f)] = '\0';
	fclose(f);
	assert_true(t->count >= 2);
}

static void talk_free(struct talk *t)
{
	for (size_t i = 0; i < t->count; i++)
		buf_free(&t->part[i].bytes);
}

static void put_fact(struct buf *b, const char *name, struct str s)
{
	if (s.n)
		buf_printf(b, "%s %.*s\n", name, (int)s.n, s.p);
}

static const char *facts(const struct hello_reader *r, struct buf *b)
{
	buf_clear(b);
	put_fact(b, "version", r->version);
	put_fact(b, "cipher", r->cipher);
	put_fact(b, "sni", r->sni);
	put_fact(b, "alpn", r->alpn);
	if (r->resumed)
		buf_printf(b, "resumed %s\n", r->resumed == TLS_RESUMED_YES ? "yes" : "no");
	buf_putc(b, '\0');
	assert_true(buf_ok(b));
	return (const char *)b->p;
}

/* In an allocation of its exact size, so that reading beyond it is seen. */
static void feed(struct hello_reader *r, enum dir d, uint64_t off, const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n + !n);

	assert_non_null(copy);
	if (n)
		memcpy(copy, p, n);
	hello_feed(r, d, off, copy, n);
	free(copy);
}

/* Pieces of `step` octets. */
static void feed_all(struct hello_reader *r, const struct talk *t, size_t step)
{
	uint64_t off[DIR_COUNT] = {0};

	for (size_t i = 0; i < t->count; i++) {
		const struct part *p = &t->part[i];

		for (size_t at = 0; at < p->bytes.n; at += step) {
			size_t n = p->bytes.n - at < step ? p->bytes.n - at : step;

			feed(r, p->dir, off[p->dir] + at, p->bytes.p + at, n);
		}
		off[p->dir] += p->bytes.n;
	}
}

static void check(const struct talk *t, size_t step)
{
	struct hello_reader *r = calloc(1, sizeof(*r));
	struct buf text = {0};

	assert_non_null(r);
	feed_all(r, t, step);
	assert_string_equal(facts(r, &text), t->told);
	assert_int_equal(hello_held(r), 0);
	buf_free(&text);
	free(r);
}

/* Whatever is said is part of what the whole says. */
static void check_part(const struct hello_reader *r, const struct talk *t)
{
	struct buf text = {0};
	char *line, *rest;

	facts(r, &text);
	for (line = strtok_r((char *)text.p, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (!strstr(t->told, line))
			fail_msg("'%s' is not in '%s'", line, t->told);
	buf_free(&text);
}

/* One octet after the other, of both directions `kept` of those of the part that is cut. */
static void check_cut(const struct talk *t, size_t part, size_t kept, size_t gap)
{
	struct hello_reader *r = calloc(1, sizeof(*r));
	uint64_t off[DIR_COUNT] = {0};

	assert_non_null(r);
	for (size_t i = 0; i < t->count; i++) {
		const struct buf *b = &t->part[i].bytes;
		enum dir d = t->part[i].dir;

		if (i == part) {
			feed(r, d, off[d], b->p, kept);
			if (gap && kept + gap < b->n)
				feed(r, d, off[d] + kept + gap, b->p + kept + gap,
				     b->n - kept - gap);
		} else {
			feed(r, d, off[d], b->p, b->n);
		}
		off[d] += b->n;
	}
	check_part(r, t);
	hello_stop(r);
	assert_int_equal(hello_held(r), 0);
	free(r);
}

/* The handshake records of a part anew, `size` octets in each; what follows them is left out. */
static void split_records(struct buf *out, const struct buf *in, size_t size)
{
	for (size_t at = 0; at + 5 <= in->n;) {
		const uint8_t *rec = in->p + at;
		size_t n = (size_t)rec[3] << 8 | rec[4];

		if (n > in->n - at - 5)
			n = in->n - at - 5;
		at += 5 + n;
		for (size_t k = 0; k < n; k += size) {
			size_t len = rec[0] != 22 || n - k < size ? n - k : size;

			buf_put(out, rec, 3);
			buf_putc(out, (uint8_t)(len >> 8));
			buf_putc(out, (uint8_t)len);
			buf_put(out, rec + 5 + k, len);
			k += len - size;
		}
	}
}

static void check_records(const struct talk *t, size_t size)
{
	struct talk split = *t;

	for (size_t i = 0; i < t->count; i++) {
		split.part[i].bytes = (struct buf){0};
		split_records(&split.part[i].bytes, &t->part[i].bytes, size);
		assert_true(buf_ok(&split.part[i].bytes));
	}
	check(&split, SIZE_MAX / 2);
	check(&split, 1);
	talk_free(&split);
}

/* Anything may be said of what was altered, but in the bounds of what may be said. */
static void check_altered(struct talk *t, size_t part, size_t at)
{
	static const uint8_t changes[] = {0x01, 0x80, 0xff};
	uint8_t *p = &t->part[part].bytes.p[at], before = *p;

	for (size_t i = 0; i < sizeof(changes); i++) {
		struct hello_reader *r = calloc(1, sizeof(*r));

		assert_non_null(r);
		*p = before ^ changes[i];
		feed_all(r, t, SIZE_MAX / 2);
		assert_true(r->sni.n <= HELLO_NAME_BYTES && r->alpn.n <= HELLO_NAME_BYTES);
		assert_true(!r->version.n == !r->cipher.n);
		hello_stop(r);
		free(r);
	}
	*p = before;
}

static void every_way(struct talk *t)
{
	for (size_t step = 1; step < 80; step++)
		check(t, step);
	check(t, SIZE_MAX / 2);
	for (size_t size = 1; size < 600; size = size * 3 / 2 + 1)
		check_records(t, size);
	for (size_t i = 0; i < t->count; i++) {
		for (size_t at = 0; at < t->part[i].bytes.n; at++) {
			check_cut(t, i, at, 0);
			check_cut(t, i, at, 1);
			check_cut(t, i, at, 7);
			check_altered(t, i, at);
		}
	}
}

static void hellos_of_programs_in_every_way(void **state)
{
	DIR *d = opendir(FOLDER);
	struct dirent *e;
	size_t count = 0;
	struct talk t;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d))) {
		if (!strstr(e->d_name, ".txt"))
			continue;
		print_message("%s\n", e->d_name);
		talk_read(&t, e->d_name);
		every_way(&t);
		talk_free(&t);
		count++;
	}
	closedir(d);
	assert_true(count >= FIXTURES_MIN);
}

/* Either end may be the traced one. */
static void it_does_not_matter_who_is_traced(void **state)
{
	struct talk t;

	(void)state;
	talk_read(&t, "tls12-alpn.txt");
	for (size_t i = 0; i < t.count; i++)
		t.part[i].dir = dir_other(t.part[i].dir);
	check(&t, SIZE_MAX / 2);
	talk_free(&t);
}

/* Without the client's, its server's hello tells no resumption before TLS 1.3; nor does a second one. */
static void a_hello_alone(void **state)
{
	struct hello_reader r = {0};
	struct buf text = {0};
	struct talk t;

	(void)state;
	talk_read(&t, "tls12-alpn.txt");
	feed(&r, DIR_READ, 0, t.part[1].bytes.p, t.part[1].bytes.n);
	assert_string_equal(
		facts(&r, &text),
		"version 1.2\ncipher TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384\nalpn h2\n");
	feed(&r, DIR_WRITE, 0, t.part[1].bytes.p, t.part[1].bytes.n); /* both are servers? */
	assert_string_equal(
		facts(&r, &text),
		"version 1.2\ncipher TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384\nalpn h2\n");
	talk_free(&t);
	talk_read(&t, "tls13-resumed.txt");
	memset(&r, 0, sizeof(r));
	feed(&r, DIR_READ, 0, t.part[1].bytes.p, t.part[1].bytes.n);
	assert_string_equal(facts(&r, &text),
			    "version 1.3\ncipher TLS_AES_256_GCM_SHA384\nresumed yes\n");
	talk_free(&t);
	buf_free(&text);
}

/* A ticket without the id of a session (RFC 5077 section 3.4): the hellos do not tell whether it was taken. */
static void a_ticket_without_an_id_tells_nothing(void **state)
{
	enum {
		ID_AT = 5 + 4 + 2 + 32
	};

	struct hello_reader r = {0};
	struct buf text = {0}, shorter = {0};
	struct talk t;
	uint8_t *p;

	(void)state;
	talk_read(&t, "tls12-ticket-resumed.txt");
	p = t.part[0].bytes.p;
	assert_int_equal(p[ID_AT], 32);
	buf_put(&shorter, p, ID_AT);
	buf_putc(&shorter, 0);
	buf_put(&shorter, p + ID_AT + 33, t.part[0].bytes.n - ID_AT - 33);
	assert_true(buf_ok(&shorter));
	shorter.p[4] -= 32; /* of the record, */
	shorter.p[8] -= 32; /* and the message */
	feed(&r, DIR_WRITE, 0, shorter.p, shorter.n);
	feed(&r, DIR_READ, 0, t.part[1].bytes.p, t.part[1].bytes.n);
	assert_int_equal(r.resumed, TLS_RESUMED_UNKNOWN);
	assert_string_equal(facts(&r, &text),
			    "version 1.2\ncipher TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384\n"
			    "sni www.example.com\n");
	buf_free(&text);
	buf_free(&shorter);
	talk_free(&t);
}

static void what_is_no_tls_is_not_read(void **state)
{
	static const char *const others[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
					     "\x16\x03\x01\xff\xff\x01", "\x16\x02\x01\x01\x01\x01",
					     "\x17\x03\x03\x01\x01\x01", "SSH-2.0-x\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct hello_reader r = {0};

		feed(&r, DIR_WRITE, 0, (const uint8_t *)others[i], strlen(others[i]));
		assert_true(r.stream[DIR_WRITE].over);
		assert_int_equal(hello_held(&r), 0);
	}
}

static void suites_have_their_names(void **state)
{
	struct str name;
	size_t named = 0;

	(void)state;
	for (unsigned int n = 0; n <= UINT16_MAX; n++) {
		name = cipher_suite_name((uint16_t)n);
		named += name.n > 0;
		assert_true(!name.n || strncmp(name.p, "TLS_", 4) == 0);
	}
	assert_true(named > 340);
	assert_string_equal(cipher_suite_name(0x1303).p, "TLS_CHACHA20_POLY1305_SHA256");
	assert_string_equal(cipher_suite_name(0xc02f).p, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
	assert_string_equal(cipher_suite_name(0xd005).p, "TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256");
	assert_int_equal(cipher_suite_name(0x00ff).n, 0); /* a signal */
	assert_int_equal(cipher_suite_name(0x5600).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hellos_of_programs_in_every_way),
		cmocka_unit_test(it_does_not_matter_who_is_traced),
		cmocka_unit_test(a_hello_alone),
		cmocka_unit_test(a_ticket_without_an_id_tells_nothing),
		cmocka_unit_test(what_is_no_tls_is_not_read),
		cmocka_unit_test(suites_have_their_names),
	};

	return cmocka_run_group_tests_name("hello", tests, NULL, NULL);
}
