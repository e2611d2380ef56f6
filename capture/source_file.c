/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/source.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe is left alone: what is read of it is gone. Standard input is a recording. */
const struct source_ops *source_of_file(const char *path)
{
	static const uint8_t pcapng_magic[4] = {0x0a, 0x0d, 0x0d, 0x0a};
	const struct source_ops *ops = &source_recording;
	uint8_t magic[sizeof(pcapng_magic)];
	struct stat st;
	int fd;

	if (stat(path, &st) || !S_ISREG(st.st_mode))
		return ops;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ops;
	if (pread(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	    memcmp(magic, pcapng_magic, sizeof(magic)) == 0)
		ops = &source_pcapng;
	close(fd);
	return ops;
}
