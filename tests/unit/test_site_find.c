/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sites against an emulating reference (Unicorn): functions of real libraries are run on random paths with
 * their calls stepped over, and the emulator counts how often each proposed site is passed and what the
 * registers hold there. The finder's own decoder has no say in that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unicorn/unicorn.h>

#include "capture/site_find.h"

#define CODE_ADDR 0x10000000ull
#define CODE_BYTES 0x100000ull
#define DATA_ADDR 0x40000000ull
#define DATA_BYTES 0x200000ull
#define RETURN_ADDR 0x70000000ull
#define STEPS_MAX 4000
#define RUNS_PER_FUNCTION 12
#define ARGS 3u /* arguments 1 and 2: what is asked of every function, whatever it takes */

static uint64_t rng_state = 0x9e3779b97f4a7c15ull;

static uint64_t rng(void)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return rng_state;
}

struct run {
	const uint8_t *code;
	size_t n;
	const struct site_plan *plan;
	uint64_t sp0, args[6];
	unsigned int entries, returns, steps;
	uint64_t rax_at_return;
	bool returned, wrong, gave_up;
};

static const int arg_regs[6] = {UC_X86_REG_RDI, UC_X86_REG_RSI, UC_X86_REG_RDX,
				UC_X86_REG_RCX, UC_X86_REG_R8,	UC_X86_REG_R9};

static void check_entry(uc_engine *uc, struct run *r, uint64_t sp)
{
	r->entries++;
	if (sp + r->plan->entry.sp_bytes != r->sp0)
		r->wrong = true;
	for (size_t i = 0; i < 6; i++) {
		uint64_t v;

		uc_reg_read(uc, arg_regs[i], &v);
		if ((ARGS & 1u << i) && v != r->args[i])
			r->wrong = true;
	}
}

/* Flips a coin at every conditional branch, steps over calls, ends at the return. */
static void on_insn(uc_engine *uc, uint64_t addr, uint32_t size, void *arg)
{
	struct run *r = arg;
	uint64_t off = addr - CODE_ADDR, sp, v;
	const uint8_t *p = r->code + off;

	if (++r->steps > STEPS_MAX || off >= r->n) {
		r->gave_up = off >= r->n ? r->gave_up : true;
		uc_emu_stop(uc);
		return;
	}
	uc_reg_read(uc, UC_X86_REG_RSP, &sp);
	if (off == r->plan->entry.offset)
		check_entry(uc, r, sp);
	for (size_t i = 0; i < r->plan->return_count; i++) {
		if (off != r->plan->returns[i].offset)
			continue;
		r->returns++;
		uc_reg_read(uc, UC_X86_REG_RAX, &r->rax_at_return);
		if (sp + r->plan->returns[i].sp_bytes != r->sp0)
			r->wrong = true;
	}
	if (p[0] == 0xc3 || (p[0] == 0xf3 && p[1] == 0xc3)) {
		r->returned = true;
		uc_reg_read(uc, UC_X86_REG_RAX, &v);
		if (v != r->rax_at_return)
			r->wrong = true;
		uc_emu_stop(uc);
	} else if (p[0] == 0xe8 || (p[0] == 0xff && (p[1] & 0x38) == 0x10) ||
		   (p[0] == 0x41 && p[1] == 0xff && (p[2] & 0x38) == 0x10)) {
		static const int clobbered[] = {UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX,
						UC_X86_REG_RSI, UC_X86_REG_RDI, UC_X86_REG_R8};

		for (size_t i = 0; i < 6; i++) {
			v = rng() & 1 ? rng() & 3 : rng();
			uc_reg_write(uc, clobbered[i], &v);
		}
		v = addr + size;
		uc_reg_write(uc, UC_X86_REG_RIP, &v);
	} else if ((p[0] & 0xf0) == 0x70 || (p[0] == 0x0f && (p[1] & 0xf0) == 0x80)) {
		v = rng() & 0x8d5; /* CF PF AF ZF SF OF as they come */
		uc_reg_write(uc, UC_X86_REG_EFLAGS, &v);
	}
}

/* Wild pointers read as noise, so that a path goes on; the function's own code is what counts. */
static bool on_bad_memory(uc_engine *uc, uc_mem_type type, uint64_t addr, int size, int64_t value,
			  void *arg)
{
	struct run *r = arg;
	uint64_t page = addr & ~0xfffull;

	(void)value;
	if (type == UC_MEM_FETCH_UNMAPPED || type == UC_MEM_FETCH_PROT || page >> 47) {
		r->gave_up = true;
		return false;
	}
	return uc_mem_map(uc, page, (uint64_t)(size > 4096 ? 0x4000 : 0x2000), UC_PROT_ALL) ==
		       UC_ERR_OK ||
	       uc_mem_map(uc, page, 0x1000, UC_PROT_ALL) == UC_ERR_OK;
}

static void run_once(struct run *r)
{
	uc_engine *uc;
	uc_hook h1, h2;
	uint64_t v = RETURN_ADDR;

	assert_int_equal(uc_open(UC_ARCH_X86, UC_MODE_64, &uc), UC_ERR_OK);
	uc_mem_map(uc, CODE_ADDR, CODE_BYTES, UC_PROT_ALL);
	uc_mem_map(uc, DATA_ADDR, DATA_BYTES, UC_PROT_ALL);
	uc_mem_write(uc, CODE_ADDR, r->code, r->n);
	r->sp0 = DATA_ADDR + DATA_BYTES - 0x1000;
	uc_reg_write(uc, UC_X86_REG_RSP, &r->sp0);
	uc_mem_write(uc, r->sp0, &v, sizeof(v));
	for (size_t i = 0; i < 6; i++) {
		r->args[i] = i < 3 ? DATA_ADDR + (rng() & 0xfff00) : rng();
		uc_reg_write(uc, arg_regs[i], &r->args[i]);
	}
	v = DATA_ADDR + 0x100000;
	uc_reg_write(uc, UC_X86_REG_FS_BASE, &v);
	uc_hook_add(uc, &h1, UC_HOOK_CODE, (void *)on_insn, r, CODE_ADDR, CODE_ADDR + CODE_BYTES);
	uc_hook_add(uc, &h2, UC_HOOK_MEM_UNMAPPED, (void *)on_bad_memory, r, 1, 0);
	uc_emu_start(uc, CODE_ADDR, RETURN_ADDR, 0, STEPS_MAX);
	uc_close(uc);
}

struct tally {
	unsigned int functions, inside, returned_runs;
};

static void check_function(const char *name, const uint8_t *code, size_t n, struct tally *t)
{
	struct site_plan plan;

	site_find(code, n, ARGS, &plan);
	t->functions++;
	if (plan.kind != PLAN_INSIDE)
		return;
	t->inside++;
	for (unsigned int i = 0; i < RUNS_PER_FUNCTION; i++) {
		struct run r = {.code = code, .n = n, .plan = &plan};

		run_once(&r);
		if (r.wrong || r.entries > 1 || (r.returned && (r.entries != 1 || r.returns != 1)))
			fail_msg("%s: entries %u returns %u returned %d wrong %d", name, r.entries,
				 r.returns, r.returned, r.wrong);
		t->returned_runs += r.returned;
	}
}

static uint8_t *slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p;
	long size;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	assert_true(size > 0);
	rewind(f);
	p = malloc((size_t)size);
	assert_non_null(p);
	assert_int_equal(fread(p, 1, (size_t)size, f), (size_t)size);
	fclose(f);
	*n = (size_t)size;
	return p;
}

/* Every `step`th exported function, straight from the section headers of a trusted file. */
static void check_library(const char *path, unsigned int step, struct tally *t)
{
	size_t n;
	uint8_t *file = slurp(path, &n);
	const Elf64_Ehdr *eh = (const void *)file;
	const Elf64_Shdr *sh = (const void *)(file + eh->e_shoff);
	unsigned int k = 0;

	for (unsigned int s = 0; s < eh->e_shnum; s++) {
		const Elf64_Sym *sym = (const void *)(file + sh[s].sh_offset);

		if (sh[s].sh_type != SHT_DYNSYM)
			continue;
		for (size_t i = 0; i < sh[s].sh_size / sizeof(*sym); i++) {
			const char *name =
				(const char *)file + sh[sh[s].sh_link].sh_offset + sym[i].st_name;
			const Elf64_Shdr *text = &sh[sym[i].st_shndx];

			if (ELF64_ST_TYPE(sym[i].st_info) != STT_FUNC ||
			    sym[i].st_shndx == SHN_UNDEF || sym[i].st_size == 0 || k++ % step)
				continue;
			check_function(name,
				       file + text->sh_offset + (sym[i].st_value - text->sh_addr),
				       sym[i].st_size, t);
		}
	}
	free(file);
}

static void report(const char *what, const struct tally *t)
{
	print_message("%s: %u functions, %u with sites inside, %u runs returned\n", what,
		      t->functions, t->inside, t->returned_runs);
}

static void test_libssl(void **state)
{
	struct tally t = {0};

	(void)state;
	check_library("/usr/lib/x86_64-linux-gnu/libssl.so.3", 1, &t);
	report("libssl", &t);
	assert_true(t.inside >= 3); /* SSL_read, SSL_write and SSL_peek at least */
	assert_true(t.returned_runs >= t.inside);
}

static void test_libgnutls(void **state)
{
	struct tally t = {0};

	(void)state;
	check_library("/usr/lib/x86_64-linux-gnu/libgnutls.so.30", 1, &t);
	report("libgnutls", &t);
	assert_true(t.functions > 500);
	assert_true(t.returned_runs >= t.inside);
}

static void test_libcrypto(void **state)
{
	struct tally t = {0};

	(void)state;
	check_library("/usr/lib/x86_64-linux-gnu/libcrypto.so.3", 4, &t);
	report("libcrypto", &t);
	assert_true(t.functions > 500);
	assert_true(t.returned_runs >= t.inside);
}

/* Random bytes, and real prologues with random tails: a plan, whatever it is, holds. */
static void test_random_code(void **state)
{
	static const uint8_t start[] = {0x48, 0x83, 0xec, 0x18, 0x85, 0xd2, 0x78, 0x05};
	struct tally t = {0};
	uint8_t code[96];

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		for (size_t k = 0; k < sizeof(code); k++)
			code[k] = (uint8_t)(rng() >> 24);
		memcpy(code, start, sizeof(start));
		for (size_t k = 16; k < sizeof(code); k += 1 + rng() % 24)
			code[k] = 0xc3;
		check_function("random", code, sizeof(code), &t);
	}
	report("random", &t);
}

static void plan_of(const char *hex, struct site_plan *plan)
{
	uint8_t code[128];
	size_t n = 0;

	for (; hex[0] && hex[1] && n < sizeof(code); hex += 2) {
		unsigned int b;

		assert_int_equal(sscanf(hex, "%2x", &b), 1);
		code[n++] = (uint8_t)b;
	}
	site_find(code, n, SITE_ARGS_ALL, plan);
}

static void test_by_hand(void **state)
{
	struct site_plan p;

	(void)state;
	/* push rbp; ret: the first instruction is emulated, nothing better exists */
	plan_of("55c3", &p);
	assert_int_equal(p.kind, PLAN_ENTRY);
	assert_true(p.cheap);
	/* sub rsp,8; test edx,edx; js +4; add rsp,8; ret; js's target: the ret */
	plan_of("4883ec0885d278044883c408c3", &p);
	assert_int_equal(
		p.kind,
		PLAN_ENTRY); /* js leads to ret directly and by add: eax not final? it is, but
					       * the entry's own jcc would serve twice: entry and return */
	/* sub rsp,8; test; js over the xor; xor eax,eax; jmp +0; add rsp,8; ret: js and jmp */
	plan_of("4883ec0885d2780231c0eb004883c408c3", &p);
	assert_int_equal(p.kind, PLAN_INSIDE);
	assert_int_equal(p.entry.offset, 6);
	assert_int_equal(p.returns[0].offset, 10);
	/* the same with the xor after the jmp: rax changes after the site */
	plan_of("4883ec0885d27800eb0031c04883c408c3", &p);
	assert_int_equal(p.kind, PLAN_ENTRY);
	/* mov edi,1 first: an argument changes before anything emulated */
	plan_of("bf01000000e800000000eb00c3", &p);
	assert_int_equal(p.kind, PLAN_ENTRY);
	assert_non_null(p.why);
	/* an indirect jump ends the proof */
	plan_of("4883ec0885d27802ffe090c3", &p);
	assert_int_equal(p.kind, PLAN_ENTRY);
	/* loop back to the start: the entry site would be hit twice */
	plan_of("4883ec0085d278f875f6eb00c3", &p);
	assert_int_equal(p.kind, PLAN_ENTRY);
	/* sub rsp,8; call +0; (eax) cmp eax,1; jmp +0; add rsp,8; ret: call and jmp are the sites */
	plan_of("4883ec08e80000000083f801eb004883c408c3", &p);
	assert_int_equal(p.kind, PLAN_INSIDE);
	assert_int_equal(p.entry.offset, 4);
	assert_int_equal(p.entry.sp_bytes, 8);
	assert_int_equal(p.return_count, 1);
	assert_int_equal(p.returns[0].offset, 12);
	assert_int_equal(p.returns[0].sp_bytes, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),	    cmocka_unit_test(test_libssl),
		cmocka_unit_test(test_libgnutls),   cmocka_unit_test(test_libcrypto),
		cmocka_unit_test(test_random_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
