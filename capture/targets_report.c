/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of traced processes in words. */
#include "capture/targets.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define DESCRIBED_MAX 4 /* processes and files named in one line */

struct line {
	char *p;
	size_t n, cap;
};

static void __attribute__((format(printf, 2, 3))) put(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->p + l->n, l->cap - l->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->n += (size_t)n < l->cap - l->n ? (size_t)n : l->cap - l->n - 1;
}

/* comm is the process's own choice of bytes; a terminal must not be told by it. */
static void name_of(const struct target *t, char *out, size_t size)
{
	struct str comm = t->identity ? t->identity->v[ID_COMM] : STR_NONE;
	size_t n = comm.n < size - 1 ? comm.n : size - 1;

	if (!n) {
		snprintf(out, size, "?");
		return;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = isprint((unsigned char)comm.p[i]) ? comm.p[i] : '?';
	out[n] = '\0';
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Names each file once; returns how many there are. */
static void put_files(struct line *l, const struct targets *ts)
{
	const char *seen[DESCRIBED_MAX];
	size_t n = 0;

	for (const struct target *t = ts->live; t; t = t->hh.next) {
		for (size_t i = 0; i < t->found.count && n < DESCRIBED_MAX; i++) {
			const char *name = base_name(t->found.files[i].shown_path);
			bool known = false;

			for (size_t k = 0; k < n; k++)
				known |= strcmp(seen[k], name) == 0;
			if (known)
				continue;
			seen[n++] = name;
			put(l, ", %s", name);
		}
	}
}

void targets_describe(const struct targets *ts, char *out, size_t n)
{
	size_t count = HASH_COUNT(ts->live), named = 0;
	struct line l = {out, 0, n};
	char name[64];

	for (const struct target *t = ts->live; t && named < DESCRIBED_MAX; t = t->hh.next) {
		name_of(t, name, sizeof(name));
		put(&l, "%s%s[%u]", named++ ? " " : "", name, t->key.tgid);
	}
	put(&l, "%s%s%zu process%s", count > named ? " ..." : "", count ? ": " : "", count,
	    count == 1 ? "" : "es");
	put_files(&l, ts);
	if (!ts->detached)
		put(&l, ", %zu probes (%s)", attacher_site_count(ts->attacher),
		    attach_kind_name(bpf_progs(ts->bpf)->kind));
}

/* How many functions of a file cost the traced program little, and how many more. */
static void put_costs(const struct targets *ts, const struct tls_file *f, FILE *out)
{
	size_t stepped = 0;

	for (size_t i = 0; i < f->site_count; i++) {
		enum site_cost cost = site_cost(&f->sites[i]);

		stepped += cost == SITE_STEPPED ||
			   (cost == SITE_CHEAP_INSIDE && bpf_progs(ts->bpf)->plain);
	}
	fprintf(out, "%zu functions (%s; %zu cheap, %zu stepped)\n", f->site_count,
		attach_kind_name(bpf_progs(ts->bpf)->kind), f->site_count - stepped, stepped);
}

static void describe_one(const struct targets *ts, const struct target *t, FILE *out)
{
	if (!t->found.count)
		fputs("    no TLS library\n", out);
	for (size_t i = 0; i < t->found.count; i++) {
		const struct tls_file *f = &t->found.files[i];

		fprintf(out, "    %s%s%s%s, ", f->shown_path, f->version ? " (" : "",
			f->version ? f->version : "", f->version ? ")" : "");
		if (tls_file_is_likely(f))
			fprintf(out, "found by %s, ", f->found_by);
		put_costs(ts, f, out);
	}
	if (t->spared)
		fprintf(out, "    no return probes, as %s: functions that need them are left out\n",
			t->spared);
	if (t->trouble)
		fprintf(out, "    %s\n", t->trouble);
	for (size_t i = 0; i < t->found.note_count; i++)
		fprintf(out, "    %s\n", t->found.notes[i]);
}

/* Processes of which the same is to be said: a script starts many. */
struct group {
	char *text; /* owned */
	char names[256];
	struct line line; /* into names */
	size_t count;
	struct group *prev, *next;
};

static struct group *group_of(struct group **groups, char *text)
{
	struct group *g;

	DL_FOREACH (*groups, g) {
		if (strcmp(g->text, text) == 0) {
			free(text);
			return g;
		}
	}
	g = calloc(1, sizeof(*g));
	if (!g) {
		free(text);
		return NULL;
	}
	g->text = text;
	g->line = (struct line){g->names, 0, sizeof(g->names)};
	DL_APPEND(*groups, g);
	return g;
}

static void report_one(const struct targets *ts, const struct target *t, struct group **groups)
{
	char *text = NULL, name[64];
	struct group *g;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	describe_one(ts, t, f);
	if (fclose(f) != 0) {
		free(text);
		return;
	}
	g = group_of(groups, text);
	if (!g || g->count++ >= DESCRIBED_MAX)
		return;
	name_of(t, name, sizeof(name));
	put(&g->line, " %s[%u]", name, t->key.tgid);
}

static void put_groups(struct group *groups, FILE *out)
{
	struct group *g, *tmp;

	DL_FOREACH_SAFE(groups, g, tmp)
	{
		fprintf(out, " %s", g->names);
		if (g->count > DESCRIBED_MAX)
			fprintf(out, " and %zu more", g->count - DESCRIBED_MAX);
		fprintf(out, ":\n%s", g->text);
		free(g->text);
		free(g);
	}
}

void targets_report(const struct targets *ts, FILE *out)
{
	struct group *groups = NULL;
	const struct target *t;

	fprintf(out, "tlslens: %zu process%s, sockets by %s\n",
		HASH_COUNT(ts->live) + ts->ended_count + ts->ended_dropped,
		HASH_COUNT(ts->live) + ts->ended_count + ts->ended_dropped == 1 ? "" : "es",
		bpf_socket_probe(ts->bpf));
	DL_FOREACH (ts->ended, t)
		report_one(ts, t, &groups);
	for (t = ts->live; t; t = t->hh.next)
		report_one(ts, t, &groups);
	put_groups(groups, out);
	if (ts->ended_dropped)
		fprintf(out, "  and %zu more that ended\n", ts->ended_dropped);
}

static const struct target *target_of(const struct targets *ts, const struct proc_key *proc)
{
	const struct target *t = targets_find(ts, proc->tgid);

	if (t && t->key.start_ns == proc->start_ns)
		return t;
	DL_FOREACH (ts->ended, t)
		if (t->key.tgid == proc->tgid && t->key.start_ns == proc->start_ns)
			return t;
	return NULL;
}

void targets_why(const struct targets *ts, const struct proc_key *proc, char *out, size_t n)
{
	const struct target *t = target_of(ts, proc);
	struct line l = {out, 0, n};

	*out = '\0';
	if (!t)
		return;
	if (t->trouble)
		put(&l, "%s", t->trouble);
	else if (t->found.count && t->sites)
		put(&l, "no data went through the functions found: a handshake failed, or they are "
			"not those of its TLS library");
	else if (t->found.note_count)
		put(&l, "%s", t->found.notes[0]);
	else
		put(&l, "no TLS library was found in it, or it hands on what others say");
}
