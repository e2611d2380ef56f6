/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where GDB looks for symbols, too: the section .gnu_debugdata (an ELF file, compressed by xz), the debug
 * directory by build-id, and the name in .gnu_debuglink with its checksum.
 */
#include "capture/elf_debug.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define DEBUG_DIR "/usr/lib/debug"
#define UNPACKED_MAX_BYTES (64u << 20)
#define LZMA_MEMORY_BYTES (256u << 20)
#define BUILD_ID_MIN_CHARS 4 /* a directory of two, and a name */
#define BLOCK_BYTES 65536

static int write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0)
			return -errno;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

static int unpack_all(lzma_stream *xz, int fd)
{
	uint8_t block[BLOCK_BYTES];
	lzma_ret rc;
	int err;

	do {
		xz->next_out = block;
		xz->avail_out = sizeof(block);
		rc = lzma_code(xz, LZMA_FINISH);
		if (rc != LZMA_OK && rc != LZMA_STREAM_END)
			return -EBADMSG;
		if (xz->total_out > UNPACKED_MAX_BYTES)
			return -EFBIG;
		err = write_all(fd, block, sizeof(block) - xz->avail_out);
		if (err)
			return err;
	} while (rc != LZMA_STREAM_END);
	return 0;
}

/* A descriptor of the file that .gnu_debugdata holds. */
static int open_packed(struct elf_file *e)
{
	lzma_stream xz = LZMA_STREAM_INIT;
	size_t n;
	const void *packed = elf_section(e, ".gnu_debugdata", &n);
	int fd, err;

	if (!packed)
		return -ENOENT;
	if (lzma_stream_decoder(&xz, LZMA_MEMORY_BYTES, 0) != LZMA_OK)
		return -ENOMEM;
	xz.next_in = packed;
	xz.avail_in = n;
	fd = memfd_create("gnu_debugdata", MFD_CLOEXEC);
	err = fd < 0 ? -errno : unpack_all(&xz, fd);
	lzma_end(&xz);
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}

/* A regular file in one of two roots. */
static int open_in(const char *root, const char *path)
{
	char full[PATH_MAX];
	struct stat st;
	int fd;

	if (snprintf(full, sizeof(full), "%s%s", root, path) >= (int)sizeof(full))
		return -ENAMETOOLONG;
	if (stat(full, &st) < 0 || !S_ISREG(st.st_mode))
		return -ENOENT;
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int open_either(const char *root, const char *path)
{
	int fd = *root ? open_in(root, path) : -ENOENT;

	return fd < 0 ? open_in("", path) : fd;
}

static bool has_build_id(int fd, const char *id)
{
	struct elf_file *e;
	char *its;
	bool same;

	if (elf_open(&e, fd) < 0)
		return false;
	its = elf_build_id(e);
	same = its && strcmp(its, id) == 0;
	free(its);
	elf_close(e);
	return same;
}

static int open_by_build_id(const struct debug_search *s, const char *id)
{
	char path[PATH_MAX];
	int fd;

	if (!id || strlen(id) < BUILD_ID_MIN_CHARS)
		return -ENOENT;
	for (size_t i = 0; i < s->file_count; i++) {
		fd = open_in("", s->files[i]);
		if (fd >= 0 && has_build_id(fd, id))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	snprintf(path, sizeof(path), DEBUG_DIR "/.build-id/%.2s/%s.debug", id, id + 2);
	return open_either(s->root, path);
}

static bool has_checksum(int fd, uint32_t want)
{
	uint8_t block[BLOCK_BYTES];
	uLong sum = crc32(0, NULL, 0);
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, block, sizeof(block), at)) > 0) {
		sum = crc32(sum, block, (uInt)n);
		at += n;
	}
	return n == 0 && sum == want;
}

/* The section holds a file name, padded to four bytes, and the CRC-32 of that file. */
static int open_by_link(struct elf_file *e, const struct debug_search *s)
{
	static const char *const where[] = {"%.*s/%s", "%.*s/.debug/%s", DEBUG_DIR "%.*s/%s"};
	size_t n, name_n;
	const char *name = elf_section(e, ".gnu_debuglink", &n);
	const char *slash = strrchr(s->path, '/');
	char path[PATH_MAX];
	uint32_t sum;
	int fd;

	if (!name || !slash || n < sizeof(sum))
		return -ENOENT;
	name_n = strnlen(name, n);
	if (name_n == 0 || memchr(name, '/', name_n) || (name_n + 4) / 4 * 4 + sizeof(sum) > n)
		return -ENOENT;
	memcpy(&sum, name + (name_n + 4) / 4 * 4, sizeof(sum));
	for (size_t i = 0; i < sizeof(where) / sizeof(where[0]); i++) {
		snprintf(path, sizeof(path), where[i], (int)(slash - s->path), s->path, name);
		fd = open_either(s->root, path);
		if (fd >= 0 && has_checksum(fd, sum))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -ENOENT;
}

int elf_debug_attach(struct elf_file *e, const struct debug_search *s)
{
	char *id = elf_build_id(e);
	int fd = open_by_build_id(s, id);

	free(id);
	if (fd < 0)
		fd = open_by_link(e, s);
	if (fd < 0)
		fd = open_packed(e);
	return fd < 0 ? fd : elf_add_symbols(e, fd);
}
