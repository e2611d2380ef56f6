/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine code of a file that says nothing about it: who refers to an address, who calls whom, where functions
 * begin and end. Code is read piece by piece, so that size costs time but no memory. x86-64; -ENOTSUP elsewhere.
 */
#ifndef TLSLENS_CAPTURE_CODE_H
#define TLSLENS_CAPTURE_CODE_H

#include "capture/unwind_table.h"

#define CODE_REFS_MAX (1u << 16)	/* of one search; with more it is given up */
#define CODE_TARGETS_MAX 32		/* addresses looked for at once */
#define CODE_FUNC_MAX_BYTES (64u << 10) /* longer functions are not looked at */

struct code_ref {
	uint64_t at, to; /* `at` lies inside the instruction that refers */
	bool call;	 /* of code_find_calls(): a call, not a jump */
};

struct code_refs {
	struct code_ref *v; /* owned */
	size_t count, cap;
};

/*
 * Places in code that may be the operand of an instruction that refers to one of the targets, relative to itself
 * or absolute. 0, -EOVERFLOW, -ENOMEM or the error of reading; what was found stays in refs.
 */
int code_find_refs(struct elf_file *e, const uint64_t *targets, size_t n, struct code_refs *refs);
/* Places in code that may be a direct call or long jump to [lo, hi), in order of `to`. As above. */
int code_find_calls(struct elf_file *e, uint64_t lo, uint64_t hi, struct code_refs *refs);
/* How many of these go to an address <= to. */
size_t code_calls_up_to(const struct code_refs *calls, uint64_t to);
void code_refs_free(struct code_refs *refs);

/*
 * The function that holds an address: by the unwind table, or, of code without one, from what is called (`calls`)
 * to the first end that no branch of it passes over. False: it cannot be told.
 */
bool code_function_at(struct elf_file *e, const struct unwind_table *t,
		      const struct code_refs *calls, uint64_t addr, struct unwind_extent *func);

/* One instruction, as far as the finder of functions needs it. */
struct code_insn {
	uint64_t addr;
	uint64_t refers;    /* the address or constant it mentions, or 0 */
	uint64_t branch;    /* target of a direct call or jump, or 0 */
	bool is_call;	    /* the branch comes back */
	bool ends;	    /* the next instruction does not follow it */
	int set_arg;	    /* it puts a constant (`refers`) into this argument, from 1; 0: none */
	bool stores;	    /* to memory that is not addressed by the stack or frame pointer */
	bool stores_by_rbp; /* the same, where rbp is no frame pointer */
	bool sets_frame;    /* rbp becomes one */
	bool locked;	    /* it is atomic */
	uint8_t args_read, args_set; /* bit n: it reads, writes the register of argument n + 1 */
};

/* Calls fn for each instruction of [start, end) in order. 0 or a negative errno: -EILSEQ when it is no code. */
typedef void code_insn_fn(void *arg, const struct code_insn *insn);
int code_each(struct elf_file *e, const struct unwind_extent *func, code_insn_fn *fn, void *arg);

/*
 * Which arguments in registers a function uses, on any way through it, as long as they are what its caller gave and
 * no other function was called: bit n is argument n + 1. Negative errno: it is no code.
 */
int code_arguments(struct elf_file *e, const struct unwind_extent *func);

#endif
