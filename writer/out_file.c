/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "writer/out_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Names of descriptors that are already open. The kernel's /dev entries for them are symlinks, which
 * O_NOFOLLOW refuses, and a shell's >(command) passes /dev/fd/N.
 */
int out_file_inherited(const char *path)
{
	static const char dev_fd[] = "/dev/fd/";
	char *end;
	long n;

	if (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0)
		return STDOUT_FILENO;
	if (strcmp(path, "/dev/stderr") == 0)
		return STDERR_FILENO;
	if (strncmp(path, dev_fd, sizeof(dev_fd) - 1) != 0)
		return -1;
	path += sizeof(dev_fd) - 1;
	if (*path < '0' || *path > '9')
		return -1;
	errno = 0;
	n = strtol(path, &end, 10);
	return errno || *end || n > 1 << 20 ? -1 : (int)n;
}

/*
 * A file that was there before must be ours: in a shared directory somebody else may have put it there
 * to read what we write. It is emptied only after that check, so never by O_TRUNC.
 */
static int claim(int fd, bool append)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
		return 0;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_uid != geteuid())
		return -EPERM;
	if (fchmod(fd, 0600) || (!append && ftruncate(fd, 0)))
		return -errno;
	return 0;
}

int out_file_open(const char *path, bool append)
{
	const int flags = O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | (append ? O_APPEND : 0);
	int fd, err;

	fd = open(path, flags | O_CREAT | O_EXCL, 0600);
	if (fd >= 0)
		return fd;
	if (errno != EEXIST)
		return -errno;
	fd = open(path, flags);
	if (fd < 0)
		return -errno;
	err = claim(fd, append);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

bool out_file_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

bool out_file_same(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && lstat(path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}
