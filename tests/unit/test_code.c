/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Machine code without names: where functions begin and end, which arguments they use, who refers to what. The
 * compiler's symbols say what is right; the finder does not look at them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/code.h"
#include "tests/unit/elf_builder.h"

enum {
	OTHER,
	USES_1,
	USES_3,
	USES_4,
	USES_5,
	HANDS_ON,
	IGNORES,
	MAIN,
	FUNCS
};

static const struct {
	const char *name;
	int last; /* argument that it uses */
} funcs[FUNCS] = {
	[OTHER] = {"other", 2},	    [USES_1] = {"uses_1", 1}, [USES_3] = {"uses_3", 3},
	[USES_4] = {"uses_4", 4},   [USES_5] = {"uses_5", 5}, [HANDS_ON] = {"hands_on", 4},
	[IGNORES] = {"ignores", 2}, [MAIN] = {"main", 1},
};

struct built {
	char dir[256];
	int fd;
	struct elf_file *e;
	struct elf_symbol syms[FUNCS];
	struct unwind_table unwind;
	struct code_refs calls;
};

static void build(struct built *b, const char *level, const char *unwind, const char *pie)
{
	char path[PATH_MAX];

	*b = (struct built){0};
	scratch_make(b->dir, sizeof(b->dir));
	compile(b->dir, (const char *const[]){level, unwind, pie, "-fcf-protection=none", "-o",
					      "shapes", "@shapes.c", NULL});
	snprintf(path, sizeof(path), "%s/shapes", b->dir);
	b->fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(b->fd >= 0);
	assert_int_equal(elf_open(&b->e, b->fd), 0);
	for (int i = 0; i < FUNCS; i++)
		b->syms[i] = (struct elf_symbol){.name = funcs[i].name};
	elf_find_symbols(b->e, b->syms, FUNCS);
	assert_int_equal(unwind_table_read(b->e, &b->unwind), 0);
	assert_int_equal(code_find_calls(b->e, 0, UINT32_MAX, &b->calls), 0);
}

static void built_free(struct built *b)
{
	unwind_table_free(&b->unwind);
	code_refs_free(&b->calls);
	elf_close(b->e);
	close(b->fd);
	scratch_remove(b->dir);
}

static const char *const levels[] = {"-O0", "-O1", "-O2", "-O3", "-Os"};
static const char *const kinds[] = {"-no-pie", "-pie"};

static void for_each_build(const char *unwind, void (*fn)(struct built *b))
{
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			struct built b;

			build(&b, levels[i], unwind, kinds[k]);
			fn(&b);
			built_free(&b);
		}
}

static void extents_are_those_of_the_symbols(struct built *b)
{
	struct unwind_extent at;

	for (int i = 0; i < FUNCS; i++) {
		uint64_t start = b->syms[i].addr, end = start + b->syms[i].size;

		assert_true(start && b->syms[i].size);
		for (uint64_t addr = start; addr < end; addr += 3) {
			assert_true(code_function_at(b->e, &b->unwind, &b->calls, addr, &at));
			assert_int_equal(at.start, start);
			assert_int_equal(at.end, end);
		}
	}
}

static void functions_have_extents_by_unwind_tables(void **state)
{
	(void)state;
	for_each_build("-fasynchronous-unwind-tables", extents_are_those_of_the_symbols);
}

/* By what is called: main() is not, and what is short may not be aligned. */
static void by_calls(struct built *b)
{
	struct unwind_extent at;

	for (int i = 0; i < MAIN; i++) {
		uint64_t start = b->syms[i].addr, end = start + b->syms[i].size;
		const struct unwind_extent *known = unwind_table_at(&b->unwind, start);

		assert_null(known);
		if (start % 16)
			continue;
		assert_true(code_function_at(b->e, &b->unwind, &b->calls, start, &at));
		assert_int_equal(at.start, start);
		assert_int_equal(at.end, end);
		assert_true(code_function_at(b->e, &b->unwind, &b->calls, end - 1, &at));
		assert_int_equal(at.start, start);
	}
}

static void functions_have_extents_by_calls(void **state)
{
	(void)state;
	for (int k = 1; k < 4; k++) {
		struct built b;

		build(&b, levels[k], "-fno-asynchronous-unwind-tables", "-no-pie");
		by_calls(&b);
		built_free(&b);
	}
}

static void the_last_argument_is_right(struct built *b)
{
	for (int i = 0; i < FUNCS; i++) {
		struct unwind_extent at = {b->syms[i].addr, b->syms[i].addr + b->syms[i].size};

		int used = code_arguments(b->e, &at);

		assert_true(used > 0);
		assert_int_equal(used >> (funcs[i].last - 1), 1);
	}
}

static void the_last_argument_is_that_of_the_source(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (int i = 1; i < 5; i++) {
			struct built b;

			build(&b, levels[i], "-fasynchronous-unwind-tables", kinds[k]);
			the_last_argument_is_right(&b);
			built_free(&b);
		}
}

static void callers_are_found(struct built *b)
{
	uint64_t callee = b->syms[USES_1].addr, caller = b->syms[MAIN].addr;
	size_t n = code_calls_up_to(&b->calls, callee);
	bool found = false;

	for (; n > 0 && b->calls.v[n - 1].to == callee; n--)
		found |= b->calls.v[n - 1].at >= caller &&
			 b->calls.v[n - 1].at < caller + b->syms[MAIN].size;
	assert_true(found);
}

static void calls_lead_to_callers(void **state)
{
	(void)state;
	for_each_build("-fasynchronous-unwind-tables", callers_are_found);
}

/* The string "none" belongs to uses_4() alone. */
static void the_text_is_referred_to(struct built *b)
{
	struct code_refs refs = {0};
	struct elf_span span;
	uint64_t text = 0;
	uint8_t *p;

	for (size_t i = 0; elf_segment(b->e, i, &span); i++) {
		if (span.code || span.writable)
			continue;
		p = malloc(span.size);
		assert_non_null(p);
		assert_int_equal(elf_read(b->e, span.addr, p, span.size), span.size);
		for (uint64_t k = 0; k + 6 <= span.size; k++)
			if (memcmp(p + k, "\0none", 6) == 0)
				text = span.addr + k + 1;
		free(p);
	}
	assert_true(text != 0);
	assert_int_equal(code_find_refs(b->e, &text, 1, &refs), 0);
	assert_int_equal(refs.count, 1);
	assert_true(refs.v[0].at - b->syms[USES_4].addr < b->syms[USES_4].size);
	code_refs_free(&refs);
}

static void references_lead_to_functions(void **state)
{
	(void)state;
	for_each_build("-fasynchronous-unwind-tables", the_text_is_referred_to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions_have_extents_by_unwind_tables),
		cmocka_unit_test(functions_have_extents_by_calls),
		cmocka_unit_test(the_last_argument_is_that_of_the_source),
		cmocka_unit_test(calls_lead_to_callers),
		cmocka_unit_test(references_lead_to_functions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
