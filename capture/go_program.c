/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Build information as in Go's debug/buildinfo, the table of functions by section or, where the section headers
 * are gone, by looking for its header.
 */
#include "capture/go_program.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/site_find.h"
#include "core/cursor.h"

#define BUILDINFO_SECTION ".go.buildinfo"
#define BUILDINFO_INLINE 2 /* since 1.18: the strings follow at STRINGS_AT */
#define BUILDINFO_FLAGS_AT 15
#define BUILDINFO_STRINGS_AT 32
#define BUILDINFO_POINTER_AT 16
#define VERSION_MAX_BYTES 128
#define TABLE_ALIGN 8
#define READ_FUNCTION "crypto/tls.(*Conn).Read"
#define CODE_MAX_BYTES (64u << 10)
#define TABLES_MAX 16 /* looked at where section headers are gone */

static const char *const table_sections[] = {".gopclntab", ".data.rel.ro.gopclntab"};

bool go_is_program(struct elf_file *e)
{
	return elf_has_section(e, BUILDINFO_SECTION) || elf_has_section(e, table_sections[0]) ||
	       elf_has_section(e, table_sections[1]);
}

/* A length in base 128, as encoding/binary writes it. */
static uint64_t read_varint(struct cursor *c)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t b = cursor_u8(c);

		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return v;
	}
	c->failed = true;
	return 0;
}

static char *version_text(const uint8_t *p, size_t n)
{
	if (!p || !n || n > VERSION_MAX_BYTES)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (!isprint(p[i]))
			return NULL;
	return strndup((const char *)p, n);
}

/* Before 1.18: the address of a Go string, that is of a pointer and a length. */
static char *version_by_pointer(struct elf_file *e, uint64_t at)
{
	uint8_t text[VERSION_MAX_BYTES];
	uint64_t string, chars, n;

	if (elf_pointer(e, at + BUILDINFO_POINTER_AT, &string) < 0 ||
	    elf_pointer(e, string, &chars) < 0 ||
	    elf_read(e, string + sizeof(chars), &n, sizeof(n)) != sizeof(n) || n > sizeof(text) ||
	    elf_read(e, chars, text, n) != (int)n)
		return NULL;
	return version_text(text, n);
}

char *go_version(struct elf_file *e)
{
	static const uint8_t magic[] = "\xff Go buildinf:";
	size_t n = 0, length;
	const uint8_t *p = elf_section(e, BUILDINFO_SECTION, &n);
	struct cursor c = cursor_init(p, n);
	const uint8_t *head = cursor_bytes(&c, BUILDINFO_STRINGS_AT);

	if (!head || memcmp(head, magic, sizeof(magic) - 1) != 0)
		return NULL;
	if (!(head[BUILDINFO_FLAGS_AT] & BUILDINFO_INLINE))
		return version_by_pointer(e, elf_section_address(e, BUILDINFO_SECTION));
	length = read_varint(&c);
	return version_text(cursor_bytes(&c, length), length);
}

/* The text's address: relocated, or not in the header at all (then the text is the section's beginning). */
static void find_text(struct elf_file *e, struct gopclntab *t, uint64_t table)
{
	uint64_t text;

	if (t->version == GOPCLNTAB_1_16)
		return;
	if (elf_pointer(e, table + GOPCLNTAB_TEXT_AT, &text) == 0 && text)
		t->text = text;
	else
		t->text = elf_section_address(e, ".text");
}

struct search {
	struct elf_file *e;
	struct go_func *funcs;
	size_t count, tables;
	int result; /* -ENOENT until a table was found */
};

/* Not every magic number begins a table: its functions must be code. */
static bool is_table_of(struct elf_file *e, struct gopclntab *t, uint64_t addr,
			struct go_func *funcs, size_t count)
{
	find_text(e, t, addr);
	if (gopclntab_find(t, funcs, count) < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (funcs[i].size && !elf_is_code(e, funcs[i].addr))
			funcs[i].addr = funcs[i].size = 0;
	return true;
}

/* One that has none of the functions may be only what looks like a table; the search goes on. */
static bool search_segment(struct search *s, const struct elf_span *span)
{
	uint8_t *p =
		span->size <= ELF_SECTION_MAX_BYTES ? malloc(span->size ? span->size : 1) : NULL;
	int n = p ? elf_read(s->e, span->addr, p, span->size) : 0;
	struct gopclntab t;
	bool found = false;

	for (int at = 0; at < n && !found && s->tables < TABLES_MAX; at += TABLE_ALIGN) {
		if (gopclntab_open(&t, p + at, (size_t)(n - at)) < 0)
			continue;
		s->tables++;
		if (!is_table_of(s->e, &t, span->addr + (uint64_t)at, s->funcs, s->count))
			continue;
		s->result = 0;
		for (size_t i = 0; i < s->count; i++)
			found |= s->funcs[i].size != 0;
	}
	free(p);
	return found;
}

int go_find_functions(struct elf_file *e, struct go_func *funcs, size_t count)
{
	struct search s = {.e = e, .funcs = funcs, .count = count, .result = -ENOENT};
	struct gopclntab t;
	struct elf_span span;
	const void *p;
	size_t n;
	int err;

	for (size_t i = 0; i < count; i++)
		funcs[i].addr = funcs[i].size = 0;
	for (size_t i = 0; i < 2; i++) {
		p = elf_section(e, table_sections[i], &n);
		if (!p)
			continue;
		err = gopclntab_open(&t, p, n);
		if (err)
			return err;
		return is_table_of(e, &t, elf_section_address(e, table_sections[i]), funcs, count)
			       ? 0
			       : -EINVAL;
	}
	if (elf_has_sections(e))
		return s.result;
	for (size_t i = 0; elf_segment(e, i, &span); i++)
		if (!span.code && search_segment(&s, &span))
			break;
	return s.result;
}

/* What is wrong with the one function that every program with crypto/tls has; owned. */
static char *trouble_with(struct elf_file *e)
{
	struct elf_symbol sym = {.name = READ_FUNCTION};
	struct go_func f = {.name = READ_FUNCTION};
	struct site_plan plan = {.why = "is too long"};
	char *text = NULL;
	uint8_t *code;
	int err;

	elf_find_symbols(e, &sym, 1);
	f.addr = sym.addr;
	f.size = sym.size;
	err = f.addr ? 0 : go_find_functions(e, &f, 1);
	if (err == -ENOTSUP)
		return strdup("older than Go 1.17, whose register ABI is needed");
	if (err)
		return strdup("its table of functions (pclntab) is missing or damaged");
	if (!f.addr)
		return strdup("crypto/tls is not linked in");
	code = f.size <= CODE_MAX_BYTES ? malloc(f.size) : NULL;
	if (code && elf_read(e, f.addr, code, f.size) == (int)f.size)
		site_find_go(code, f.size, &plan);
	free(code);
	if (asprintf(&text, "%s %s", f.name, plan.why) < 0)
		return NULL;
	return text;
}

char *go_explain(struct elf_file *e)
{
	char *version, *trouble, *why = NULL;

	if (!go_is_program(e))
		return NULL;
	version = go_version(e);
	trouble = trouble_with(e);
	if (asprintf(&why, "a Go program (%s): %s", version ? version : "of unknown release",
		     trouble ? trouble : "no memory to look at it") < 0)
		why = NULL;
	free(trouble);
	free(version);
	return why;
}
