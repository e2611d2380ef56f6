/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A stripped program whose symbols are elsewhere: every place is found, and what does not belong to it is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/elf_debug.h"
#include "tests/unit/elf_builder.h"

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct stripped {
	char dir[256], path[300], debug[300];
	char *id;
	uint64_t addr; /* of SSL_read */
};

static uint64_t find(struct elf_file *e)
{
	struct elf_symbol sym = {.name = "SSL_read"};

	elf_find_symbols(e, &sym, 1);
	return sym.addr;
}

static struct elf_file *open_it(const struct stripped *s, int *fd)
{
	struct elf_file *e;

	*fd = open(s->path, O_RDONLY | O_CLOEXEC);
	assert_true(*fd >= 0);
	assert_int_equal(elf_open(&e, *fd), 0);
	return e;
}

static void make(struct stripped *s)
{
	struct elf_file *e;
	int fd;

	scratch_make(s->dir, sizeof(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/out", s->dir);
	snprintf(s->debug, sizeof(s->debug), "%s/out.debug", s->dir);
	compile(s->dir, ARGS("-O2", "-Wl,--build-id", "@program.c", "@tls.c", "-o", "out"));
	e = open_it(s, &fd);
	s->addr = find(e);
	s->id = elf_build_id(e);
	assert_true(s->addr);
	assert_non_null(s->id);
	elf_close(e);
	close(fd);
	run_program(s->dir, ARGS("objcopy", "--only-keep-debug", "out", "out.debug"));
	run_program(s->dir, ARGS("strip", "out"));
}

static void unmake(struct stripped *s)
{
	free(s->id);
	scratch_remove(s->dir);
}

/* Whether the search ends with the function where it was before. */
static int search(const struct stripped *s, const struct debug_search *how)
{
	int fd, rc;
	struct elf_file *e = open_it(s, &fd);

	assert_int_equal(find(e), 0);
	rc = elf_debug_attach(e, how);
	assert_int_equal(find(e), rc ? 0 : s->addr);
	elf_close(e);
	close(fd);
	return rc;
}

static void without_any_there_are_none(void **state)
{
	struct stripped s;

	(void)state;
	make(&s);
	assert_int_equal(search(&s, &(struct debug_search){.root = "", .path = s.path}), -ENOENT);
	unmake(&s);
}

static void a_file_named_must_have_the_same_build_id(void **state)
{
	struct debug_search how = {.root = ""};
	const char *files[1];
	struct stripped s;

	(void)state;
	make(&s);
	how.path = s.path;
	how.files = files;
	how.file_count = 1;
	files[0] = "/proc/self/exe";
	assert_int_equal(search(&s, &how), -ENOENT);
	files[0] = "/no/such/file";
	assert_int_equal(search(&s, &how), -ENOENT);
	files[0] = s.debug;
	assert_int_equal(search(&s, &how), 0);
	unmake(&s);
}

static void the_debug_directory_of_its_root_is_searched(void **state)
{
	char folder[512], file[600];
	struct stripped s;

	(void)state;
	make(&s);
	snprintf(folder, sizeof(folder), "usr/lib/debug/.build-id/%.2s", s.id);
	snprintf(file, sizeof(file), "%s/%s.debug", folder, s.id + 2);
	run_program(s.dir, ARGS("mkdir", "-p", folder));
	run_program(s.dir, ARGS("mv", "out.debug", file));
	assert_int_equal(search(&s, &(struct debug_search){.root = s.dir, .path = s.path}), 0);
	unmake(&s);
}

static void a_link_is_followed_when_the_checksum_is_right(void **state)
{
	struct debug_search how = {.root = ""};
	struct stripped s;

	(void)state;
	make(&s);
	how.path = s.path;
	run_program(s.dir, ARGS("objcopy", "--add-gnu-debuglink=out.debug", "out"));
	assert_int_equal(search(&s, &how), 0);
	run_program(s.dir, ARGS("mkdir", ".debug"));
	run_program(s.dir, ARGS("mv", "out.debug", ".debug"));
	assert_int_equal(search(&s, &how), 0);
	run_program(s.dir, ARGS("truncate", "-s", "+1", ".debug/out.debug"));
	assert_int_equal(search(&s, &how), -ENOENT);
	unmake(&s);
}

static void packed_symbols_are_unpacked(void **state)
{
	struct debug_search how = {.root = ""};
	struct stripped s;

	(void)state;
	make(&s);
	how.path = s.path;
	run_program(s.dir, ARGS("cp", "out", "bare"));
	run_program(s.dir, ARGS("xz", "out.debug"));
	run_program(s.dir, ARGS("objcopy", "--add-section", ".gnu_debugdata=out.debug.xz", "out"));
	assert_int_equal(search(&s, &how), 0);

	run_program(s.dir, ARGS("truncate", "-s", "-40", "out.debug.xz"));
	run_program(s.dir, ARGS("cp", "bare", "out"));
	run_program(s.dir, ARGS("objcopy", "--add-section", ".gnu_debugdata=out.debug.xz", "out"));
	assert_int_equal(search(&s, &how), -EBADMSG);
	unmake(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_any_there_are_none),
		cmocka_unit_test(a_file_named_must_have_the_same_build_id),
		cmocka_unit_test(the_debug_directory_of_its_root_is_searched),
		cmocka_unit_test(a_link_is_followed_when_the_checksum_is_right),
		cmocka_unit_test(packed_symbols_are_unpacked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
