/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"

static const struct {
	const char *name;
	size_t at;
} fields[] = {
	{"body", offsetof(struct settings, body_bytes)},
	{"count", offsetof(struct settings, count)},
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static uint64_t *field(struct settings *s, size_t i)
{
	return (uint64_t *)(void *)((char *)s + fields[i].at);
}

struct settings settings_of(const struct config *cfg)
{
	return (struct settings){.body_bytes = cfg->body_bytes, .count = cfg->count};
}

int settings_record(const struct settings *s, struct recording *rec)
{
	struct settings copy = *s;
	struct ev_hdr hdr = {.type = EV_CONFIG};
	struct buf b = {0};
	int err;

	buf_put(&b, &hdr, sizeof(hdr));
	for (size_t i = 0; i < FIELDS; i++) {
		buf_put(&b, fields[i].name, strlen(fields[i].name) + 1);
		buf_printf(&b, "%" PRIu64, *field(&copy, i));
		buf_putc(&b, '\0');
	}
	err = b.err;
	if (!err) {
		hdr.len = (uint32_t)b.n;
		memcpy(b.p, &hdr, sizeof(hdr));
		err = recording_put(rec, (const struct ev_hdr *)(const void *)b.p);
	}
	buf_free(&b);
	return err;
}

/* Takes one NUL-terminated string off the front; NULL when there is none. */
static const char *take_string(const char **p, const char *end)
{
	const char *s = *p, *nul = memchr(s, '\0', (size_t)(end - s));

	if (!nul)
		return NULL;
	*p = nul + 1;
	return s;
}

void settings_adopt(struct settings *s, const struct config *cfg, const struct ev_hdr *ev)
{
	const char *p = (const char *)(ev + 1), *end = (const char *)ev + ev->len;
	struct settings said = {0};
	const char *name, *value;

	if (ev->type != EV_CONFIG || ev->len < sizeof(*ev))
		return;
	while ((name = take_string(&p, end)) && (value = take_string(&p, end)))
		for (size_t i = 0; i < FIELDS; i++)
			if (!strcmp(name, fields[i].name))
				*field(&said, i) = strtoull(value, NULL, 10);
	if (!cfg->body_given && said.body_bytes > s->body_bytes)
		s->body_bytes = said.body_bytes;
	if (!cfg->count_given)
		s->count = said.count;
}
