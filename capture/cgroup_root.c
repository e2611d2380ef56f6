/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Version 2, which every process is in, also where only the controllers of version 1 are in use and nobody has
 * mounted it: so it is mounted for us alone, at no place. Where that is not allowed, the usual places are tried.
 */
#include "capture/cgroup_root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

static int open_unmounted(void)
{
	int fs = fsopen("cgroup2", FSOPEN_CLOEXEC), mount = -1, dir = -1;

	if (fs >= 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		mount = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mount >= 0)
		dir = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mount >= 0)
		close(mount);
	if (fs >= 0)
		close(fs);
	return dir;
}

int cgroup_root_open(void)
{
	static const char *const usual[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	int dir = open_unmounted();
	struct statfs fs;

	for (size_t i = 0; dir < 0 && i < sizeof(usual) / sizeof(usual[0]); i++) {
		dir = open(usual[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0 && (fstatfs(dir, &fs) || fs.f_type != CGROUP2_SUPER_MAGIC)) {
			close(dir);
			dir = -1;
			errno = ENOENT;
		}
	}
	return dir < 0 ? -errno : dir;
}
