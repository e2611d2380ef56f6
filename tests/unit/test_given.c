/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions described on the command line: what is understood, what is refused, where they are found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "capture/given.h"
#include "capture/tls_libs.h"

static struct given_func *accept(struct given *g, const char *spec)
{
	const char *why = NULL;

	if (given_parse(g, spec, &why))
		fail_msg("'%s' refused: %s", spec, why);
	return &g->v[g->count - 1];
}

static void descriptions_are_understood(void **state)
{
	struct given g = {0};
	struct given_func *f =
		accept(&g, "write:/opt/a:b/lib(1).so:db_tls_write(ctx=1,buf=3,len=4)->len64");

	(void)state;
	assert_string_equal(f->path, "/opt/a:b/lib(1).so");
	assert_string_equal(f->symbol, "db_tls_write");
	assert_false(f->by_offset);
	assert_int_equal(f->cookie, COOKIE(TLS_LIB_GIVEN, 0, FN_WRITE, LEN_RET_LONG, 1, 3, 4, 0));

	f = accept(&g, "read:/bin/x:0x1aF0(out=4,len=3,buf=2,ctx=1)->1");
	assert_true(f->by_offset);
	assert_int_equal(f->offset, 0x1af0);
	assert_int_equal(f->cookie, COOKIE(TLS_LIB_GIVEN, 1, FN_READ, LEN_OUT_IF_1, 1, 2, 3, 4));

	f = accept(&g, "write:/bin/x:w(ctx=6,buf=2,len=3)->0,all");
	assert_int_equal(f->cookie, COOKIE(TLS_LIB_GIVEN, 2, FN_WRITE, LEN_ARG_IF_0, 6, 2, 3, 0));
	f = accept(&g, "new:/bin/x:open()");
	assert_int_equal(f->cookie, COOKIE(TLS_LIB_GIVEN, 3, FN_NEW, LEN_RET, 0, 0, 0, 0));
	f = accept(&g, "free:/bin/x:close(ctx=1)");
	assert_int_equal(f->cookie, COOKIE(TLS_LIB_GIVEN, 4, FN_FREE, LEN_RET, 1, 0, 0, 0));
	given_free(&g);
}

static void what_makes_no_sense_is_refused(void **state)
{
	static const char *const specs[] = {
		"",
		"write",
		"write:",
		"write:x",
		"write:/bin/x:f",
		"write:f(ctx=1,buf=2)",
		"write::f(ctx=1,buf=2)",
		"write:/bin/x:(ctx=1,buf=2)",
		"write:/bin/x:f(ctx=1,buf=2",
		"send:/bin/x:f(ctx=1,buf=2)",
		"write:/bin/x:f(ctx=1)",
		"write:/bin/x:f(buf=2,len=3)",
		"write:/bin/x:f(ctx=0,buf=2)",
		"write:/bin/x:f(ctx=7,buf=2)",
		"write:/bin/x:f(ctx=1,ctx=1,buf=2)",
		"write:/bin/x:f(ctx=1buf=2)",
		"write:/bin/x:f(ctx=,buf=2)",
		"write:/bin/x:f(ctx=1,buf=2,fd=3)",
		"write:/bin/x:f(ctx=1,buf=2)->",
		"write:/bin/x:f(ctx=1,buf=2)->2",
		"write:/bin/x:f(ctx=1,buf=2)->1",
		"write:/bin/x:f(ctx=1,buf=2)->0,all",
		"write:/bin/x:f(ctx=1,buf=2)len",
		"write:/bin/x:0x(ctx=1,buf=2)",
		"write:/bin/x:0x12z(ctx=1,buf=2)",
		"write:/bin/x:0x12345678901234567(ctx=1,buf=2)",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct given g = {0};
		const char *why = NULL;

		if (given_parse(&g, specs[i], &why) != -EINVAL || !why)
			fail_msg("'%s' accepted", specs[i]);
		given_free(&g);
	}
}

static void there_is_a_limit(void **state)
{
	struct given g = {0};
	const char *why;

	(void)state;
	for (int i = 0; i < GIVEN_MAX; i++)
		accept(&g, "write:/bin/x:f(ctx=1,buf=2)");
	assert_int_equal(given_parse(&g, "write:/bin/x:f(ctx=1,buf=2)", &why), -ENOSPC);
	given_free(&g);
}

/* The test itself is the file; main is the function. */
static void they_are_found_in_the_file_named(void **state)
{
	struct tls_file f = {.lib = TLS_LIB_GIVEN};
	struct given g = {0};
	struct stat st, other;
	uint64_t offset;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(stat("/", &other), 0);
	accept(&g, "write:/proc/self/exe:main(ctx=1,buf=2)");
	accept(&g, "read:/proc/self/exe:no_such_function(ctx=1,buf=2)");
	accept(&g, "free:/the/name/it/has:0x0(ctx=1)");
	accept(&g, "free:/some/other/file:main(ctx=1)");
	assert_true(given_matches(&g, &st, "whatever"));
	assert_true(given_matches(&g, &other, "/the/name/it/has"));
	assert_false(given_matches(&g, &other, "/"));
	assert_false(given_matches(NULL, &st, "whatever"));

	assert_int_equal(given_add_sites(&g, fd, "", &st, "/the/name/it/has", &f), 0);
	assert_int_equal(f.site_count, 1);
	assert_string_equal(site_function(&f.sites[0]), "main");
	assert_int_equal(f.missing_count, 2);
	assert_string_equal(f.missing[0], "no_such_function");
	assert_string_equal(f.missing[1], "0x0"); /* the ELF header is no code */
	offset = f.sites[0].offset;
	assert_true(offset > 0 && offset < (uint64_t)st.st_size);

	/* What is probed already is not probed twice. */
	assert_int_equal(given_add_sites(&g, fd, "", &st, "whatever", &f), 0);
	assert_int_equal(f.site_count, 1);
	tls_file_clear(&f);
	given_free(&g);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptions_are_understood),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(there_is_a_limit),
		cmocka_unit_test(they_are_found_in_the_file_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
