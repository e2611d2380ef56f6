/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where in a function a breakpoint is cheap. The kernel emulates some instructions under a uprobe and
 * single-steps all others at ten to twenty times the price (arch/x86/kernel/uprobes.c:
 * branch_setup_xol_ops(), push_setup_xol_ops()), so the first instruction is often the worst place.
 *
 * Only what the decoder proves is proposed. The whole function is decoded from its entry; an indirect
 * jump, a branch out of it, undecodable bytes or too much code end the proof.
 */
#ifndef TLSLENS_CAPTURE_SITE_FIND_H
#define TLSLENS_CAPTURE_SITE_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SITE_FIND_INSNS_MAX 2048 /* longer functions are probed at their entry */
#define SITE_FIND_RETURNS_MAX 48

enum site_plan_kind {
	PLAN_ENTRY,  /* the function's first instruction, and a return probe from there */
	PLAN_INSIDE, /* `entry` and every one of `returns`, each passed exactly once a call */
};

/* sp_bytes: what the function has pushed by then, so that sp + sp_bytes is sp at its first instruction. */
struct site_place {
	uint32_t offset; /* from the start of the function */
	uint32_t sp_bytes;
};

struct site_plan {
	enum site_plan_kind kind;
	bool cheap; /* every breakpoint of the plan is emulated */
	struct site_place entry;
	struct site_place returns[SITE_FIND_RETURNS_MAX];
	size_t return_count;
	const char *why; /* static; why it is not PLAN_INSIDE and cheap, for doctor */
};

/* Argument registers that must be untouched at the entry site: bit n is argument n + 1 (System V ABI). */
#define SITE_ARGS_ALL 0x3fu

/*
 * `code` are the n bytes of the function. Never fails: without a proof the plan is PLAN_ENTRY.
 */
void site_find(const uint8_t *code, size_t n, unsigned int args, struct site_plan *plan);

/* Whether the kernel emulates an instruction of that many bytes instead of stepping it. */
bool site_is_emulated(const uint8_t *p, size_t len);

/*
 * The same for functions of Go: capture/site_go.c. False when `ret` cannot be told apart for sure or the function
 * does not use the register ABI; then plan->why says so and it must not be probed.
 */
bool site_find_go(const uint8_t *code, size_t n, struct site_plan *plan);

#endif
