/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "writer/out_names.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <utlist.h>

#define NS_PER_S 1000000000u

struct out_names_file {
	struct out_names_file *prev, *next;
	dev_t dev;
	ino_t ino;
	char name[];
};

int out_names_init(struct out_names *s, const char *pattern, uint32_t keep)
{
	*s = (struct out_names){.pattern = strdup(pattern), .keep = keep};
	return s->pattern ? 0 : -ENOMEM;
}

static void forget(struct out_names *s, struct out_names_file *f)
{
	DL_DELETE(s->files, f);
	s->count--;
	free(f);
}

void out_names_free(struct out_names *s)
{
	while (s->files)
		forget(s, s->files);
	free(s->pattern);
	free(s->last);
	*s = (struct out_names){0};
}

bool out_names_timed(const struct out_names *s)
{
	return strchr(s->pattern, '%') != NULL;
}

static char *expand(const char *pattern, uint64_t now_ns)
{
	time_t now = (time_t)(now_ns / NS_PER_S);
	char name[PATH_MAX];
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(name, sizeof(name), pattern, &tm))
		return NULL;
	return strdup(name);
}

/* Where the number goes: before the extension of the last part of the path. */
static size_t stem_bytes(const char *name)
{
	const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
	const char *dot = strrchr(base, '.');

	return dot && dot != base ? (size_t)(dot - name) : strlen(name);
}

char *out_names_next(struct out_names *s, uint64_t now_ns)
{
	char *name = expand(s->pattern, now_ns), *numbered;
	size_t stem;

	if (!name)
		return NULL;
	if (!s->last || strcmp(s->last, name) != 0) {
		s->number = 0;
		free(s->last);
		s->last = name;
		return strdup(name);
	}
	stem = stem_bytes(name);
	if (asprintf(&numbered, "%.*s.%" PRIu64 "%s", (int)stem, name, ++s->number, name + stem) <
	    0)
		numbered = NULL;
	free(name);
	return numbered;
}

static bool is_ours(const struct out_names_file *f)
{
	struct stat st;

	return lstat(f->name, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino;
}

void out_names_make_room(struct out_names *s, const char *next)
{
	struct out_names_file *f, *tmp;

	DL_FOREACH_SAFE(s->files, f, tmp)
	{
		if (strcmp(f->name, next) == 0) /* comes again: overwritten, not one more */
			forget(s, f);
	}
	while (s->keep && s->count >= s->keep) {
		if (is_ours(s->files))
			unlink(s->files->name);
		forget(s, s->files);
	}
}

int out_names_made(struct out_names *s, const char *name, int fd)
{
	size_t n = strlen(name) + 1;
	struct out_names_file *f;
	struct stat st;

	if (!s->keep)
		return 0;
	if (fstat(fd, &st))
		return -errno;
	f = malloc(sizeof(*f) + n);
	if (!f)
		return -ENOMEM;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	memcpy(f->name, name, n);
	DL_APPEND(s->files, f);
	s->count++;
	return 0;
}
