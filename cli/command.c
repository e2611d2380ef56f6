/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/command.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"

static int can_run(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return -EACCES;
	return 0;
}

/* As execvp does: the first that can be run; one that may not be is remembered. */
static int search_path(const char *name)
{
	const char *dir = getenv("PATH"), *end;
	char path[PATH_MAX];
	int err = -ENOENT, here, n;

	for (dir = dir ? dir : "/bin:/usr/bin";; dir = end + 1) {
		end = strchrnul(dir, ':');
		n = snprintf(path, sizeof(path), "%.*s%s%s", (int)(end - dir), dir,
			     end == dir ? "./" : "/", name);
		here = n > 0 && (size_t)n < sizeof(path) ? can_run(path) : -ENAMETOOLONG;
		if (!here)
			return 0;
		if (here == -EACCES)
			err = here;
		if (!*end)
			return err;
	}
}

int command_check(const char *name)
{
	int err = strchr(name, '/') ? can_run(name) : search_path(name);

	if (!err)
		return 0;
	log_error("cannot run %s: %s", name, strerror(-err));
	return err == -ENOENT || err == -ENOTDIR ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
