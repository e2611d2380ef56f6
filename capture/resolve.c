/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks up the functions of a row: by symbol, or through a constant table of pointers that a
 * function returns. A missing optional function is noted and stops nothing.
 */
#include "capture/resolve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <Zydis/Zydis.h>
#endif

#include "capture/code.h"
#include "capture/go_program.h"
#include "capture/shape.h"
#include "capture/tls_libs.h"

#define FUNCS_MAX 64	      /* of a row */
#define TABLE_GETTER_BYTES 32 /* [endbr64] lea/mov, ret */
#define INSN_MAX_BYTES 15
#define CODE_MAX_BYTES (32u << 10) /* longer functions are probed at their first instruction */

static unsigned int func_count(const struct tls_lib *lib)
{
	unsigned int n = 0;

	while (n < FUNCS_MAX && lib->funcs[n].symbol)
		n++;
	return n;
}

#if defined(__x86_64__)
/* The constant that one instruction puts into rax, if that is all it does. */
static bool constant_in_rax(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op,
			    uint64_t at, uint64_t *value)
{
	ZydisRegister reg =
		op[0].type == ZYDIS_OPERAND_TYPE_REGISTER ? op[0].reg.value : ZYDIS_REGISTER_NONE;

	if (reg != ZYDIS_REGISTER_RAX && reg != ZYDIS_REGISTER_EAX)
		return false;
	if (in->mnemonic == ZYDIS_MNEMONIC_LEA && op[1].mem.base == ZYDIS_REGISTER_RIP)
		return ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(in, &op[1], at, value));
	if (in->mnemonic == ZYDIS_MNEMONIC_MOV && op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		*value = op[1].imm.value.u;
		return true;
	}
	return false;
}

/*
 * What a function that does nothing else returns: `lea table(%rip), %rax; ret` in
 * position-independent code, `mov $table, %eax; ret` elsewhere, after an optional endbr64.
 */
static int returned_address(struct elf_file *e, uint64_t func, uint64_t *value)
{
	uint8_t code[TABLE_GETTER_BYTES];
	int n = elf_read(e, func, code, sizeof(code)), at = 0;
	bool known = false;
	ZydisDecoder decoder;

	if (n < 0)
		return n;
	if (ZYAN_FAILED(
		    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		return -ENOTSUP;
	while (at < n) {
		ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
		ZydisDecodedInstruction in;

		if (ZYAN_FAILED(
			    ZydisDecoderDecodeFull(&decoder, code + at, (size_t)(n - at), &in, op)))
			return -ENOTSUP;
		if (in.mnemonic == ZYDIS_MNEMONIC_RET)
			return known ? 0 : -ENOTSUP;
		if (in.mnemonic != ZYDIS_MNEMONIC_ENDBR64) {
			if (known || !constant_in_rax(&in, op, func + (uint64_t)at, value))
				return -ENOTSUP;
			known = true;
		}
		at += in.length;
	}
	return -ENOTSUP;
}
#else
static int returned_address(struct elf_file *e, uint64_t func, uint64_t *value)
{
	(void)e;
	(void)func;
	(void)value;
	return -ENOTSUP;
}
#endif

/* The function at a slot of the table that `getter` returns, or 0. */
static uint64_t table_slot(struct elf_file *e, uint64_t getter, unsigned int slot)
{
	uint64_t table, func;

	if (!getter || returned_address(e, getter, &table) < 0 ||
	    elf_pointer(e, table + slot * sizeof(uint64_t), &func) < 0 || !elf_is_code(e, func))
		return 0;
	return func;
}

/*
 * A table with one slot that is no function has another shape than the row thinks: none of it is
 * used.
 */
static void drop_odd_tables(const struct tls_func *funcs, unsigned int n, uint64_t *addr)
{
	for (unsigned int i = 0; i < n; i++) {
		if (funcs[i].find != FIND_TABLE_SLOT || addr[i])
			continue;
		for (unsigned int k = 0; k < n; k++)
			if (funcs[k].find == FIND_TABLE_SLOT &&
			    strcmp(funcs[k].symbol, funcs[i].symbol) == 0)
				addr[k] = 0;
	}
}

/* What a Go program without symbols still knows: its own table of functions. Those found are put into syms. */
static void find_in_go_table(struct elf_file *e, struct elf_symbol *syms, unsigned int n)
{
	struct go_func funcs[FUNCS_MAX];

	if (!go_is_program(e) && elf_has_sections(e))
		return;
	for (unsigned int i = 0; i < n; i++)
		funcs[i].name = syms[i].name;
	if (go_find_functions(e, funcs, n) < 0)
		return;
	for (unsigned int i = 0; i < n; i++) {
		if (syms[i].addr || !funcs[i].addr)
			continue;
		syms[i].addr = funcs[i].addr;
		syms[i].size = funcs[i].size;
		syms[i].where = "pclntab";
	}
}

/* Which variants of its functions a file has, by the code of the first one; 0: there are none, or none is known. */
static int variant_of(struct elf_file *e, const struct tls_func *funcs, unsigned int n,
		      const struct elf_symbol *first)
{
	struct unwind_extent at = {first->addr, first->addr + first->size};
	int used = n && funcs[0].variant && first->addr ? code_arguments(e, &at) : 0;

	for (unsigned int i = 0; i < n && used > 0; i++)
		if (funcs[i].variant && used >> (funcs[i].variant - 1) == 1)
			return funcs[i].variant;
	return 0;
}

/*
 * Fills addr[i] for each function, 0 where there is none, skip[i] where none is to be expected,
 * and *where with the table that defines the first, which every row requires.
 */
static void find_functions(struct elf_file *e, const struct tls_lib *lib, unsigned int n,
			   uint64_t *addr, uint64_t *size, bool *skip, const char **where)
{
	const struct tls_func *funcs = lib->funcs;
	struct elf_symbol syms[2 * FUNCS_MAX];
	int variant;

	for (unsigned int i = 0; i < n; i++) {
		syms[i].name = funcs[i].symbol;
		syms[i].rust = syms[n + i].rust = funcs[i].find == FIND_RUST;
		syms[n + i].name = funcs[i].with ? funcs[i].with : funcs[i].symbol;
	}
	elf_find_symbols(e, syms, (size_t)2 * n);
	if (lib->abi == ABI_GO && n && !syms[0].addr)
		find_in_go_table(e, syms, n);
	variant = variant_of(e, funcs, n, &syms[0]);
	for (unsigned int i = 0; i < n; i++) {
		skip[i] = (funcs[i].with && !syms[n + i].addr) ||
			  (variant && funcs[i].variant && funcs[i].variant != variant);
		size[i] = funcs[i].find != FIND_TABLE_SLOT ? syms[i].size : 0;
		if (skip[i])
			addr[i] = 0;
		else if (funcs[i].variant && !variant)
			addr[i] = 0;
		else if (funcs[i].find == FIND_TABLE_SLOT)
			addr[i] = table_slot(e, syms[i].addr, funcs[i].slot);
		else
			addr[i] = syms[i].addr;
	}
	*where = n ? syms[0].where : NULL;
	drop_odd_tables(funcs, n, addr);
}

static enum site_role role_of(enum fn_kind kind)
{
	return kind == FN_FREE || kind == FN_RESET || kind == FN_WHOLE ? SITE_ENTRY : SITE_SESSION;
}

static void add_missing(struct tls_file *f, const char *symbol)
{
	for (size_t i = 0; i < f->missing_count; i++)
		if (strcmp(f->missing[i], symbol) == 0)
			return;
	f->missing[f->missing_count++] = (char *)symbol;
}

/* Two names of one function (identical code folded by a linker) get one probe. */
static bool has_offset(const struct tls_file *f, uint64_t offset)
{
	for (size_t i = 0; i < f->site_count; i++)
		if (f->sites[i].offset == offset)
			return true;
	return false;
}

/* What the cookie cannot carry is not used. */
static bool fits_cookie(const struct site_place *at)
{
	return at->sp_bytes <= COOKIE_SP_BYTES_MAX && at->sp_bytes % 8 == 0;
}

/*
 * Cheaper places than the first instruction, where the code proves them: of a function whose length is known.
 * Of another one only whether its first instruction is cheap.
 */
static void plan_site(struct elf_file *e, const struct tls_func *func, uint64_t addr, uint64_t size,
		      struct site *s)
{
#if defined(__x86_64__)
	const uint8_t used[] = {func->ctx_arg, func->buf_arg, func->len_arg, func->out_arg};
	uint64_t n = size && size <= CODE_MAX_BYTES ? size : INSN_MAX_BYTES;
	unsigned int args = 0;
	uint8_t *code;

	for (size_t i = 0; i < sizeof(used); i++)
		args |= used[i] ? 1u << (used[i] - 1) : 0;
	code = malloc(n);
	if (code && elf_read(e, addr, code, n) == (int)n)
		site_find(code, n, args, &s->plan);
	free(code);
	if (s->plan.kind == PLAN_ENTRY && s->plan.cheap)
		return;
	if (s->role == SITE_ENTRY)
		s->plan = (struct site_plan){.why = "is seen at its entry only"};
	else if (func->shape == LEN_RET_PAIR_IF_0)
		s->plan = (struct site_plan){.why = "returns in two registers"};
	else if (n != size)
		s->plan = (struct site_plan){.why = size ? "is too long" : "is of unknown length"};
	for (size_t i = 0; i <= s->plan.return_count; i++)
		if (!fits_cookie(i ? &s->plan.returns[i - 1] : &s->plan.entry))
			s->plan = (struct site_plan){.why = "has too large a frame"};
#else
	(void)e, (void)func, (void)addr, (void)size, (void)s;
#endif
}

/*
 * False: it must not be probed at all, as its returns cannot be seen without a return probe.
 */
static bool plan_go_site(struct elf_file *e, uint64_t addr, uint64_t size, struct site *s)
{
	uint8_t *code = size && size <= CODE_MAX_BYTES ? malloc(size) : NULL;
	bool ok = code && elf_read(e, addr, code, size) == (int)size &&
		  site_find_go(code, size, &s->plan);

	free(code);
	if (ok && s->role == SITE_ENTRY)
		s->plan.return_count = 0;
	return ok;
}

/* `name` is what it is called in the file where that differs, or NULL. */
static void add_site(struct elf_file *e, struct tls_file *f, unsigned int fn, uint64_t addr,
		     uint64_t size, const char *name)
{
	const struct tls_func *func = &tls_libs[f->lib].funcs[fn];
	uint64_t offset;

	if (!addr || elf_offset(e, addr, &offset) < 0) {
		add_missing(f, func->symbol);
		return;
	}
	if (has_offset(f, offset))
		return;
	f->sites[f->site_count++] = (struct site){
		.offset = offset,
		.cookie = tls_func_cookie(f->lib, fn),
		.role = role_of(func->kind),
		.name = name,
	};
	if (tls_lib_abi(f->lib) == ABI_C) {
		plan_site(e, func, addr, size, &f->sites[f->site_count - 1]);
	} else if (!plan_go_site(e, addr, size, &f->sites[f->site_count - 1])) {
		f->site_count--;
		add_missing(f, func->symbol);
	}
}

char *resolve_version(struct elf_file *e, const struct tls_lib *lib)
{
	char *version = elf_find_version(e, lib->version_mark);

	if (version && *version == '/') {
		memmove(version, version + 1, strlen(version));
		version[strcspn(version, "/")] = '\0';
	}
	return version;
}

static bool has_required(const struct tls_file *f, const struct tls_func *funcs)
{
	for (size_t i = 0; i < f->missing_count; i++)
		for (unsigned int k = 0; funcs[k].symbol; k++)
			if (funcs[k].required && strcmp(funcs[k].symbol, f->missing[i]) == 0)
				return false;
	return true;
}

/* A file with room for its sites. */
static int make_file(unsigned int lib, const char *found_by, size_t sites, struct tls_file *made)
{
	made->lib = lib;
	made->found_by = found_by;
	made->site_count = made->missing_count = 0;
	made->sites = calloc(sites, sizeof(*made->sites));
	made->missing = calloc(sites, sizeof(*made->missing));
	if (made->sites && made->missing)
		return 0;
	free(made->sites);
	free(made->missing);
	return -ENOMEM;
}

int resolve_sites(struct elf_file *e, unsigned int lib, struct tls_file *f)
{
	const struct tls_lib *row = &tls_libs[lib];
	unsigned int n = func_count(row);
	struct tls_file made = *f;
	uint64_t addr[FUNCS_MAX], size[FUNCS_MAX];
	bool skip[FUNCS_MAX];
	const char *where;

	find_functions(e, row, n, addr, size, skip, &where);
	for (unsigned int i = 0; i < n; i++)
		if (row->funcs[i].required && !skip[i] && !addr[i])
			return -ENOENT;
	if (make_file(lib, where, n, &made) < 0)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++)
		if (!skip[i])
			add_site(e, &made, i, addr[i], size[i], NULL);
	if (!has_required(&made, row->funcs)) {
		free(made.sites);
		free(made.missing);
		return -ENOENT;
	}
	made.version = row->abi == ABI_GO  ? go_version(e)
		       : row->version_mark ? resolve_version(e, row)
					   : NULL;
	made.build_id = elf_build_id(e);
	*f = made;
	return 0;
}

static unsigned int index_of(const struct tls_lib *row, const char *symbol)
{
	unsigned int fn = 0;

	while (row->funcs[fn].symbol && strcmp(row->funcs[fn].symbol, symbol) != 0)
		fn++;
	return fn;
}

static bool moves_plaintext(const struct tls_file *f)
{
	for (size_t i = 0; i < f->site_count; i++)
		if (COOKIE_KIND(f->sites[i].cookie) == FN_WRITE ||
		    COOKIE_KIND(f->sites[i].cookie) == FN_READ)
			return true;
	return false;
}

static void add_found(struct elf_file *e, const struct shape *shape,
		      const struct shape_found *found, int n, struct tls_file *f)
{
	const struct tls_lib *row = &tls_libs[f->lib];

	for (int i = 0; i < n; i++)
		add_site(e, f, index_of(row, found[i].clue->symbol), found[i].addr, found[i].size,
			 found[i].clue->name);
	for (size_t i = 0; i < f->site_count; i++)
		f->sites[i].cookie |= COOKIE_UNPROVEN;
	for (const struct shape_clue *c = shape->clues; c->name; c++) {
		bool has = !c->symbol;

		for (int i = 0; i < n && !has; i++)
			has = strcmp(found[i].clue->name, c->name) == 0;
		if (!has)
			add_missing(f, c->name);
	}
}

/* The version may be that of another library in the same file: the shape was found, so its name counts. */
static char *version_of(const struct shape *shape, const char *version)
{
	return strdup(version && strncmp(version, shape->name, strlen(shape->name)) == 0
			      ? version
			      : shape->name);
}

int resolve_shapes(struct elf_file *e, unsigned int lib, struct tls_file *f, const char **name,
		   const char **why)
{
	const struct tls_lib *row = &tls_libs[lib];
	char *version = row->shapes && row->version_mark ? resolve_version(e, row) : NULL;
	struct tls_file made = *f;
	int rc = -ENOENT;

	for (size_t i = 0; row->shapes && row->shapes[i] && rc == -ENOENT && !*why; i++) {
		struct shape_found found[SHAPE_FOUND_MAX];
		int n = shape_find(e, row->shapes[i], found, why);

		*name = row->shapes[i]->name;
		if (n <= 0)
			continue;
		rc = make_file(lib, TLS_FOUND_BY_SHAPE, SHAPE_FOUND_MAX, &made);
		if (rc < 0)
			break;
		add_found(e, row->shapes[i], found, n, &made);
		made.version = version_of(row->shapes[i], version);
		made.build_id = elf_build_id(e);
		if (moves_plaintext(&made))
			continue;
		tls_file_clear(&made);
		*why = "none that moves plaintext";
		rc = -ENOENT;
	}
	free(version);
	if (rc == 0)
		*f = made;
	return rc;
}
