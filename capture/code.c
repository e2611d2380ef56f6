/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Searching code byte by byte, decoding it function by function. A hit of the search may be a coincidence: what
 * counts is the instruction that the decoder then finds there.
 */
#include "capture/code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <Zydis/Zydis.h>

#define CHUNK_BYTES (256u << 10)
#define OPERAND_BYTES 4	  /* of a relative or absolute address inside an instruction */
#define FUNC_ALIGN 16	  /* where compilers begin functions that others call */
#define BEGINNINGS_MAX 32 /* tried for one address */
#define CALL_REL32 0xe8
#define JMP_REL32 0xe9

static int add_ref(struct code_refs *refs, struct code_ref r)
{
	size_t cap = refs->cap ? 2 * refs->cap : 256;
	struct code_ref *v;

	if (refs->count >= CODE_REFS_MAX)
		return -EOVERFLOW;
	if (refs->count == refs->cap) {
		v = realloc(refs->v, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		refs->v = v;
		refs->cap = cap;
	}
	refs->v[refs->count++] = r;
	return 0;
}

void code_refs_free(struct code_refs *refs)
{
	free(refs->v);
	*refs = (struct code_refs){0};
}

static uint64_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* What is looked for: a set of addresses, or calls into a range; `lo` and `hi` bound both. */
struct search {
	const uint64_t *targets; /* NULL: calls */
	size_t count;
	uint64_t lo, hi;
	struct code_refs *refs;
};

static bool is_target(const struct search *s, uint64_t addr)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->targets[i] == addr)
			return true;
	return false;
}

/*
 * Unsigned arithmetic: one comparison tells whether an address lies in [lo, lo + width). An operand may be taken
 * for an address relative to the end of its instruction, or for an absolute one.
 */
static int search_refs(const struct search *s, const uint8_t *p, size_t n, uint64_t addr)
{
	uint64_t width = s->hi - s->lo, next = addr + OPERAND_BYTES;
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		uint64_t v = load32(p + i), to = next + i + (uint64_t)(int64_t)(int32_t)v;

		if (to - s->lo < width && is_target(s, to))
			rc = add_ref(s->refs, (struct code_ref){.at = addr + i, .to = to});
		else if (v - s->lo < width && is_target(s, v))
			rc = add_ref(s->refs, (struct code_ref){.at = addr + i, .to = v});
	}
	return rc;
}

static int search_calls(const struct search *s, const uint8_t *p, size_t n, uint64_t addr)
{
	uint64_t width = s->hi - s->lo;
	int rc = 0;

	for (size_t i = 1; i < n && !rc; i++) {
		uint64_t to;

		if ((p[i - 1] & 0xfe) != CALL_REL32)
			continue;
		to = addr + i + OPERAND_BYTES + (uint64_t)(int64_t)(int32_t)load32(p + i);
		if (to - s->lo < width)
			rc = add_ref(s->refs, (struct code_ref){.at = addr + i,
								.to = to,
								.call = p[i - 1] == CALL_REL32});
	}
	return rc;
}

/* Pieces overlap by what an operand needs, and by the byte before it. */
static int search_segment(struct elf_file *e, const struct elf_span *span, const struct search *s,
			  uint8_t *buf)
{
	int rc = 0;

	for (uint64_t at = 0; at < span->size && !rc; at += CHUNK_BYTES) {
		uint64_t before = at ? 1 : 0;
		int n = elf_read(e, span->addr + at - before, buf,
				 CHUNK_BYTES + OPERAND_BYTES - 1 + before);

		if (n < 0)
			return n;
		if (n < OPERAND_BYTES)
			break;
		n -= OPERAND_BYTES - 1;
		if (s->targets)
			rc = search_refs(s, buf + before, (size_t)n - before, span->addr + at);
		else
			rc = search_calls(s, buf, (size_t)n, span->addr + at - before);
	}
	return rc;
}

static int search_code(struct elf_file *e, const struct search *s)
{
	uint8_t *buf = malloc(CHUNK_BYTES + OPERAND_BYTES);
	struct elf_span span;
	int rc = 0;

	if (!buf)
		return -ENOMEM;
	for (size_t i = 0; elf_segment(e, i, &span) && !rc; i++)
		if (span.code)
			rc = search_segment(e, &span, s, buf);
	free(buf);
	return rc;
}

int code_find_refs(struct elf_file *e, const uint64_t *targets, size_t n, struct code_refs *refs)
{
	struct search s = {.targets = targets, .count = n, .lo = UINT64_MAX, .refs = refs};

	for (size_t i = 0; i < n; i++) {
		s.lo = targets[i] < s.lo ? targets[i] : s.lo;
		s.hi = targets[i] + 1 > s.hi ? targets[i] + 1 : s.hi;
	}
	return n ? search_code(e, &s) : 0;
}

static int by_target(const void *a, const void *b)
{
	const struct code_ref *x = a, *y = b;

	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

int code_find_calls(struct elf_file *e, uint64_t lo, uint64_t hi, struct code_refs *refs)
{
	struct search s = {.lo = lo, .hi = hi, .refs = refs};
	int rc = search_code(e, &s);

	if (refs->count)
		qsort(refs->v, refs->count, sizeof(*refs->v), by_target);
	return rc;
}

static int argument_of(ZydisRegister reg)
{
	static const ZydisRegister args[] = {ZYDIS_REGISTER_RDI, ZYDIS_REGISTER_RSI,
					     ZYDIS_REGISTER_RDX, ZYDIS_REGISTER_RCX,
					     ZYDIS_REGISTER_R8,	 ZYDIS_REGISTER_R9};

	reg = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
	for (int i = 0; i < (int)(sizeof(args) / sizeof(args[0])); i++)
		if (args[i] == reg)
			return i + 1;
	return 0;
}

static bool is_direct_branch(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op)
{
	return (in->meta.category == ZYDIS_CATEGORY_CALL ||
		in->meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
		in->meta.category == ZYDIS_CATEGORY_COND_BR) &&
	       op[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}

static bool ends_flow(const ZydisDecodedInstruction *in)
{
	return in->meta.category == ZYDIS_CATEGORY_RET ||
	       in->meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
	       in->mnemonic == ZYDIS_MNEMONIC_UD2 || in->mnemonic == ZYDIS_MNEMONIC_INT3;
}

static void describe_memory(const ZydisDecodedOperand *op, struct code_insn *out)
{
	if (!(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) ||
	    op->mem.base == ZYDIS_REGISTER_RSP ||
	    op->visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
		return;
	if (op->mem.base == ZYDIS_REGISTER_RBP)
		out->stores_by_rbp = true;
	else
		out->stores = true;
}

/* `xor %ecx, %ecx` and the like need nothing, and what is pushed may be anything: it only makes room. */
static bool needs_nothing(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op)
{
	if (in->mnemonic == ZYDIS_MNEMONIC_PUSH)
		return true;
	return (in->mnemonic == ZYDIS_MNEMONIC_XOR || in->mnemonic == ZYDIS_MNEMONIC_SUB) &&
	       op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       op[1].type == ZYDIS_OPERAND_TYPE_REGISTER && op[0].reg.value == op[1].reg.value;
}

static uint8_t argument_bit(ZydisRegister reg)
{
	return (uint8_t)(1u << argument_of(reg) >> 1);
}

static void describe_arguments(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op,
			       struct code_insn *out)
{
	for (unsigned int i = 0; i < in->operand_count; i++) {
		if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			out->args_read |=
				argument_bit(op[i].mem.base) | argument_bit(op[i].mem.index);
		if (op[i].type != ZYDIS_OPERAND_TYPE_REGISTER)
			continue;
		if (op[i].actions & ZYDIS_OPERAND_ACTION_MASK_READ && !needs_nothing(in, op))
			out->args_read |= argument_bit(op[i].reg.value);
		if (op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
			out->args_set |= argument_bit(op[i].reg.value);
	}
}

static void describe(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op, uint64_t at,
		     struct code_insn *out)
{
	*out = (struct code_insn){.addr = at};
	out->is_call = in->meta.category == ZYDIS_CATEGORY_CALL;
	out->locked = in->attributes & ZYDIS_ATTRIB_HAS_LOCK;
	out->ends = ends_flow(in);
	describe_arguments(in, op, out);
	if (is_direct_branch(in, op)) {
		ZydisCalcAbsoluteAddress(in, &op[0], at, &out->branch);
		return;
	}
	for (unsigned int i = 0; i < in->operand_count_visible; i++) {
		if (op[i].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
			out->refers = op[i].imm.value.u;
		if (op[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		if (op[i].mem.base == ZYDIS_REGISTER_RIP)
			ZydisCalcAbsoluteAddress(in, &op[i], at, &out->refers);
		describe_memory(&op[i], out);
	}
	if (in->mnemonic != ZYDIS_MNEMONIC_MOV || op[0].type != ZYDIS_OPERAND_TYPE_REGISTER)
		return;
	if (op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		out->set_arg = argument_of(op[0].reg.value);
	out->sets_frame = op[0].reg.value == ZYDIS_REGISTER_RBP &&
			  op[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
			  op[1].reg.value == ZYDIS_REGISTER_RSP;
}

/* The bytes of [start, end), as far as there are any; owned. */
static uint8_t *read_code(struct elf_file *e, uint64_t start, uint64_t end, size_t *n)
{
	size_t want = end - start > CODE_FUNC_MAX_BYTES ? CODE_FUNC_MAX_BYTES : end - start;
	uint8_t *code = malloc(want ? want : 1);
	int got = code ? elf_read(e, start, code, want) : -ENOMEM;

	if (got < 0) {
		free(code);
		return NULL;
	}
	*n = (size_t)got;
	return code;
}

int code_each(struct elf_file *e, const struct unwind_extent *func, code_insn_fn *fn, void *arg)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction in;
	struct code_insn insn;
	ZydisDecoder decoder;
	size_t n, at = 0;
	uint8_t *code = func->end - func->start <= CODE_FUNC_MAX_BYTES
				? read_code(e, func->start, func->end, &n)
				: NULL;
	int rc = 0;

	if (!code)
		return -EFBIG;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	while (at < n && !rc) {
		if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, code + at, n - at, &in, op))) {
			rc = -EILSEQ;
			break;
		}
		describe(&in, op, func->start + at, &insn);
		fn(arg, &insn);
		at += in.length;
	}
	free(code);
	return rc;
}

/*
 * Where the function that begins at `start` ends: behind the first instruction that does not go on and that no
 * branch before it passes over. 0: it is no code, or too much.
 */
static uint64_t end_of(struct elf_file *e, uint64_t start)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction in;
	uint64_t furthest = start, end = 0, to;
	ZydisDecoder decoder;
	size_t n, at = 0;
	uint8_t *code = read_code(e, start, start + CODE_FUNC_MAX_BYTES, &n);

	if (!code)
		return 0;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	while (at < n && !end) {
		if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, code + at, n - at, &in, op)))
			break;
		if (in.meta.category != ZYDIS_CATEGORY_CALL && is_direct_branch(&in, op) &&
		    ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&in, &op[0], start + at, &to)) &&
		    to > furthest && to - start < n &&
		    (in.meta.category == ZYDIS_CATEGORY_COND_BR || in.length == 2))
			furthest = to;
		at += in.length;
		if (ends_flow(&in) && start + at > furthest)
			end = start + at;
	}
	free(code);
	return end;
}

/* Only what does not go on, or filling, stands before a function. */
static bool may_begin(struct elf_file *e, uint64_t addr)
{
	uint8_t b[5];

	if (addr % FUNC_ALIGN || elf_read(e, addr - sizeof(b), b, sizeof(b)) != sizeof(b))
		return false;
	return b[4] == 0xcc || b[4] == 0xc3 || b[4] == 0x90 || b[4] == 0x00 || b[0] == JMP_REL32 ||
	       b[0] == CALL_REL32 || b[3] == 0xeb || (b[3] == 0x0f && b[4] == 0x0b);
}

size_t code_calls_up_to(const struct code_refs *calls, uint64_t to)
{
	size_t lo = 0, hi = calls->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (calls->v[mid].to <= to)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool code_function_at(struct elf_file *e, const struct unwind_table *t,
		      const struct code_refs *calls, uint64_t addr, struct unwind_extent *func)
{
	const struct unwind_extent *known = unwind_table_at(t, addr);
	uint64_t tried = 0, end;
	size_t tries = 0;

	if (known) {
		*func = *known;
		return true;
	}
	for (size_t i = code_calls_up_to(calls, addr); i > 0; i--) {
		uint64_t start = calls->v[i - 1].to;

		if (addr - start >= CODE_FUNC_MAX_BYTES || tries == BEGINNINGS_MAX)
			break;
		if (!calls->v[i - 1].call || start == tried || !may_begin(e, start))
			continue;
		tried = start;
		tries++;
		end = end_of(e, start);
		if (end <= addr)
			continue;
		*func = (struct unwind_extent){start, end};
		return true;
	}
	return false;
}

#else

int code_find_refs(struct elf_file *e, const uint64_t *targets, size_t n, struct code_refs *refs)
{
	(void)e, (void)targets, (void)n, (void)refs;
	return -ENOTSUP;
}

int code_find_calls(struct elf_file *e, uint64_t lo, uint64_t hi, struct code_refs *refs)
{
	(void)e, (void)lo, (void)hi, (void)refs;
	return -ENOTSUP;
}

void code_refs_free(struct code_refs *refs)
{
	(void)refs;
}

size_t code_calls_up_to(const struct code_refs *calls, uint64_t to)
{
	(void)calls, (void)to;
	return 0;
}

bool code_function_at(struct elf_file *e, const struct unwind_table *t,
		      const struct code_refs *calls, uint64_t addr, struct unwind_extent *func)
{
	(void)e, (void)t, (void)calls, (void)addr, (void)func;
	return false;
}

int code_each(struct elf_file *e, const struct unwind_extent *func, code_insn_fn *fn, void *arg)
{
	(void)e, (void)func, (void)fn, (void)arg;
	return -ENOTSUP;
}
#endif
