/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of functions that every Go program carries for its own stack traces (runtime.pclntab): their names
 * and addresses are in it however the file was stripped. Of anybody's making: a damaged table yields errors,
 * never a crash.
 */
#ifndef TLSLENS_CAPTURE_GOPCLNTAB_H
#define TLSLENS_CAPTURE_GOPCLNTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GOPCLNTAB_HEADER_BYTES 72
#define GOPCLNTAB_FUNCS_MAX \
	(4u << 20)	     /* functions of one program; larger tables are not believed */
#define GOPCLNTAB_TEXT_AT 24 /* where in the header the text's address stands */

/* The layouts, named by the release that brought them. */
enum gopclntab_version {
	GOPCLNTAB_1_16, /* also of 1.17: absolute addresses */
	GOPCLNTAB_1_18, /* offsets from the beginning of the text */
	GOPCLNTAB_1_20, /* the same with another magic number */
};

struct gopclntab {
	const uint8_t *p; /* borrowed */
	size_t n;
	enum gopclntab_version version;
	uint64_t func_count;
	uint64_t names, functab; /* offsets of these parts */
	uint64_t text; /* address that the entries count from, as the header says; 0: it does not */
};

struct go_func {
	const char *name;    /* borrowed: the one to look for */
	uint64_t addr, size; /* 0 when it is not there */
};

/*
 * Reads the header. 0, -ENOENT: it is no such table; -ENOTSUP: it is older than Go 1.16, or of another word size;
 * -EINVAL: it is damaged.
 */
int gopclntab_open(struct gopclntab *t, const void *p, size_t n);
/* Looks all of them up in one pass. -EINVAL: the table is damaged, and nothing of it is believed. */
int gopclntab_find(const struct gopclntab *t, struct go_func *funcs, size_t count);

#endif
