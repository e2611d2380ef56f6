/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many arguments a function takes, as its code shows: along each way from its first instruction, what is in the
 * registers of arguments is the caller's until it is overwritten or another function is called.
 */
#include "capture/code.h"

#include <errno.h>
#include <stdlib.h>

#define ARGS_ALL 0x3f
#define PASSES_MAX 64 /* more than loops within loops need */

struct step {
	struct code_insn insn;
	uint8_t alive;	/* arguments that may still be the caller's here, over all ways */
	bool is_queued; /* it is to be looked at (again) */
};

struct steps {
	struct step *v; /* owned */
	size_t count, cap;
	bool failed;
};

static void add_step(void *arg, const struct code_insn *insn)
{
	struct steps *s = arg;
	size_t cap = s->cap ? 2 * s->cap : 256;
	struct step *v;

	if (s->count == s->cap) {
		v = s->failed ? NULL : realloc(s->v, cap * sizeof(*v));
		if (!v) {
			s->failed = true;
			return;
		}
		s->v = v;
		s->cap = cap;
	}
	s->v[s->count++] = (struct step){.insn = *insn};
}

/* The instruction at an address, or `count`: there is none. */
static size_t step_at(const struct steps *s, uint64_t addr)
{
	size_t lo = 0, hi = s->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->v[mid].insn.addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->count && s->v[lo].insn.addr == addr ? lo : s->count;
}

/* A way comes to an instruction; true when it brings more than the others did and lies behind us. */
static bool reach(struct steps *s, size_t i, uint8_t alive, size_t from)
{
	if (i >= s->count || !(alive & ~s->v[i].alive))
		return false;
	s->v[i].alive |= alive;
	s->v[i].is_queued = true;
	return i <= from;
}

/* One pass in order of addresses; true: another one is needed. */
static bool pass(struct steps *s, uint8_t *used)
{
	bool again = false;

	for (size_t i = 0; i < s->count; i++) {
		struct step *at = &s->v[i];
		uint8_t alive = at->alive & ~at->insn.args_set;

		if (!at->is_queued)
			continue;
		at->is_queued = false;
		*used |= at->insn.args_read & at->alive;
		if (at->insn.is_call)
			continue; /* what comes back is not the caller's */
		if (at->insn.branch)
			again |= reach(s, step_at(s, at->insn.branch), alive, i);
		if (!at->insn.ends)
			again |= reach(s, i + 1, alive, i);
	}
	return again;
}

int code_arguments(struct elf_file *e, const struct unwind_extent *func)
{
	struct steps s = {0};
	unsigned int passes = 0;
	uint8_t used = 0;
	int rc = code_each(e, func, add_step, &s);

	if (!rc && s.failed)
		rc = -ENOMEM;
	if (!rc) {
		reach(&s, 0, ARGS_ALL, 0);
		while (passes < PASSES_MAX && pass(&s, &used))
			passes++;
	}
	free(s.v);
	return rc ? rc : used;
}
