/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layouts as in Go's debug/gosym/pclntab.go and runtime/symtab.go. The header is one magic number, two zero
 * octets, the instruction quantum and the word size, then words; functab is pairs of (entry, offset of the
 * function's own record) sorted by entry, closed by the end of the last function.
 */
#include "capture/gopclntab.h"

#include <errno.h>
#include <string.h>

#include "core/cursor.h"

#define MAGIC_1_2 0xfffffffbu
#define MAGIC_1_16 0xfffffffau
#define MAGIC_1_18 0xfffffff0u
#define MAGIC_1_20 0xfffffff1u
#define WORD_BYTES 8

static int version_of(uint32_t magic, enum gopclntab_version *v)
{
	switch (magic) {
	case MAGIC_1_2:
		return -ENOTSUP;
	case MAGIC_1_16:
		*v = GOPCLNTAB_1_16;
		return 0;
	case MAGIC_1_18:
		*v = GOPCLNTAB_1_18;
		return 0;
	case MAGIC_1_20:
		*v = GOPCLNTAB_1_20;
		return 0;
	default:
		return -ENOENT;
	}
}

/* Bytes of one number of functab: whole addresses at first, offsets of 32 bits later. */
static size_t number_bytes(const struct gopclntab *t)
{
	return t->version == GOPCLNTAB_1_16 ? 8 : 4;
}

static uint64_t read_number(const struct gopclntab *t, struct cursor *c)
{
	return t->version == GOPCLNTAB_1_16 ? cursor_u64le(c) : cursor_u32le(c);
}

int gopclntab_open(struct gopclntab *t, const void *p, size_t n)
{
	struct cursor c = cursor_init(p, n);
	uint32_t magic = cursor_u32le(&c);
	uint16_t zeros = cursor_u16le(&c);
	uint8_t quantum = cursor_u8(&c), word = cursor_u8(&c);
	int err;

	*t = (struct gopclntab){.p = p, .n = n};
	err = cursor_ok(&c) ? version_of(magic, &t->version) : -ENOENT;
	if (err)
		return err;
	if (zeros || (quantum != 1 && quantum != 2 && quantum != 4))
		return -ENOENT;
	if (word != WORD_BYTES)
		return -ENOTSUP;
	t->func_count = cursor_u64le(&c);
	cursor_u64le(&c); /* files */
	if (t->version != GOPCLNTAB_1_16)
		t->text = cursor_u64le(&c);
	t->names = cursor_u64le(&c);
	cursor_skip(&c, 3 * WORD_BYTES); /* compilation units, files, pc-value tables */
	t->functab = cursor_u64le(&c);
	if (!cursor_ok(&c) || !t->func_count || t->func_count > GOPCLNTAB_FUNCS_MAX ||
	    t->names > n || t->functab > n ||
	    (2 * t->func_count + 1) * number_bytes(t) > n - t->functab)
		return -EINVAL;
	return 0;
}

/* A cursor at the name in the record of a function; failed when that is not in the table. */
static struct cursor name_at(const struct gopclntab *t, uint64_t record)
{
	struct cursor c = cursor_init(t->p + t->functab, t->n - t->functab);
	struct cursor names = cursor_init(t->p + t->names, t->n - t->names);
	uint32_t at;

	cursor_seek(&c, record);
	cursor_skip(&c, number_bytes(t)); /* its entry once more */
	at = cursor_u32le(&c);
	cursor_seek(&names, at);
	names.failed |= !cursor_ok(&c);
	return names;
}

static bool is_named(struct cursor at, const char *name)
{
	size_t n = strlen(name) + 1;
	const uint8_t *p = cursor_bytes(&at, n);

	return p && memcmp(p, name, n) == 0;
}

int gopclntab_find(const struct gopclntab *t, struct go_func *funcs, size_t count)
{
	struct cursor c = cursor_init(t->p + t->functab, t->n - t->functab);
	uint64_t from = read_number(t, &c), to, record;
	struct cursor name;

	for (size_t i = 0; i < count; i++)
		funcs[i].addr = funcs[i].size = 0;
	for (uint64_t i = 0; i < t->func_count; i++, from = to) {
		record = read_number(t, &c);
		to = read_number(t, &c); /* where the next one begins */
		name = name_at(t, record);
		if (!cursor_ok(&c) || !cursor_ok(&name) || to < from)
			goto damaged;
		for (size_t k = 0; k < count; k++)
			if (!funcs[k].size && is_named(name, funcs[k].name)) {
				funcs[k].addr = t->text + from;
				funcs[k].size = to - from;
			}
	}
	return 0;
damaged:
	for (size_t i = 0; i < count; i++)
		funcs[i].addr = funcs[i].size = 0;
	return -EINVAL;
}
