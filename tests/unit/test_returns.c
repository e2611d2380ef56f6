/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a return probe may be placed: by kernel, filter and stacks; and which files tell of stacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <fcntl.h>
#include <linux/version.h>
#include <unistd.h>

#include "capture/elf.h"
#include "capture/returns.h"
#include "tests/unit/elf_builder.h"

static void test_filters(void **state)
{
	static const struct {
		uint32_t kernel;
		bool refused;
	} rows[] = {
		{KERNEL_VERSION(5, 15, 0), false},  {KERNEL_VERSION(6, 1, 140), false},
		{KERNEL_VERSION(6, 10, 14), false}, {KERNEL_VERSION(6, 11, 0), true},
		{KERNEL_VERSION(6, 11, 11), true},  {KERNEL_VERSION(6, 12, 0), true},
		{KERNEL_VERSION(6, 12, 10), true},  {KERNEL_VERSION(6, 12, 11), false},
		{KERNEL_VERSION(6, 12, 60), false}, {KERNEL_VERSION(6, 13, 0), true},
		{KERNEL_VERSION(6, 13, 1), false},  {KERNEL_VERSION(6, 14, 0), false},
		{KERNEL_VERSION(6, 18, 0), false},  {KERNEL_VERSION(7, 0, 0), false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct returns_facts f = {.kernel = rows[i].kernel};

		assert_int_equal(returns_refused(&f) != NULL, rows[i].refused);
		f.switches_stacks = true;
		assert_non_null(returns_refused(&f));
	}
}

static bool switches(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_file *e;
	bool found;

	assert_true(fd >= 0);
	assert_int_equal(elf_open(&e, fd), 0);
	found = returns_switch(e);
	elf_close(e);
	close(fd);
	return found;
}

/* libc offers the functions to everybody, libcrypto uses what can jump: neither tells of a program. */
static void test_files_of_this_machine(void **state)
{
	(void)state;
	assert_false(switches("/lib/x86_64-linux-gnu/libc.so.6"));
	assert_false(switches("/usr/lib/x86_64-linux-gnu/libcrypto.so.3"));
	assert_false(switches("/proc/self/exe"));
}

static void test_programs(void **state)
{
	static const char *const ways[][5] = {
		{"@coroutine.c", NULL},
		{"@coroutine.c", "-static", NULL},
		{"@coroutine.c", "-static", "-s", "-DOWN", NULL}, /* nothing is left to be seen */
		{"@coroutine.c", "-DOWN", NULL},
		{"@coroutine.c", "-DOWN", "-s", NULL}, /* nor here */
	};
	static const bool seen[] = {true, true, false, true, false};
	char dir[64], path[96];

	(void)state;
	scratch_make(dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/program", dir);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		const char *args[8] = {"-o", "program"};

		for (size_t k = 0; ways[i][k]; k++)
			args[2 + k] = ways[i][k];
		compile(dir, args);
		assert_int_equal(switches(path), seen[i]);
	}
	scratch_remove(dir);
}

static void test_this_process(void **state)
{
	(void)state;
	assert_true(returns_kernel() >= KERNEL_VERSION(5, 15, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_files_of_this_machine),
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_this_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
