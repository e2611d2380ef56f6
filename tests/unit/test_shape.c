/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of TLS libraries by the shape of their code: what is found in a library whose symbols are known is where
 * these say, and in files of another kind nothing is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/elf.h"
#include "capture/shape.h"
#include "tests/unit/elf_builder.h"

#define LIBRARIES "/usr/lib/*-linux-gnu/"
#define FLIPS 80

static struct elf_file *open_file(const char *pattern, int *fd)
{
	struct elf_file *e;
	glob_t found;

	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	*fd = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
	globfree(&found);
	assert_true(*fd >= 0);
	assert_int_equal(elf_open(&e, *fd), 0);
	return e;
}

static int find(const char *pattern, const struct shape *shape, struct shape_found *found,
		const char **why)
{
	int fd, n;
	struct elf_file *e = open_file(pattern, &fd);

	n = shape_find(e, shape, found, why);
	elf_close(e);
	close(fd);
	return n;
}

/* Every function of this list is found, and whatever has an exported name is where its symbol is. */
static void found_as_exported(const char *pattern, const struct shape *shape,
			      const char *const *expected)
{
	struct shape_found found[SHAPE_FOUND_MAX];
	const char *why;
	int fd, n;
	struct elf_file *e = open_file(pattern, &fd);

	n = shape_find(e, shape, found, &why);
	assert_true(n > 0);
	assert_null(why);
	for (int i = 0; i < n; i++) {
		struct elf_symbol sym = {.name = found[i].clue->name};

		elf_find_symbols(e, &sym, 1);
		if (!sym.addr)
			continue;
		assert_int_equal(found[i].addr, sym.addr);
		assert_int_equal(found[i].size, sym.size);
	}
	for (; *expected; expected++) {
		bool has = false;

		for (int i = 0; i < n; i++)
			has |= strcmp(found[i].clue->name, *expected) == 0;
		assert_true(has);
	}
	elf_close(e);
	close(fd);
}

static void functions_of_openssl_are_found(void **state)
{
	static const char *const expected[] = {
		"SSL_read",  "SSL_write",	   "SSL_peek",		"ssl_read_internal",
		"SSL_new",   "ssl_write_internal", "ssl_peek_internal", "SSL_read_early_data",
		"SSL_clear", "SSL_do_handshake",   "SSL_sendfile",	"SSL_write_early_data",
		NULL};

	(void)state;
	found_as_exported(LIBRARIES "libssl.so.3", &shape_openssl, expected);
}

static void functions_of_boringssl_are_found(void **state)
{
	static const char *const expected[] = {"SSL_read",	   "SSL_write", "SSL_peek",
					       "SSL_do_handshake", "SSL_new",	NULL};

	(void)state;
	found_as_exported(LIBRARIES "android/libssl.so.0", &shape_boringssl, expected);
}

static void other_files_hold_nothing(void **state)
{
	static const char *const files[] = {"libcrypto.so.3", "libc.so.6", "libgnutls.so.30",
					    "libz.so.1"};
	struct shape_found found[SHAPE_FOUND_MAX];
	const char *why;
	char path[PATH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), LIBRARIES "%s", files[i]);
		assert_int_equal(find(path, &shape_openssl, found, &why), 0);
		assert_null(why);
		assert_int_equal(find(path, &shape_boringssl, found, &why), 0);
		assert_null(why);
	}
	assert_int_equal(find(LIBRARIES "libssl.so.3", &shape_boringssl, found, &why), 0);
	assert_null(why);
}

/* A program that has the texts, and code of no kin. */
static void texts_alone_are_not_enough(void **state)
{
	struct shape_found found[SHAPE_FOUND_MAX];
	char dir[256], path[PATH_MAX];
	const char *why;

	(void)state;
	scratch_make(dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/decoy", dir);
	compile(dir, (const char *const[]){"-O2", "-s", "-o", "decoy", "@texts.c", NULL});
	assert_int_equal(find(path, &shape_openssl, found, &why), 0);
	assert_string_equal(why, "no function fits what is known of it");
	compile(dir,
		(const char *const[]){"-O2", "-s", "-DUNUSED", "-o", "unused", "@texts.c", NULL});
	snprintf(path, sizeof(path), "%s/unused", dir);
	assert_int_equal(find(path, &shape_openssl, found, &why), 0);
	assert_string_equal(why, "no code refers to its messages");
	scratch_remove(dir);
}

static uint32_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 16);
}

static int ask(int fd)
{
	struct shape_found found[SHAPE_FOUND_MAX];
	struct elf_file *e;
	const char *why;
	int n;

	if (elf_open(&e, fd) < 0)
		return 0;
	n = shape_find(e, &shape_openssl, found, &why);
	for (int i = 0; i < n; i++)
		assert_true(elf_is_code(e, found[i].addr));
	elf_close(e);
	return n > 0 ? n : 0;
}

static void damaged_files_do_no_harm(void **state)
{
	uint64_t rng = 0x9e3779b97f4a7c15ull;
	int fd, copy = memfd_create("copy", MFD_CLOEXEC), most = 0, least = INT_MAX;
	struct elf_file *e = open_file(LIBRARIES "libssl.so.3", &fd);
	size_t n = (size_t)lseek(fd, 0, SEEK_END);
	uint8_t *original = malloc(n);

	(void)state;
	elf_close(e);
	assert_non_null(original);
	assert_int_equal(pread(fd, original, n, 0), n);
	assert_int_equal(pwrite(copy, original, n, 0), n);
	for (int i = 0; i < FLIPS; i++) {
		uint8_t damaged[512];
		size_t at = i % 2 ? next_random(&rng) % 1024
				  : next_random(&rng) % (n - sizeof(damaged));
		int found;

		for (size_t k = 0; k < sizeof(damaged); k++)
			damaged[k] = (uint8_t)next_random(&rng);
		assert_int_equal(pwrite(copy, damaged, i % 2 ? 4 : sizeof(damaged), (off_t)at),
				 i % 2 ? 4 : sizeof(damaged));
		found = ask(copy);
		most = found > most ? found : most;
		least = found < least ? found : least;
		if (i % 10 == 9)
			assert_int_equal(pwrite(copy, original, n, 0), n);
	}
	/* Both happened: damage that hides it, and damage that it survives. */
	assert_true(least == 0 && most > 8);
	for (size_t i = 0; i < 40; i++) {
		assert_int_equal(ftruncate(copy, (off_t)(n - n * i / 40)), 0);
		ask(copy);
	}
	free(original);
	close(copy);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_of_openssl_are_found),
		cmocka_unit_test(functions_of_boringssl_are_found),
		cmocka_unit_test(other_files_hold_nothing),
		cmocka_unit_test(texts_alone_are_not_enough),
		cmocka_unit_test(damaged_files_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
