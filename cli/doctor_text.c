/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/doctor_text.h"

#include <stdbool.h>
#include <string.h>

#include "capture/site.h"

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* " (s)", or nothing for an empty one. */
static void put_if(FILE *out, const char *before, const char *s, const char *after)
{
	if (*s)
		fprintf(out, "%s%s%s", before, s, after);
}

static void put_check(const json_t *check, FILE *out)
{
	fprintf(out, "%-3s %-14s %s\n", json_is_true(json_object_get(check, "ok")) ? "ok" : "NO",
		text(check, "check"), text(check, "detail"));
	put_if(out, "                   ", text(check, "advice"), "\n");
}

static bool is_alike(const json_t *function, const char *cost, const char *why)
{
	return strcmp(text(function, "cost"), cost) == 0 && strcmp(text(function, "why"), why) == 0;
}

/* Was one like it told before the n-th? */
static bool has_before(const json_t *functions, size_t n, const char *cost, const char *why)
{
	for (size_t i = 0; i < n; i++)
		if (is_alike(json_array_get(functions, i), cost, why))
			return true;
	return false;
}

/* The functions of one cost, by the reason where there is one. */
static void put_functions(const json_t *functions, const char *cost, FILE *out)
{
	const char *before = NULL, *why;
	const json_t *f, *g;
	size_t i, k;

	json_array_foreach(functions, i, f)
	{
		why = text(f, "why");
		if (strcmp(text(f, "cost"), cost) != 0 || has_before(functions, i, cost, why))
			continue;
		if (before)
			fputs("; ", out);
		else
			fprintf(out, "        %s: ", cost);
		before = "";
		json_array_foreach(functions, k, g)
		{
			if (!is_alike(g, cost, why))
				continue;
			fprintf(out, "%s%s", before, text(g, "name"));
			before = ", ";
		}
		put_if(out, " (", why, ")");
	}
	if (before)
		fputc('\n', out);
}

static void put_library(const json_t *lib, FILE *out)
{
	static const char *const costs[] = {"cheap, inside the function",
					    "cheap, at the first instruction", "stepped"};
	const json_t *functions = json_object_get(lib, "functions"), *m;
	const char *before = strcmp(text(lib, "found_by"), TLS_FOUND_BY_SHAPE) == 0
				     ? "; not found: "
				     : "; not in this version: ";
	size_t i;

	fprintf(out, "      %s: %s", text(lib, "path"), text(lib, "library"));
	put_if(out, ", ", text(lib, "version"), "");
	put_if(out, ", found by ", text(lib, "found_by"), "");
	put_if(out, ", build-id ", text(lib, "build_id"), "");
	fprintf(out, ", %zu functions", json_array_size(functions));
	json_array_foreach(json_object_get(lib, "missing"), i, m)
	{
		fprintf(out, "%s%s", before, json_string_value(m));
		before = ", ";
	}
	fputc('\n', out);
	for (i = 0; i < sizeof(costs) / sizeof(costs[0]); i++)
		put_functions(functions, costs[i], out);
}

static void put_process(const json_t *p, FILE *out)
{
	const json_t *v;
	size_t i;

	fprintf(out, "%-3s process %lld",
		json_is_true(json_object_get(p, "traceable")) ? "ok" : "NO",
		(long long)json_integer_value(json_object_get(p, "pid")));
	put_if(out, " (", text(p, "comm"), ")");
	put_if(out, ": ", text(p, "reason"), "");
	fputc('\n', out);
	put_if(out, "      ", text(p, "advice"), "\n");
	json_array_foreach(json_object_get(p, "libraries"), i, v) put_library(v, out);
	json_array_foreach(json_object_get(p, "notes"), i, v)
		fprintf(out, "      %s\n", json_string_value(v));
}

void doctor_text(const json_t *facts, FILE *out)
{
	json_int_t others = json_integer_value(json_object_get(facts, "processes_without_tls"));
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(facts, "machine"), i, v) put_check(v, out);
	json_array_foreach(json_object_get(facts, "processes"), i, v) put_process(v, out);
	if (others)
		fprintf(out, "    %lld other processes have no TLS library\n", (long long)others);
}
