/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sites in functions of Go, where a return probe may not be placed. The toolchain puts nothing but instructions
 * into a function (jump tables are read-only data), so they are decoded one after the other, and every `ret` is
 * a site. Functions begin by comparing the stack pointer with the limit in the goroutine's record; when that is
 * addressed by R14, the function uses the register ABI, and the conditional jump that follows is a cheap site.
 * It is passed once more when the stack had to grow, with nothing changed.
 */
#include "capture/site_find.h"

#include <string.h>

#if defined(__x86_64__)
#include <Zydis/Zydis.h>

#define STACK_GUARD 0x10     /* runtime.g.stackguard0 */
#define PROLOGUE_INSNS_MAX 6 /* until the check is over */

struct scan {
	const uint8_t *code;
	size_t n;
	struct site_plan *plan;
	uint32_t insns;	    /* decoded so far */
	bool checks_stack;  /* against [r14 + 0x10] */
	bool has_entry;	    /* the jump was found, with everything before it harmless */
	bool spoilt;	    /* an argument or the stack pointer changed before */
	uint32_t jump_back; /* lowest target of a branch that is not the first instruction */
};

/* Registers that the check may use: no argument's, not the stack pointer. */
static bool is_scratch(ZydisRegister r)
{
	ZydisRegister full = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);

	return full == ZYDIS_REGISTER_R12 || full == ZYDIS_REGISTER_R13 ||
	       full == ZYDIS_REGISTER_RFLAGS || full == ZYDIS_REGISTER_RIP;
}

static bool is_harmless(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *op)
{
	for (size_t i = 0; i < z->operand_count; i++) {
		if (!(op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		if (op[i].type != ZYDIS_OPERAND_TYPE_REGISTER || !is_scratch(op[i].reg.value))
			return false;
	}
	return true;
}

static bool is_stack_check(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *op)
{
	if (z->mnemonic != ZYDIS_MNEMONIC_CMP)
		return false;
	for (size_t i = 0; i < z->operand_count_visible; i++)
		if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    op[i].mem.base == ZYDIS_REGISTER_R14 &&
		    op[i].mem.index == ZYDIS_REGISTER_NONE && op[i].mem.disp.value == STACK_GUARD)
			return true;
	return false;
}

static void note_prologue(struct scan *s, uint32_t off, const ZydisDecodedInstruction *z,
			  const ZydisDecodedOperand *op)
{
	if (s->insns > PROLOGUE_INSNS_MAX)
		return;
	if (is_stack_check(z, op))
		s->checks_stack = true;
	if (!s->has_entry && !s->spoilt && site_is_emulated(s->code + off, z->length) &&
	    z->meta.category == ZYDIS_CATEGORY_COND_BR) {
		s->plan->entry = (struct site_place){off, 0};
		s->has_entry = true;
	}
	if (!is_harmless(z, op))
		s->spoilt = true;
}

/* False: control leaves the function other than by `ret`. */
static bool note_branch(struct scan *s, uint32_t off, const ZydisDecodedInstruction *z,
			const ZydisDecodedOperand *op)
{
	int64_t target;

	if (z->meta.category != ZYDIS_CATEGORY_COND_BR &&
	    z->meta.category != ZYDIS_CATEGORY_UNCOND_BR)
		return true;
	if (op[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !op[0].imm.is_relative)
		return true; /* by a jump table, which stays inside */
	target = (int64_t)off + z->length + op[0].imm.value.s;
	if (target < 0 || (uint64_t)target >= s->n)
		return false;
	if (target && target < s->jump_back)
		s->jump_back = (uint32_t)target;
	return true;
}

static const char *scan_function(struct scan *s)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	ZydisDecoder dec;

	ZydisDecoderInit(&dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	for (uint32_t off = 0; off < s->n; off += z.length) {
		memset(op, 0, sizeof(op));
		if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&dec, s->code + off, s->n - off, &z, op)))
			return "has bytes that do not decode";
		s->insns++;
		note_prologue(s, off, &z, op);
		if (!note_branch(s, off, &z, op))
			return "leaves by a jump";
		if (z.meta.category != ZYDIS_CATEGORY_RET)
			continue;
		if (s->plan->return_count == SITE_FIND_RETURNS_MAX)
			return "returns in too many places";
		s->plan->returns[s->plan->return_count++] = (struct site_place){off, 0};
	}
	if (!s->checks_stack)
		return "does not use the register ABI of Go 1.17";
	return s->plan->return_count ? NULL : "never returns";
}

bool site_find_go(const uint8_t *code, size_t n, struct site_plan *plan)
{
	struct scan s = {.code = code, .n = n, .plan = plan, .jump_back = UINT32_MAX};

	*plan = (struct site_plan){.kind = PLAN_INSIDE};
	plan->why = n < UINT32_MAX ? scan_function(&s) : "is too long";
	if (plan->why) {
		*plan = (struct site_plan){.kind = PLAN_ENTRY, .why = plan->why};
		return false;
	}
	if (!s.has_entry || s.jump_back <= plan->entry.offset)
		plan->entry = (struct site_place){0, 0};
	plan->why = "is Go's: a `ret` is stepped, and a return probe would do harm";
	return true;
}
#else
bool site_find_go(const uint8_t *code, size_t n, struct site_plan *plan)
{
	(void)code, (void)n;
	*plan = (struct site_plan){.kind = PLAN_ENTRY, .why = "cannot be decoded on this machine"};
	return false;
}
#endif
