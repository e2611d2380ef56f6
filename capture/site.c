/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a discovered file owns, and what its sites cost.
 */
#include "capture/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/tls_libs.h"

enum site_cost site_cost(const struct site *s)
{
	if (!s->plan.cheap)
		return SITE_STEPPED;
	return s->plan.kind == PLAN_INSIDE ? SITE_CHEAP_INSIDE : SITE_CHEAP_ENTRY;
}

const char *site_function(const struct site *s)
{
	if (s->name)
		return s->name;
	return tls_func_name(&tls_libs[COOKIE_LIB(s->cookie)].funcs[COOKIE_FN(s->cookie)]);
}

void tls_file_release(struct tls_file *f)
{
	if (f->fd > 0)
		close(f->fd);
	f->fd = 0;
}

const char *tls_file_path(const struct tls_file *f, char *room)
{
	if (f->fd <= 0)
		return f->open_path;
	snprintf(room, TLS_FILE_PATH_BYTES, "/proc/self/fd/%d", f->fd);
	return room;
}

void tls_file_clear(struct tls_file *f)
{
	tls_file_release(f);
	free(f->open_path);
	free(f->shown_path);
	free(f->version);
	free(f->build_id);
	free(f->sites);
	free(f->missing);
	memset(f, 0, sizeof(*f));
}

bool tls_file_is_likely(const struct tls_file *f)
{
	return f->found_by && strcmp(f->found_by, TLS_FOUND_BY_SHAPE) == 0;
}
