/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The extents of .eh_frame (Linux Standard Base, "Exception Frames"); what unwinding does with them is skipped.
 */
#include "capture/unwind_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cursor.h"

#define ENC_SIZE_4 0x03
#define ENC_SIZE_8 0x04
#define ENC_SIZE_MASK 0x07
#define ENC_SIGNED 0x08
#define ENC_PCREL 0x10
#define ENC_APPLICATION_MASK 0x70
#define ENC_NONE 0xff /* not one that compilers use for this */
#define LEB128_MAX_BYTES 10
#define HEADER_BYTES 8 /* of .eh_frame_hdr, up to the pointer to the table */
#define HEADER_POINTER_AT 4
#define HEADER_VERSION 1

struct reading {
	struct cursor c; /* over the section */
	uint64_t addr;	 /* of it */
	size_t cie;	 /* the CIE looked at last, and how its FDEs write pointers */
	uint8_t enc;
};

static void skip_leb128(struct cursor *c)
{
	size_t n = 0;

	while (cursor_u8(c) & 0x80)
		if (++n == LEB128_MAX_BYTES)
			c->failed = true;
}

/* A pointer of this encoding; `at` is where it stands. */
static uint64_t read_encoded(struct cursor *c, uint8_t enc, uint64_t at)
{
	uint64_t v = (enc & ENC_SIZE_MASK) == ENC_SIZE_4 ? cursor_u32le(c) : cursor_u64le(c);

	if ((enc & ENC_SIZE_MASK) == ENC_SIZE_4 && enc & ENC_SIGNED)
		v = (uint64_t)(int64_t)(int32_t)v;
	return enc & ENC_PCREL ? v + at : v;
}

static bool is_readable(uint8_t enc)
{
	uint8_t size = enc & ENC_SIZE_MASK;

	return (size == ENC_SIZE_4 || size == ENC_SIZE_8 || size == 0) && !(enc & 0x80) &&
	       ((enc & ENC_APPLICATION_MASK) == ENC_PCREL || !(enc & ENC_APPLICATION_MASK));
}

/* How the FDEs of a CIE write pointers: what follows 'R' in its augmentation. */
static uint8_t pointer_encoding(struct cursor c)
{
	const char *augmentation;
	uint8_t version, enc = 0, personality;
	size_t n = 0;

	cursor_skip(&c, 8); /* length, id */
	version = cursor_u8(&c);
	augmentation = (const char *)c.pos;
	while (n < UNWIND_AUGMENTATION_MAX && cursor_u8(&c))
		n++;
	if (!cursor_ok(&c) || n == UNWIND_AUGMENTATION_MAX)
		return ENC_NONE;
	skip_leb128(&c); /* code alignment */
	skip_leb128(&c); /* data alignment */
	if (version == 1)
		cursor_u8(&c);
	else
		skip_leb128(&c); /* register of the return address */
	if (*augmentation == 'z')
		skip_leb128(&c);
	for (const char *p = augmentation; *p && cursor_ok(&c); p++) {
		if (*p == 'R')
			enc = cursor_u8(&c);
		else if (*p == 'L')
			cursor_u8(&c);
		else if (*p == 'P' && is_readable(personality = cursor_u8(&c)))
			read_encoded(&c, personality, 0);
		else if (!strchr("zSBP", *p))
			return ENC_NONE;
	}
	return cursor_ok(&c) && is_readable(enc) ? enc : ENC_NONE;
}

static int add(struct unwind_table *t, uint64_t start, uint64_t size)
{
	size_t cap = t->cap ? 2 * t->cap : 1024;
	struct unwind_extent *v;

	if (!size || start + size < start || t->count >= UNWIND_EXTENTS_MAX)
		return 0;
	if (t->count == t->cap) {
		v = realloc(t->v, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		t->v = v;
		t->cap = cap;
	}
	t->v[t->count++] = (struct unwind_extent){start, start + size};
	return 0;
}

/* One entry; -ENOENT at the end. */
static int read_entry(struct reading *r, struct unwind_table *t)
{
	size_t id_at, cie;
	uint32_t length = cursor_u32le(&r->c), id;
	struct cursor entry, cie_entry = r->c;
	uint64_t start, size;

	if (!cursor_ok(&r->c) || !length || length == UINT32_MAX)
		return -ENOENT;
	id_at = cursor_offset(&r->c);
	entry = cursor_sub(&r->c, length);
	id = cursor_u32le(&entry);
	if (!cursor_ok(&entry))
		return -ENOENT;
	if (!id || id > id_at) /* a CIE: read when an FDE asks for it */
		return 0;
	cie = id_at - id;
	if (cie != r->cie) {
		r->cie = cie;
		cursor_seek(&cie_entry, cie);
		r->enc = pointer_encoding(cie_entry);
	}
	if (r->enc == ENC_NONE)
		return 0;
	start = read_encoded(&entry, r->enc, r->addr + id_at + 4);
	size = read_encoded(&entry, r->enc & ENC_SIZE_MASK, 0);
	return add(t, start, cursor_ok(&entry) ? size : 0);
}

static int by_start(const void *a, const void *b)
{
	const struct unwind_extent *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

int unwind_table_parse(const void *p, size_t n, uint64_t addr, struct unwind_table *t)
{
	struct reading r = {.c = cursor_init(p, n), .addr = addr, .cie = SIZE_MAX};
	int rc = 0;

	*t = (struct unwind_table){0};
	while (!rc)
		rc = read_entry(&r, t);
	if (rc == -ENOMEM) {
		unwind_table_free(t);
		return rc;
	}
	if (t->count)
		qsort(t->v, t->count, sizeof(*t->v), by_start);
	return 0;
}

/* Without section headers: by .eh_frame_hdr, as linkers write it. The table says itself where it ends. */
static int read_by_header(struct elf_file *e, struct unwind_table *t)
{
	uint64_t header = elf_unwind_header(e), addr;
	uint8_t head[HEADER_BYTES], *p = NULL;
	struct elf_span span;
	struct cursor c;
	int n = 0;

	if (!header || elf_read(e, header, head, sizeof(head)) != sizeof(head) ||
	    head[0] != HEADER_VERSION || head[1] != (ENC_PCREL | ENC_SIGNED | ENC_SIZE_4))
		return unwind_table_parse(NULL, 0, 0, t);
	c = cursor_init(head, sizeof(head));
	cursor_skip(&c, HEADER_POINTER_AT);
	addr = read_encoded(&c, head[1], header + HEADER_POINTER_AT);
	for (size_t i = 0; !p && elf_segment(e, i, &span); i++)
		if (addr - span.addr < span.size && span.size <= ELF_SECTION_MAX_BYTES)
			p = malloc(span.size);
	if (p)
		n = elf_read(e, addr, p, span.size - (addr - span.addr));
	n = unwind_table_parse(p, n > 0 ? (size_t)n : 0, addr, t);
	free(p);
	return n;
}

int unwind_table_read(struct elf_file *e, struct unwind_table *t)
{
	uint64_t addr = elf_section_address(e, ".eh_frame");
	size_t n = 0;
	const void *p = addr ? elf_section(e, ".eh_frame", &n) : NULL;

	return p ? unwind_table_parse(p, n, addr, t) : read_by_header(e, t);
}

const struct unwind_extent *unwind_table_at(const struct unwind_table *t, uint64_t addr)
{
	size_t lo = 0, hi = t->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->v[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && addr < t->v[lo - 1].end ? &t->v[lo - 1] : NULL;
}

void unwind_table_free(struct unwind_table *t)
{
	free(t->v);
	*t = (struct unwind_table){0};
}
