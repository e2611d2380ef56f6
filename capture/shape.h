/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of a library that is linked into a file without any symbol, found by what strip cannot remove: the
 * names and codes that they hand to the library's error queue, and who calls whom. A shape is a table of clues;
 * nothing outside a table knows a library. A function is found when it alone fits its clue.
 *
 * What is found is likely, not certain: probes on it must prove at run time that they see TLS (COOKIE_UNPROVEN).
 */
#ifndef TLSLENS_CAPTURE_SHAPE_H
#define TLSLENS_CAPTURE_SHAPE_H

#include "capture/elf.h"

#define SHAPE_REASONS_MAX 4
#define SHAPE_CLUES_MAX 32 /* of one shape */
#define SHAPE_COPIES_MAX 3
#define SHAPE_FOUND_MAX (SHAPE_CLUES_MAX * SHAPE_COPIES_MAX)
#define SHAPE_FUNCS_MAX 1024		/* functions looked at in one file */
#define SHAPE_CODE_MAX_BYTES (8u << 20) /* of them together */
#define SHAPE_NEAR_BYTES \
	4096u /* how far apart functions of one source file begin that belong together */

enum shape_trait {
	SHAPE_ANY = 0,
	SHAPE_YES,
	SHAPE_NO,
};

/* Every field that is set must fit. `calls` and `called_by` name clues that stand above. */
struct shape_clue {
	const char *name;   /* of the function */
	const char *symbol; /* the row's function that it is; NULL: it only leads to others */
	const char *file;   /* it refers to a source file whose name ends so; NULL: it need not */
	const char *says; /* and to this text: its name, as the error queue gets it; needs `file` */
	bool says_only;	  /* and to the `says` of no other clue */
	uint8_t copies;	  /* as many may fit, being alike: the compiler inlined it there; 0: one */
	uint16_t reasons[SHAPE_REASONS_MAX];	 /* it raises errors of these codes; 0-terminated */
	uint16_t reasons_not[SHAPE_REASONS_MAX]; /* but none of these */
	const char *calls, *called_by;
	enum shape_trait stores; /* does it write memory other than its own stack? */
	enum shape_trait locked; /* has it an atomic instruction? */
	uint8_t args;		 /* the last argument that it uses; 0: any */
};

struct shape {
	const char *name; /* of the library, for people */
	uint8_t reason_arg; /* which argument of the error functions is the code; 0: they are not asked */
	const struct shape_clue
		*clues; /* terminated by name == NULL; the first one's file is the marker */
};

extern const struct shape shape_openssl, shape_boringssl;

struct shape_found {
	const struct shape_clue *clue;
	uint64_t addr, size;
};

/*
 * Fills v, of SHAPE_FOUND_MAX, with what was found of clues with a symbol. Returns how many, 0 when the file does
 * not hold the library, or holds nothing of it that can be told; then *why, static, is the reason, or NULL for
 * the former. Negative errno: -ENOMEM, -ENOTSUP (only x86-64 is known), an error of reading.
 */
int shape_find(struct elf_file *e, const struct shape *shape, struct shape_found *v,
	       const char **why);

#endif
