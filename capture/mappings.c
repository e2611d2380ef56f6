/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /proc/PID/maps, as far as executable files go.
 */
#include "capture/mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/read_file.h"

#define MAPS_MAX_BYTES (64u << 20)

static int add_mapping(struct mappings *m, const struct mapping *one, const char *path)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->v[i].ino == one->ino && m->v[i].major == one->major &&
		    m->v[i].minor == one->minor)
			return 0;
	if (m->count >= MAPPED_FILES_MAX)
		return 0;
	if (m->count == m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 64;
		struct mapping *grown = realloc(m->v, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		m->v = grown;
		m->cap = cap;
	}
	m->v[m->count] = *one;
	m->v[m->count].path = strdup(path);
	return m->v[m->count++].path ? 0 : -ENOMEM;
}

/* A line of /proc/PID/maps: "start-end perms offset major:minor inode   path". */
static int take_line(struct mappings *m, const char *line)
{
	struct mapping one = {0};
	char perms[5] = "";
	int path_at = 0;

	if (sscanf(line, "%lx-%lx %4s %*x %x:%x %lu %n", &one.start, &one.end, perms, &one.major,
		   &one.minor, &one.ino, &path_at) != 6 ||
	    perms[2] != 'x' || one.ino == 0 || line[path_at] != '/')
		return 0;
	return add_mapping(m, &one, line + path_at);
}

int mappings_read(uint32_t pid, struct mappings *m)
{
	struct buf text = {.limit = MAPS_MAX_BYTES};
	char path[64], *line, *save = NULL;
	int fd, rc;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	rc = read_file(fd, &text);
	close(fd);
	if (rc == 0)
		rc = buf_putc(&text, '\0');
	if (rc == 0)
		for (line = strtok_r((char *)text.p, "\n", &save); line && rc == 0;
		     line = strtok_r(NULL, "\n", &save))
			rc = take_line(m, line);
	buf_free(&text);
	return rc;
}

void mappings_free(struct mappings *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->v[i].path);
	free(m->v);
}
