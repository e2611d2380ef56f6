/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which headers hide something, and what of a value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include "core/secrets.h"

static void test_headers(void **state)
{
	static const struct {
		const char *name;
		enum secret_kind kind;
	} rows[] = {
		{"Authorization", SECRET_AFTER_SCHEME},
		{"PROXY-AUTHORIZATION", SECRET_AFTER_SCHEME},
		{"cookie", SECRET_COOKIE},
		{"Set-Cookie", SECRET_SET_COOKIE},
		{"X-Api-Key", SECRET_WHOLE},
		{"X-Vault-Token", SECRET_WHOLE},
		{"x-csrf-token", SECRET_WHOLE},
		{"session-token-bin", SECRET_WHOLE},
		{"trace-bin", SECRET_NONE},
		{"-bin", SECRET_NONE},
		{"X-Client-Secret", SECRET_WHOLE},
		{"X-Auth-Key", SECRET_WHOLE},
		{"Referer", SECRET_URL},
		{"Location", SECRET_URL},
		{":path", SECRET_URL},
		{"Host", SECRET_NONE},
		{"Cookies", SECRET_NONE},
		{"Idempotency-Key", SECRET_NONE},
		{"Sec-WebSocket-Key", SECRET_NONE},
		{"Content-Length", SECRET_NONE},
		{"WWW-Authenticate", SECRET_NONE},
		{"Token-Count", SECRET_NONE},
		{"", SECRET_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (secret_header(NULL, str_from(rows[i].name)) != rows[i].kind)
			fail_msg("%s", rows[i].name);
}

/* The value with its secrets as stars, and the order of the ranges checked. */
struct masked {
	char text[256];
	size_t n, last;
};

static void mask(void *arg, size_t at, size_t n)
{
	struct masked *m = arg;

	assert_true(n > 0);
	assert_true(at >= m->last);
	assert_true(at + n <= m->n);
	memset(m->text + at, '*', n);
	m->last = at + n;
}

static void expect(enum secret_kind kind, const char *value, const char *want)
{
	struct masked m = {.n = strlen(value)};
	char *exact = malloc(m.n + 1); /* no NUL within reach of a reader that runs over */

	assert_non_null(exact);
	memcpy(exact, value, m.n);
	exact = realloc(exact, m.n ? m.n : 1);
	assert_non_null(exact);
	snprintf(m.text, sizeof(m.text), "%s", value);
	secret_ranges(NULL, kind, (struct str){exact, m.n}, mask, &m);
	free(exact);
	assert_string_equal(m.text, want);
}

static void test_values(void **state)
{
	(void)state;
	expect(SECRET_NONE, "abc", "abc");
	expect(SECRET_WHOLE, "abc def", "*******");
	expect(SECRET_WHOLE, "", "");
	expect(SECRET_AFTER_SCHEME, "Bearer abc", "Bearer ***");
	expect(SECRET_AFTER_SCHEME, "  Basic   dTpw ", "  Basic   **** ");
	expect(SECRET_AFTER_SCHEME, "Digest a=\"b\", c=d", "Digest **********");
	expect(SECRET_AFTER_SCHEME, "bare-token", "**********");
	expect(SECRET_AFTER_SCHEME, "", "");
	expect(SECRET_COOKIE, "a=1; bb=22;c=; d", "a=*; bb=**;c=; *");
	expect(SECRET_COOKIE, "a=b=c;;", "a=***;;");
	expect(SECRET_SET_COOKIE, "sid=x y; Path=/; HttpOnly", "sid=***; Path=/; HttpOnly");
	expect(SECRET_SET_COOKIE, "nameless", "********");
	expect(SECRET_SET_COOKIE, "sid=", "sid=");
}

static void test_urls(void **state)
{
	(void)state;
	expect(SECRET_URL, "/a?b=c", "/a?b=c");
	expect(SECRET_URL, "/a?token=abc&x=1", "/a?token=***&x=1");
	expect(SECRET_URL, "/?ACCESS_TOKEN=a&Api-Key=b", "/?ACCESS_TOKEN=*&Api-Key=*");
	expect(SECRET_URL, "/?x=1;sig=2;y&z=3", "/?x=1;sig=***&z=3");
	expect(SECRET_URL, "/?tok%65n=abc", "/?tok%65n=***");
	expect(SECRET_URL, "/?tok%6=abc&%=1", "/?tok%6=abc&%=1");
	expect(SECRET_URL, "/?token", "/?token");
	expect(SECRET_URL, "/?token=", "/?token=");
	expect(SECRET_URL, "/?=abc&&=", "/?=abc&&=");
	expect(SECRET_URL, "/cb#access_token=abc&state=s", "/cb#access_token=***&state=s");
	expect(SECRET_URL, "https://u:p@h:1/x?code=4", "https://***@h:1/x?code=*");
	expect(SECRET_URL, "https://h/@x?y=a@b", "https://h/@x?y=a@b");
	expect(SECRET_URL, "https://u:p@h@e?q", "https://*****@e?q");
	expect(SECRET_URL, "https://u:p", "https://u:p");
	expect(SECRET_URL, "//u:p@h/", "//***@h/");
	expect(SECRET_URL, "//h/@x?y=a@b", "//h/@x?y=a@b");
	expect(SECRET_URL, "", "");
	expect(SECRET_URL, "?", "?");
	expect(SECRET_URL, "/?X-Amz-Signature=f&X-Amz-Credential=g&X-Amz-Date=h",
	       "/?X-Amz-Signature=*&X-Amz-Credential=*&X-Amz-Date=h");
}

static void test_rules(void **state)
{
	static const char *const bad[] = {
		"",
		"header:",
		"param:",
		"a b",
		"cookie:x",
		"x:y",
		"0123456789012345678901234567890123456789012345678901234567890123456"};
	struct secret_rules *r = NULL;
	struct masked m = {.n = 30};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(secret_rules_add(&r, bad[i]), -EINVAL);
	assert_null(r);
	assert_int_equal(secret_rules_add(&r, "header:X-Seat*"), 0);
	assert_int_equal(secret_rules_add(&r, "param:shelf"), 0);
	assert_int_equal(secret_rules_add(&r, "*ident*fier"), 0);
	assert_int_equal(secret_header(r, STR("x-seat-number")), SECRET_WHOLE);
	assert_int_equal(secret_header(r, STR("X-SEAT")), SECRET_WHOLE);
	assert_int_equal(secret_header(r, STR("ax-seat")), SECRET_NONE);
	assert_int_equal(secret_header(r, STR("shelf")), SECRET_NONE);
	assert_int_equal(secret_header(r, STR("my-identifier")), SECRET_WHOLE);
	assert_int_equal(secret_header(r, STR("identifiers")), SECRET_NONE);
	assert_int_equal(secret_header(r, STR("cookie")), SECRET_COOKIE);
	snprintf(m.text, sizeof(m.text), "/?Shelf=12&seat=3&identifier=4");
	secret_ranges(r, SECRET_URL, str_from("/?Shelf=12&seat=3&identifier=4"), mask, &m);
	assert_string_equal(m.text, "/?Shelf=**&seat=3&identifier=*");
	for (int i = 3; i < SECRET_RULES_MAX; i++)
		assert_int_equal(secret_rules_add(&r, "more"), 0);
	assert_int_equal(secret_rules_add(&r, "more"), -ENOSPC);
	secret_rules_free(r);
	secret_rules_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
