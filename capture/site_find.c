/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decodes a function with Zydis into a flow graph of single instructions, proposes sites, then proves them
 * by walking the graph: every path to a `ret` passes the entry site once, with its arguments as the caller
 * left them, and one return site once, with rax as the caller will find it.
 */
#include "capture/site_find.h"

#include <stdlib.h>
#include <string.h>

#include <Zydis/Zydis.h>

#define NONE UINT32_MAX
#define SP_UNKNOWN UINT32_MAX
#define RAX_BIT 1u
#define MASK_SP_MAX 0x8000u /* larger frames are not believed */

enum flow {
	FLOW_NEXT, /* also calls: they come back */
	FLOW_JCC,
	FLOW_JMP,
	FLOW_RET,
	FLOW_STOP, /* ud2, hlt, int3: no path goes on */
};

struct insn {
	uint32_t off;
	uint8_t len;
	enum flow flow;
	bool call, emulated;
	uint32_t next, target;	 /* indexes of successors, NONE */
	uint32_t target_off;	 /* of a branch, before indexes are known */
	uint32_t writes;	 /* general registers, bit n is register n in hardware order */
	int32_t sp_change;	 /* of rsp, bytes added; 0 for calls */
	bool sp_lost;		 /* rsp set in a way not followed */
	bool sets_frame, leaves; /* mov rbp, rsp; leave */
	/* results of walks */
	uint32_t sp, frame; /* bytes pushed before it; the same as rbp holds it */
	bool reaches_ret, site, seen;
	uint8_t passed; /* return sites passed before it: 0, 1; 0xff not visited */
	bool dirty;	/* rax written since the site */
};

struct graph {
	struct insn *insns; /* by offset of decoding, sorted later */
	uint32_t count;
	uint32_t *at; /* offset -> index, NONE */
	size_t n;
	const char *why;
};

/* The kernel's list: what it emulates instead of stepping. Prefixes it refuses are refused here. */
bool site_is_emulated(const uint8_t *p, size_t len)
{
	if (len == 1)
		return (p[0] >= 0x50 && p[0] <= 0x57) || p[0] == 0x90;
	if (len == 2 && p[0] == 0x41 && p[1] >= 0x50 && p[1] <= 0x57)
		return true;
	if (len == 2 && (p[0] == 0xeb || (p[0] >= 0x70 && p[0] <= 0x7f)))
		return true;
	if (len == 5 && (p[0] == 0xe8 || p[0] == 0xe9))
		return true;
	return len == 6 && p[0] == 0x0f && p[1] >= 0x80 && p[1] <= 0x8f;
}

static uint32_t register_bit(ZydisRegister r)
{
	ZydisRegister full = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);

	if (full < ZYDIS_REGISTER_RAX || full > ZYDIS_REGISTER_R15)
		return 0;
	return 1u << (full - ZYDIS_REGISTER_RAX);
}

/* rsp's change as an instruction's own arithmetic; pushes and pops are told by Zydis's hidden operands. */
static void note_stack(struct insn *in, const ZydisDecodedInstruction *z,
		       const ZydisDecodedOperand *op)
{
	const uint32_t rsp_bit = 1u << 4;
	bool imm = op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;

	if (in->call || !(in->writes & rsp_bit))
		goto frame;
	switch (z->mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_PUSHFQ:
		in->sp_change = -8;
		break;
	case ZYDIS_MNEMONIC_POP:
	case ZYDIS_MNEMONIC_POPFQ:
		in->sp_change = 8;
		in->sp_lost = op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
			      op[0].reg.value == ZYDIS_REGISTER_RSP;
		break;
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_ADD:
		in->sp_lost = !imm || llabs((long long)op[1].imm.value.s) > MASK_SP_MAX;
		if (!in->sp_lost)
			in->sp_change =
				(int32_t)(z->mnemonic == ZYDIS_MNEMONIC_SUB ? -op[1].imm.value.s
									    : op[1].imm.value.s);
		break;
	case ZYDIS_MNEMONIC_LEAVE:
		in->leaves = true;
		break;
	case ZYDIS_MNEMONIC_RET:
		break;
	default:
		in->sp_lost = true;
	}
	if (z->operand_width == 16)
		in->sp_lost = true;
frame:
	in->sets_frame =
		z->mnemonic == ZYDIS_MNEMONIC_MOV && op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		op[0].reg.value == ZYDIS_REGISTER_RBP &&
		op[1].type == ZYDIS_OPERAND_TYPE_REGISTER && op[1].reg.value == ZYDIS_REGISTER_RSP;
}

/* Where control goes after an instruction. False: it cannot be told, which ends the proof. */
static bool note_flow(struct insn *in, const ZydisDecodedInstruction *z,
		      const ZydisDecodedOperand *op, size_t n, const char **why)
{
	bool relative = z->operand_count && op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE &&
			op[0].imm.is_relative;
	int64_t target = relative ? (int64_t)in->off + in->len + op[0].imm.value.s : -1;

	switch (z->meta.category) {
	case ZYDIS_CATEGORY_CALL:
		in->call = true;
		return true;
	case ZYDIS_CATEGORY_RET:
		in->flow = FLOW_RET;
		return true;
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
		in->flow = z->meta.category == ZYDIS_CATEGORY_COND_BR ? FLOW_JCC : FLOW_JMP;
		if (!relative) {
			*why = "jumps indirectly";
			return false;
		}
		if (target < 0 || (uint64_t)target >= n) {
			*why = "leaves by a jump";
			return false;
		}
		in->target_off = (uint32_t)target;
		return true;
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSTEM:
		if (z->mnemonic == ZYDIS_MNEMONIC_HLT || z->mnemonic == ZYDIS_MNEMONIC_INT3)
			in->flow = FLOW_STOP;
		return true;
	default:
		if (z->mnemonic == ZYDIS_MNEMONIC_UD2 || z->mnemonic == ZYDIS_MNEMONIC_UD1 ||
		    z->mnemonic == ZYDIS_MNEMONIC_UD0)
			in->flow = FLOW_STOP;
		return true;
	}
}

static bool decode_one(const ZydisDecoder *dec, const uint8_t *code, size_t n, uint32_t off,
		       struct insn *in, const char **why)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;

	memset(op, 0, sizeof(op));
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(dec, code + off, n - off, &z, op))) {
		*why = "has bytes that do not decode";
		return false;
	}
	*in = (struct insn){.off = off,
			    .len = z.length,
			    .next = NONE,
			    .target = NONE,
			    .target_off = NONE,
			    .sp = SP_UNKNOWN,
			    .frame = SP_UNKNOWN,
			    .passed = 0xff};
	in->emulated = site_is_emulated(code + off, z.length);
	for (size_t i = 0; i < z.operand_count; i++)
		if (op[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    (op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			in->writes |= register_bit(op[i].reg.value);
	if (!note_flow(in, &z, op, n, why))
		return false;
	note_stack(in, &z, op);
	return true;
}

/* Decodes everything reachable from offset 0. Overlapping instructions (a jump into one) end the proof. */
static bool decode_all(struct graph *g, const uint8_t *code)
{
	uint32_t todo[SITE_FIND_INSNS_MAX], todo_count = 0, off;
	ZydisDecoder dec;
	struct insn *in;

	ZydisDecoderInit(&dec, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	todo[todo_count++] = 0;
	while (todo_count) {
		off = todo[--todo_count];
		while (off < g->n && g->at[off] == NONE) {
			if (g->count == SITE_FIND_INSNS_MAX ||
			    todo_count >= SITE_FIND_INSNS_MAX - 1) {
				g->why = "is too long";
				return false;
			}
			in = &g->insns[g->count];
			if (!decode_one(&dec, code, g->n, off, in, &g->why))
				return false;
			g->at[off] = g->count++;
			if (in->target_off != NONE)
				todo[todo_count++] = in->target_off;
			if (in->flow != FLOW_NEXT && in->flow != FLOW_JCC)
				break;
			off += in->len;
		}
	}
	return true;
}

static bool overlaps(const struct graph *g)
{
	uint32_t end = 0;

	for (uint32_t off = 0; off < g->n; off++) {
		if (g->at[off] == NONE)
			continue;
		if (off < end)
			return true;
		end = off + g->insns[g->at[off]].len;
	}
	return false;
}

static void link_successors(struct graph *g)
{
	for (uint32_t i = 0; i < g->count; i++) {
		struct insn *in = &g->insns[i];
		uint32_t after = in->off + in->len;

		if (in->flow == FLOW_NEXT || in->flow == FLOW_JCC)
			in->next = after < g->n ? g->at[after] : NONE;
		if (in->target_off != NONE)
			in->target = g->at[in->target_off];
	}
}

/* Marks what can still reach a `ret`; the rest (a failed stack check) never returns and does not count. */
static void mark_returning(struct graph *g)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (uint32_t i = g->count; i-- > 0;) {
			struct insn *in = &g->insns[i];
			bool r = in->flow == FLOW_RET ||
				 (in->next != NONE && g->insns[in->next].reaches_ret) ||
				 (in->target != NONE && g->insns[in->target].reaches_ret);

			if (r && !in->reaches_ret)
				in->reaches_ret = changed = true;
		}
	}
}

/*
 * The entry site: the first emulated instruction of the entry block before which no argument register
 * was written, and to which nothing jumps back.
 */
static const struct insn *find_entry(const struct graph *g, unsigned int args)
{
	/* rdi rsi rdx rcx r8 r9 in hardware order */
	static const uint8_t arg_register[6] = {7, 6, 2, 1, 8, 9};
	uint32_t guarded = 0, i = 0;
	const struct insn *in;

	for (size_t a = 0; a < 6; a++)
		if (args & 1u << a)
			guarded |= 1u << arg_register[a];
	for (;; i = in->next) {
		in = &g->insns[i];
		if (in->emulated)
			break;
		if (in->flow != FLOW_NEXT || in->call || (in->writes & guarded) || in->next == NONE)
			return NULL;
	}
	for (uint32_t k = 0; k < g->count; k++)
		if (g->insns[k].target_off != NONE && g->insns[k].target_off <= in->off)
			return NULL;
	return in;
}

/* Depth of the stack before each instruction; differing depths at a join make it unknown there. */
static void walk_stack(struct graph *g)
{
	/* an instruction comes back at most for each of its two facts becoming unknown */
	uint32_t todo[SITE_FIND_INSNS_MAX * 4], count = 0;

	g->insns[0].sp = 0;
	g->insns[0].seen = true;
	todo[count++] = 0;
	while (count) {
		struct insn *in = &g->insns[todo[--count]];
		uint32_t sp = in->sp, frame = in->frame;
		uint32_t succ[2] = {in->next, in->target};

		if (in->sets_frame)
			frame = sp;
		else if (in->leaves)
			sp = frame == SP_UNKNOWN || frame < 8 ? SP_UNKNOWN : frame - 8;
		else if (in->sp_lost)
			sp = SP_UNKNOWN;
		else if (sp != SP_UNKNOWN && in->sp_change > 0 && (uint32_t)in->sp_change > sp)
			sp = SP_UNKNOWN;
		else if (sp != SP_UNKNOWN)
			sp -= (uint32_t)in->sp_change;
		if (sp != SP_UNKNOWN && sp > MASK_SP_MAX)
			sp = SP_UNKNOWN;
		if (!in->sets_frame && (in->writes & 1u << 5))
			frame = SP_UNKNOWN;
		for (size_t k = 0; k < 2; k++) {
			struct insn *to = succ[k] == NONE ? NULL : &g->insns[succ[k]];

			if (!to || (to->seen && (to->sp == sp || to->sp == SP_UNKNOWN) &&
				    (to->frame == frame || to->frame == SP_UNKNOWN)))
				continue;
			to->sp = to->seen && to->sp != sp ? SP_UNKNOWN : sp;
			to->frame = to->seen && to->frame != frame ? SP_UNKNOWN : frame;
			to->seen = true;
			todo[count++] = succ[k];
		}
	}
}

/* Backwards from a `ret`: the nearest emulated instruction on each way in, rax untouched between. */
static bool place_returns(struct graph *g, uint32_t from, unsigned int depth)
{
	if (depth > 64)
		return false;
	for (uint32_t p = 0; p < g->count; p++) {
		struct insn *in = &g->insns[p];

		if (in->next != from && in->target != from)
			continue;
		if (in->site)
			continue;
		if (in->call || (in->writes & RAX_BIT) || in->off == 0)
			return false;
		if (in->emulated)
			in->site = true;
		else if (!place_returns(g, p, depth + 1))
			return false;
	}
	return true;
}

/* The proof: forwards over every path that returns, exactly one site and nothing written to rax after it. */
static bool prove_returns(struct graph *g)
{
	uint32_t todo[SITE_FIND_INSNS_MAX], count = 0;

	g->insns[0].passed = 0;
	todo[count++] = 0;
	while (count) {
		struct insn *in = &g->insns[todo[--count]];
		uint32_t succ[2] = {in->next, in->target};
		uint8_t passed = in->passed;
		bool dirty = in->dirty;

		if (in->flow == FLOW_RET && (passed != 1 || dirty))
			return false;
		if (in->site) {
			if (passed || in->sp == SP_UNKNOWN)
				return false;
			passed = 1;
		} else if (passed && (in->call || (in->writes & RAX_BIT))) {
			dirty = true;
		}
		for (size_t k = 0; k < 2; k++) {
			struct insn *to = succ[k] == NONE ? NULL : &g->insns[succ[k]];

			if (!to || !to->reaches_ret)
				continue;
			if (to->passed != 0xff) {
				if (to->passed != passed || to->dirty != dirty)
					return false;
				continue;
			}
			to->passed = passed;
			to->dirty = dirty;
			todo[count++] = succ[k];
		}
	}
	return true;
}

static const char *find_returns(struct graph *g, struct site_plan *plan)
{
	bool any = false;

	for (uint32_t i = 0; i < g->count; i++) {
		if (g->insns[i].flow != FLOW_RET)
			continue;
		any = true;
		if (!place_returns(g, i, 0))
			return "has no emulated instruction between its result and its return";
	}
	if (!any)
		return "never returns";
	if (!prove_returns(g))
		return "returns on paths that pass no site, or two";
	for (uint32_t i = 0; i < g->count; i++) {
		if (!g->insns[i].site)
			continue;
		if (plan->return_count == SITE_FIND_RETURNS_MAX)
			return "returns in too many places";
		plan->returns[plan->return_count++] =
			(struct site_place){g->insns[i].off, g->insns[i].sp};
	}
	return NULL;
}

static void plan_function(struct graph *g, const uint8_t *code, unsigned int args,
			  struct site_plan *plan)
{
	const struct insn *entry;

	if (!decode_all(g, code)) {
		plan->why = g->why;
		return;
	}
	if (overlaps(g)) {
		plan->why = "jumps into an instruction";
		return;
	}
	link_successors(g);
	mark_returning(g);
	walk_stack(g);
	entry = find_entry(g, args);
	if (!entry || entry->sp == SP_UNKNOWN) {
		plan->why = "has no emulated instruction before its arguments change";
		return;
	}
	plan->why = find_returns(g, plan);
	if (plan->why) {
		plan->return_count = 0;
		return;
	}
	if (entry->site) {
		plan->why = "returns where it begins";
		plan->return_count = 0;
		return;
	}
	plan->entry = (struct site_place){entry->off, entry->sp};
	plan->kind = PLAN_INSIDE;
	plan->cheap = true;
}

void site_find(const uint8_t *code, size_t n, unsigned int args, struct site_plan *plan)
{
	struct graph g = {.n = n < UINT32_MAX ? n : UINT32_MAX - 1};

	*plan = (struct site_plan){.kind = PLAN_ENTRY};
	if (n == 0)
		return;
	/* An emulated first instruction makes entry and return probe cheap together, with no more to prove. */
	for (size_t len = 1; len <= 6 && len <= n; len++)
		if (site_is_emulated(code, len)) {
			plan->cheap = true;
			return;
		}
	g.insns = calloc(SITE_FIND_INSNS_MAX, sizeof(*g.insns));
	g.at = malloc(g.n * sizeof(*g.at));
	if (g.insns && g.at) {
		memset(g.at, 0xff, g.n * sizeof(*g.at));
		plan_function(&g, code, args, plan);
	} else {
		plan->why = "could not be decoded for want of memory";
	}
	free(g.insns);
	free(g.at);
}
