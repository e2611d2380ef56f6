/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/elf_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 32

void scratch_make(char *dir, size_t size)
{
	const char *tmp = getenv("TMPDIR");

	assert_true(snprintf(dir, size, "%s/tlslens-XXXXXX", tmp ? tmp : "/tmp") < (int)size);
	assert_non_null(mkdtemp(dir));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void scratch_remove(const char *dir)
{
	assert_int_equal(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void run_program(const char *dir, const char *const args[])
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (chdir(dir) == 0)
			execvp(args[0], (char *const *)args);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

void compile(const char *dir, const char *const args[])
{
	const char *cc = getenv("CC"), *argv[ARGS_MAX] = {cc && *cc ? cc : "gcc"};
	char cwd[PATH_MAX], path[ARGS_MAX][PATH_MAX];
	int n = 1;

	assert_non_null(getcwd(cwd, sizeof(cwd)));
	for (size_t i = 0; args[i]; i++, n++) {
		assert_true(n < ARGS_MAX - 1);
		argv[n] = args[i];
		if (args[i][0] != '@')
			continue;
		assert_true(snprintf(path[n], PATH_MAX, "%s/tests/fixtures/elf/%s", cwd,
				     args[i] + 1) < PATH_MAX);
		argv[n] = path[n];
	}
	run_program(dir, argv);
}

void copy_to(const char *from, const char *to)
{
	char bytes[1 << 14];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		assert_int_equal(write(out, bytes, (size_t)n), n);
	assert_int_equal(n, 0);
	close(in);
	close(out);
}
