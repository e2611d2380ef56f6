/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the texts of a shape to the code that refers to them, from there to functions, from functions to clues.
 * The search may be led astray by a coincidence; what is believed of a function is what decoding it shows.
 */
#include "capture/shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/code.h"

#define FILES_MAX 8 /* distinct source files of a shape */
#define SAYS_MAX 32 /* distinct texts that its functions say */
#define SAYS_BYTES_MAX 64
#define PIECE_BYTES (256u << 10)
#define OVERLAP_BYTES 1024 /* of pieces: longer file names are not found where they are cut */
#define CALLEES_MAX 96
#define CODES_MAX 64			 /* distinct constants of one argument */
#define NEIGHBOURS_BYTES (256u << 10)	 /* no further apart are functions of one library */
#define WINDOW_BYTES CODE_FUNC_MAX_BYTES /* around them, where calls are looked at */

struct func {
	struct unwind_extent at;
	uint32_t files, says; /* bit i: it refers to the i-th of the texts below */
	uint16_t codes[CODES_MAX];
	size_t code_count;
	uint64_t callees[CALLEES_MAX];
	size_t callee_count;
	bool stores, stores_by_rbp, has_frame, locked;
};

struct texts {
	const char *v[SAYS_MAX];
	size_t count;
};

struct matches {
	const struct func *v[SHAPE_COPIES_MAX];
	size_t count; /* 0 as well when there are too many */
};

struct finder {
	struct elf_file *e;
	const struct shape *shape;
	struct texts files, says;
	uint64_t targets[CODE_TARGETS_MAX]; /* where names of source files begin */
	uint8_t target_file[CODE_TARGETS_MAX];
	size_t target_count;
	struct unwind_table unwind;
	struct code_refs refs, calls;
	struct func *funcs[SHAPE_FUNCS_MAX]; /* owned each */
	size_t func_count;
	uint64_t code_bytes; /* of those looked at, found to be functions or not */
	struct matches found[SHAPE_CLUES_MAX];
};

/* The bit of a text, which is added when it is new; 0: it is NULL, or one too many. */
static uint32_t text_bit(struct texts *t, size_t max, const char *text)
{
	size_t i = 0;

	while (text && i < t->count && strcmp(t->v[i], text) != 0)
		i++;
	if (!text || i == max)
		return 0;
	t->v[i] = text;
	if (i == t->count)
		t->count++;
	return 1u << i;
}

static void collect_texts(struct finder *f)
{
	for (const struct shape_clue *c = f->shape->clues; c->name; c++) {
		text_bit(&f->files, FILES_MAX, c->file);
		text_bit(&f->says, SAYS_MAX, c->says);
	}
}

/* Code refers to the beginning of a file name, of which the end is known. */
static void take_file(struct finder *f, size_t file, const uint8_t *piece, size_t n, uint64_t addr)
{
	size_t len = strlen(f->files.v[file]) + 1;
	const uint8_t *p = piece;

	while ((p = memmem(p, n - (size_t)(p - piece), f->files.v[file], len))) {
		const uint8_t *begin = p++;
		uint64_t target;
		size_t i = 0;

		while (begin > piece && begin[-1])
			begin--;
		target = addr + (uint64_t)(begin - piece);
		while (i < f->target_count && f->targets[i] != target)
			i++;
		if (i == CODE_TARGETS_MAX)
			return;
		f->targets[i] = target;
		f->target_file[i] = (uint8_t)file;
		if (i == f->target_count)
			f->target_count++;
	}
}

/* Looks for source files [first, last) in a segment. */
static int search_segment(struct finder *f, const struct elf_span *span, size_t first, size_t last,
			  uint8_t *piece)
{
	for (uint64_t at = 0; at < span->size; at += PIECE_BYTES) {
		uint64_t before = at ? OVERLAP_BYTES : 0;
		int n = elf_read(f->e, span->addr + at - before, piece, PIECE_BYTES + before);

		if (n < 0)
			return n;
		for (size_t i = first; i < last; i++)
			take_file(f, i, piece, (size_t)n, span->addr + at - before);
	}
	return 0;
}

/* Some linkers put constants into the segment of the code; where they have their own, code is left out. */
static bool has_constants_apart(struct elf_file *e)
{
	struct elf_span span;

	for (size_t i = 0; elf_segment(e, i, &span); i++)
		if (!span.code && !span.writable)
			return true;
	return false;
}

static int find_files(struct finder *f, size_t first, size_t last)
{
	uint8_t *piece = malloc(PIECE_BYTES + OVERLAP_BYTES);
	bool apart = has_constants_apart(f->e);
	struct elf_span span;
	int rc = piece ? 0 : -ENOMEM;

	for (size_t i = 0; elf_segment(f->e, i, &span) && !rc; i++)
		if (!span.writable && !(span.code && apart))
			rc = search_segment(f, &span, first, last, piece);
	free(piece);
	return rc;
}

/* Whatever an instruction mentions may be the address of a text. */
static void take_text(struct finder *f, struct func *u, uint64_t addr)
{
	char text[SAYS_BYTES_MAX];
	int n;

	for (size_t i = 0; i < f->target_count; i++)
		if (f->targets[i] == addr)
			u->files |= 1u << f->target_file[i];
	n = f->says.count ? elf_read(f->e, addr, text, sizeof(text)) : 0;
	if (n <= 0 || !memchr(text, '\0', (size_t)n))
		return;
	for (size_t i = 0; i < f->says.count; i++)
		if (strcmp(text, f->says.v[i]) == 0)
			u->says |= 1u << i;
}

static void take_code(struct func *u, uint64_t code)
{
	size_t i = 0;

	while (i < u->code_count && u->codes[i] != code)
		i++;
	if (i == u->code_count && i < CODES_MAX && code <= UINT16_MAX)
		u->codes[u->code_count++] = (uint16_t)code;
}

static void take_callee(struct func *u, uint64_t addr)
{
	size_t i = 0;

	while (i < u->callee_count && u->callees[i] != addr)
		i++;
	if (i == u->callee_count && i < CALLEES_MAX)
		u->callees[u->callee_count++] = addr;
}

struct look {
	struct finder *f;
	struct func *u;
};

static void take_insn(void *arg, const struct code_insn *in)
{
	struct look *l = arg;
	struct func *u = l->u;

	u->locked |= in->locked;
	u->stores |= in->stores;
	u->stores_by_rbp |= in->stores_by_rbp;
	u->has_frame |= in->sets_frame;
	if (in->refers)
		take_text(l->f, u, in->refers);
	if (in->set_arg && in->set_arg == l->f->shape->reason_arg)
		take_code(u, in->refers);
	if (in->branch && (in->branch <= u->at.start || in->branch >= u->at.end))
		take_callee(u, in->branch);
}

/* The function at an address, looked at once. What cannot be decoded fits no clue. */
static void look_at(struct finder *f, uint64_t addr)
{
	struct func u = {0}, *kept;
	struct look l = {f, &u};

	for (size_t i = 0; i < f->func_count; i++)
		if (addr >= f->funcs[i]->at.start && addr < f->funcs[i]->at.end)
			return;
	if (f->func_count == SHAPE_FUNCS_MAX || f->code_bytes > SHAPE_CODE_MAX_BYTES ||
	    !code_function_at(f->e, &f->unwind, &f->calls, addr, &u.at) ||
	    u.at.end - u.at.start > CODE_FUNC_MAX_BYTES)
		return;
	f->code_bytes += u.at.end - u.at.start;
	if (code_each(f->e, &u.at, take_insn, &l) < 0)
		return;
	u.stores |= u.stores_by_rbp && !u.has_frame;
	kept = malloc(sizeof(*kept));
	if (!kept)
		return;
	*kept = u;
	f->funcs[f->func_count++] = kept;
}

static bool has_code(const struct func *u, uint16_t code)
{
	for (size_t i = 0; i < u->code_count; i++)
		if (u->codes[i] == code)
			return true;
	return false;
}

static bool has_callee(const struct func *u, uint64_t addr)
{
	for (size_t i = 0; i < u->callee_count; i++)
		if (u->callees[i] == addr)
			return true;
	return false;
}

/* What was found by a clue above this one. */
static const struct func *found_as(const struct finder *f, const char *name)
{
	for (size_t i = 0; f->shape->clues[i].name; i++)
		if (f->found[i].count == 1 && strcmp(f->shape->clues[i].name, name) == 0)
			return f->found[i].v[0];
	return NULL;
}

static bool fits_trait(enum shape_trait wanted, bool has)
{
	return wanted == SHAPE_ANY || (wanted == SHAPE_YES) == has;
}

static bool fits_texts(struct finder *f, const struct shape_clue *c, const struct func *u)
{
	uint32_t file = text_bit(&f->files, FILES_MAX, c->file);
	uint32_t says = text_bit(&f->says, SAYS_MAX, c->says);

	return (u->files & file) == file && (u->says & says) == says &&
	       (!c->says_only || u->says == says);
}

static bool is_near(const struct func *a, const struct func *b)
{
	uint64_t apart = a->at.start - b->at.start;

	return apart < SHAPE_NEAR_BYTES || -apart < SHAPE_NEAR_BYTES;
}

static bool fits_calls(struct finder *f, const struct shape_clue *c, const struct func *u)
{
	const struct func *other;

	if (c->calls) {
		other = found_as(f, c->calls);
		if (!other || !has_callee(u, other->at.start) || !is_near(u, other))
			return false;
	}
	if (c->called_by) {
		other = found_as(f, c->called_by);
		return other && has_callee(other, u->at.start);
	}
	return true;
}

/* The last argument that it uses is the one it must be. */
static bool fits_args(struct finder *f, const struct shape_clue *c, const struct func *u)
{
	int used = c->args ? code_arguments(f->e, &u->at) : 0;

	return !c->args || (used > 0 && used >> (c->args - 1) == 1);
}

static bool fits(struct finder *f, const struct shape_clue *c, const struct func *u)
{
	for (size_t i = 0; i < SHAPE_REASONS_MAX && c->reasons[i]; i++)
		if (!has_code(u, c->reasons[i]))
			return false;
	for (size_t i = 0; i < SHAPE_REASONS_MAX && c->reasons_not[i]; i++)
		if (has_code(u, c->reasons_not[i]))
			return false;
	return fits_trait(c->stores, u->stores) && fits_trait(c->locked, u->locked) &&
	       fits_texts(f, c, u) && fits_calls(f, c, u) && fits_args(f, c, u);
}

/* Callers need not refer to any text. */
static void look_at_callers(struct finder *f, const struct func *callee)
{
	uint64_t addr = callee->at.start;

	for (size_t i = code_calls_up_to(&f->calls, addr); i > 0 && f->calls.v[i - 1].to == addr;
	     i--)
		look_at(f, f->calls.v[i - 1].at);
}

static void match(struct finder *f, size_t n)
{
	const struct shape_clue *c = &f->shape->clues[n];
	const struct func *callee = c->calls ? found_as(f, c->calls) : NULL;
	size_t copies = c->copies ? c->copies : 1;
	struct matches m = {0};

	if (callee)
		look_at_callers(f, callee);
	for (size_t i = 0; i < f->func_count; i++) {
		if (!fits(f, c, f->funcs[i]))
			continue;
		if (m.count == copies)
			return;
		m.v[m.count++] = f->funcs[i];
	}
	f->found[n] = m;
}

static bool refers_to_marker(const struct finder *f, const struct code_ref *r)
{
	for (size_t k = 0; k < f->target_count; k++)
		if (f->targets[k] == r->to && !f->target_file[k])
			return true;
	return false;
}

/*
 * Calls are looked at where most of what refers to the marker is: a library's functions stand together, and now and
 * then a constant elsewhere happens to be the same.
 */
static int find_calls(struct finder *f)
{
	uint64_t lo = 0, hi = 0, best_lo = 0, best_hi = 0;
	size_t count = 0, best = 0;

	for (size_t i = 0; i < f->refs.count; i++) {
		uint64_t at = f->refs.v[i].at;

		if (!refers_to_marker(f, &f->refs.v[i]))
			continue;
		if (!count++ || at - hi > NEIGHBOURS_BYTES) {
			lo = at;
			count = 1;
		}
		hi = at;
		if (count > best) {
			best = count;
			best_lo = lo;
			best_hi = hi;
		}
	}
	if (!best)
		return 0;
	best_lo = best_lo > WINDOW_BYTES ? best_lo - WINDOW_BYTES : 0;
	return code_find_calls(f->e, best_lo, best_hi + WINDOW_BYTES, &f->calls);
}

static int find_functions(struct finder *f)
{
	int rc = unwind_table_read(f->e, &f->unwind);

	if (!rc)
		rc = code_find_refs(f->e, f->targets, f->target_count, &f->refs);
	if (!rc)
		rc = find_calls(f);
	for (size_t i = 0; i < f->refs.count && !rc; i++)
		look_at(f, f->refs.v[i].at);
	for (size_t i = 0; i < SHAPE_CLUES_MAX && f->shape->clues[i].name && !rc; i++)
		match(f, i);
	return rc;
}

static bool is_taken(const struct shape_found *v, int n, const char *symbol)
{
	for (int i = 0; i < n; i++)
		if (strcmp(v[i].clue->symbol, symbol) == 0)
			return true;
	return false;
}

/* Several clues may stand for one symbol: the first by which it is found is taken. */
static int take_found(const struct finder *f, struct shape_found *v)
{
	int n = 0;

	for (size_t i = 0; f->shape->clues[i].name; i++) {
		const struct shape_clue *c = &f->shape->clues[i];
		const struct matches *m = &f->found[i];

		if (!c->symbol || is_taken(v, n, c->symbol))
			continue;
		for (size_t k = 0; k < m->count; k++)
			v[n++] = (struct shape_found){.clue = c,
						      .addr = m->v[k]->at.start,
						      .size = m->v[k]->at.end - m->v[k]->at.start};
	}
	return n;
}

int shape_find(struct elf_file *e, const struct shape *shape, struct shape_found *v,
	       const char **why)
{
	struct finder *f = calloc(1, sizeof(*f));
	int rc = f ? 0 : -ENOMEM;

	*why = NULL;
	if (rc)
		return rc;
	*f = (struct finder){.e = e, .shape = shape};
	collect_texts(f);
	rc = find_files(f, 0, 1);
	if (rc || !f->target_count)
		goto out;
	rc = find_files(f, 1, f->files.count);
	if (!rc)
		rc = find_functions(f);
	if (rc == -EOVERFLOW) {
		*why = "too much code refers to it";
		rc = 0;
	} else if (!rc) {
		rc = take_found(f, v);
		*why = !f->refs.count ? "no code refers to its messages"
		       : !rc	      ? "no function fits what is known of it"
				      : NULL;
	}
out:
	for (size_t i = 0; i < f->func_count; i++)
		free(f->funcs[i]);
	code_refs_free(&f->refs);
	code_refs_free(&f->calls);
	unwind_table_free(&f->unwind);
	free(f);
	return rc;
}
