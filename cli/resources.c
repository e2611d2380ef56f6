/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/resources.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "select/fields.h"

static bool is_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!isalnum((unsigned char)name.p[i]) && !strchr("._-/", name.p[i]))
			return false;
	return name.n > 0;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; a % without two hex digits stands for itself. Returns the new length. */
static size_t decode(char *s, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '%' && n - i > 2 && hex(s[i + 1]) >= 0 && hex(s[i + 2]) >= 0) {
			s[out++] = (char)(hex(s[i + 1]) << 4 | hex(s[i + 2]));
			i += 2;
		} else {
			s[out++] = s[i];
		}
	}
	return out;
}

static void resource_free(struct resource *v)
{
	free((char *)v->name.p);
	free((char *)v->value.p);
}

static struct resource *find(struct resources *r, struct str name)
{
	for (size_t i = 0; i < r->count; i++)
		if (str_eq(r->v[i].name, name))
			return &r->v[i];
	return NULL;
}

int resources_add(struct resources *r, const char *pair, size_t n, bool encoded)
{
	const char *eq = memchr(pair, '=', n);
	struct str name = {pair, eq ? (size_t)(eq - pair) : 0};
	char *key, *value;
	struct field_ref ref;
	struct resource *old;
	size_t len;

	if (!eq || !is_name(name))
		return -EINVAL;
	old = find(r, name);
	if (!old && r->count == RESOURCES_MAX)
		return -ENOSPC;
	len = n - name.n - 1;
	key = strndup(name.p, name.n);
	value = strndup(eq + 1, len);
	if (!key || !value || field_find(key, &ref) || field_is_attribute(key)) {
		bool memory = key && value;

		free(key);
		free(value);
		return memory ? -EINVAL : -ENOMEM;
	}
	if (encoded)
		len = decode(value, len);
	if (old)
		resource_free(old);
	else
		old = &r->v[r->count++];
	*old = (struct resource){{key, name.n}, {value, len}};
	return 0;
}

int resources_add_list(struct resources *r, const char *list)
{
	struct resources all = {0};
	int err = 0;
	size_t n;

	for (; *list && !err; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		err = resources_add(&all, list, n, true);
	}
	for (size_t i = 0; !err && i < all.count && r->count < RESOURCES_MAX; i++) {
		if (find(r, all.v[i].name))
			continue;
		r->v[r->count++] = all.v[i];
		all.v[i] = (struct resource){0};
	}
	resources_free(&all);
	return err;
}

void resources_free(struct resources *r)
{
	for (size_t i = 0; i < r->count; i++)
		resource_free(&r->v[i]);
	r->count = 0;
}
