/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads descriptions of functions and finds them in files. They are probed at their first instruction:
 * nothing is known of the code around a bare offset.
 */
#include "capture/given.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/elf.h"
#include "capture/tls_libs.h"

#define KIND_ARGS 4 /* ctx, buf, len, out */

enum arg {
	ARG_CTX,
	ARG_BUF,
	ARG_LEN,
	ARG_OUT,
};

static const struct {
	const char *name;
	enum fn_kind kind;
	unsigned int needs; /* bits of enum arg */
} kinds[] = {
	{"write", FN_WRITE, 1 << ARG_CTX | 1 << ARG_BUF},
	{"read", FN_READ, 1 << ARG_CTX | 1 << ARG_BUF},
	{"peek", FN_PEEK, 1 << ARG_CTX},
	{"new", FN_NEW, 0},
	{"free", FN_FREE, 1 << ARG_CTX},
	{"reset", FN_RESET, 1 << ARG_CTX},
	{"handshake", FN_HANDSHAKE, 1 << ARG_CTX},
};

static const struct {
	const char *name;
	enum len_shape shape;
	unsigned int needs;
} results[] = {
	{"len", LEN_RET, 0},		       /* an int */
	{"len64", LEN_RET_LONG, 0},	       /* ssize_t */
	{"1", LEN_OUT_IF_1, 1 << ARG_OUT},     /* *(size_t *)out when it returns 1 */
	{"0", LEN_OUT_IF_0, 1 << ARG_OUT},     /* the same when it returns 0 */
	{"0,all", LEN_ARG_IF_0, 1 << ARG_LEN}, /* everything when it returns 0 */
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))
#define RESULTS (sizeof(results) / sizeof(results[0]))

static bool is_word(const char *word, const char *p, size_t n)
{
	return strlen(word) == n && memcmp(word, p, n) == 0;
}

/* "ctx=1,buf=2": fills arg by enum arg; false when it is not that. */
static bool parse_args(const char *p, const char *end, unsigned int arg[KIND_ARGS])
{
	static const char *const names[KIND_ARGS] = {"ctx", "buf", "len", "out"};

	while (p < end) {
		size_t i = 0;

		while (i < KIND_ARGS && (end - p < 5 || memcmp(p, names[i], 3) != 0 || p[3] != '='))
			i++;
		if (i == KIND_ARGS || arg[i] || p[4] < '1' || p[4] > '6')
			return false;
		arg[i] = (unsigned int)(p[4] - '0');
		p += 5;
		if (p < end && *p++ != ',')
			return false;
	}
	return true;
}

static bool has_all(unsigned int needs, const unsigned int arg[KIND_ARGS])
{
	for (unsigned int i = 0; i < KIND_ARGS; i++)
		if ((needs >> i & 1) && !arg[i])
			return false;
	return true;
}

/* The parts of a description, borrowed from it. */
struct parts {
	const char *kind, *path, *where, *args, *args_end, *result;
	size_t kind_n, path_n, where_n;
};

static bool split(const char *spec, struct parts *p)
{
	const char *open = strrchr(spec, '('), *close = open ? strchr(open, ')') : NULL;
	const char *first = strchr(spec, ':');
	const char *last = open ? memrchr(spec, ':', (size_t)(open - spec)) : NULL;

	if (!close || !first || !last || last == first)
		return false;
	*p = (struct parts){
		.kind = spec,
		.kind_n = (size_t)(first - spec),
		.path = first + 1,
		.path_n = (size_t)(last - first - 1),
		.where = last + 1,
		.where_n = (size_t)(open - last - 1),
		.args = open + 1,
		.args_end = close,
		.result = close + 1,
	};
	if (*p->result && strncmp(p->result, "->", 2) != 0)
		return false;
	p->result = *p->result ? p->result + 2 : "len";
	return p->path_n && p->where_n;
}

/* 0, or what is wrong. */
static const char *cookie_of(const struct parts *p, size_t index, uint64_t *cookie)
{
	unsigned int arg[KIND_ARGS] = {0};
	size_t kind = 0, result = 0;

	while (kind < KINDS && !is_word(kinds[kind].name, p->kind, p->kind_n))
		kind++;
	while (result < RESULTS && strcmp(results[result].name, p->result) != 0)
		result++;
	if (kind == KINDS)
		return "the kinds are write, read, peek, new, free, reset and handshake";
	if (result == RESULTS)
		return "the results are len, len64, 1, 0 and 0,all";
	if (!parse_args(p->args, p->args_end, arg))
		return "arguments are ctx, buf, len and out, each =1 to =6";
	if (!has_all(kinds[kind].needs, arg) || !has_all(results[result].needs, arg))
		return "an argument that this kind and result need is not given";
	*cookie = COOKIE(TLS_LIB_GIVEN, index, kinds[kind].kind, results[result].shape,
			 arg[ARG_CTX], arg[ARG_BUF], arg[ARG_LEN], arg[ARG_OUT]);
	return NULL;
}

int given_parse(struct given *g, const char *spec, const char **why)
{
	struct given_func *f = &g->v[g->count];
	struct parts p;
	char *end;

	if (g->count == GIVEN_MAX)
		return -ENOSPC;
	*why = "it is KIND:PATH:SYMBOL_OR_0xOFFSET(ctx=N,buf=N,len=N)->RESULT";
	if (!split(spec, &p))
		return -EINVAL;
	*f = (struct given_func){0};
	*why = cookie_of(&p, g->count, &f->cookie);
	if (*why)
		return -EINVAL;
	f->path = strndup(p.path, p.path_n);
	f->symbol = strndup(p.where, p.where_n);
	g->count++;
	if (!f->path || !f->symbol)
		return -ENOMEM;
	f->by_offset = strncmp(f->symbol, "0x", 2) == 0;
	if (f->by_offset) {
		errno = 0;
		f->offset = strtoull(f->symbol, &end, 16);
		*why = "the offset is no hexadecimal number";
		if (errno || *end || end == f->symbol + 2)
			return -EINVAL;
	}
	*why = NULL;
	return 0;
}

void given_free(struct given *g)
{
	for (size_t i = 0; i < g->count; i++) {
		free(g->v[i].path);
		free(g->v[i].symbol);
	}
	g->count = 0;
}

static bool lies_in(const struct given_func *f, const struct stat *st, const char *shown_path)
{
	struct stat named;

	return strcmp(f->path, shown_path) == 0 ||
	       (stat(f->path, &named) == 0 && named.st_dev == st->st_dev &&
		named.st_ino == st->st_ino);
}

bool given_matches(const struct given *g, const struct stat *st, const char *shown_path)
{
	for (size_t i = 0; g && i < g->count; i++)
		if (lies_in(&g->v[i], st, shown_path))
			return true;
	return false;
}

static int add_site(struct tls_file *f, const struct given_func *given, uint64_t offset)
{
	enum fn_kind kind = COOKIE_KIND(given->cookie);
	bool entry = kind == FN_FREE || kind == FN_RESET;
	struct site *grown;

	for (size_t i = 0; i < f->site_count; i++)
		if (f->sites[i].offset == offset)
			return 0; /* its row knows it */
	grown = reallocarray(f->sites, f->site_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	f->sites = grown;
	f->sites[f->site_count++] = (struct site){
		.offset = offset,
		.cookie = given->cookie,
		.role = entry ? SITE_ENTRY : SITE_SESSION,
		.name = given->symbol,
		.plan = {.why = "given on the command line"},
	};
	return 0;
}

static int add_missing(struct tls_file *f, char *name)
{
	char **grown = reallocarray(f->missing, f->missing_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	f->missing = grown;
	f->missing[f->missing_count++] = name;
	return 0;
}

/* Where a function is in the file; -ENOENT when it is not. */
static int find_offset(struct elf_file *e, const struct debug_search *s, const struct given_func *f,
		       uint64_t *offset)
{
	struct elf_symbol sym = {.name = f->symbol};

	*offset = f->offset;
	if (f->by_offset)
		return elf_is_code_offset(e, f->offset) ? 0 : -ENOENT;
	elf_find_symbols(e, &sym, 1);
	if (!sym.addr && elf_debug_attach(e, s) == 0)
		elf_find_symbols(e, &sym, 1);
	return sym.addr ? elf_offset(e, sym.addr, offset) : -ENOENT;
}

int given_add_sites(const struct given *g, int fd, const char *root, const struct stat *st,
		    const char *shown_path, struct tls_file *f)
{
	struct debug_search s = {root, shown_path, g->debug_files, g->debug_file_count};
	struct elf_file *e;
	uint64_t offset;
	int err = elf_open(&e, fd);

	if (err)
		return err;
	for (size_t i = 0; i < g->count && !err; i++) {
		const struct given_func *given = &g->v[i];

		if (!lies_in(given, st, shown_path))
			continue;
		if (find_offset(e, &s, given, &offset) == 0)
			err = add_site(f, given, offset);
		else
			err = add_missing(f, given->symbol);
	}
	elf_close(e);
	return err;
}
