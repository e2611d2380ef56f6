/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading ELF files that anybody may have written: 64-bit, this machine's byte order and
 * architecture. Addresses are those of the file's own program headers (before relocation), offsets
 * are in the file. A damaged file yields errors and absent symbols, never a crash.
 */
#ifndef TLSLENS_CAPTURE_ELF_H
#define TLSLENS_CAPTURE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file;

#define ELF_SECTION_MAX_BYTES (256u << 20) /* larger ones are not looked at */

/*
 * The descriptor is borrowed until elf_close(). -ENOEXEC: no ELF file of this machine; -ENOMEM;
 * else the error of reading.
 */
int elf_open(struct elf_file **e, int fd);
void elf_close(struct elf_file *e);

/* A symbol to look for; addr and size are 0 when the file does not define it. */
struct elf_symbol {
	const char *name; /* borrowed */
	bool rust;	  /* a hash and E follow the name, as rustc mangles it */
	uint64_t addr;
	uint64_t size;	   /* as the symbol says; 0 when it does not */
	const char *where; /* static: the table that defines it, or NULL */
	int rank;	   /* private to elf.c: how good the definition found is */
};

/*
 * Looks all of them up in one pass over .dynsym and .symtab, also of what elf_add_symbols() gave. An exported definition wins over a
 * global one of .symtab, that over a local one. Only definitions inside executable segments count.
 */
void elf_find_symbols(struct elf_file *e, struct elf_symbol *syms, size_t count);
/* Does the file have any function symbol of its own? False for a stripped static executable. */
bool elf_has_symbols(struct elf_file *e);
/* Does it ask for any of these symbols from other files? */
bool elf_imports(struct elf_file *e, const char *const *names);
/* Has it PT_INTERP, that is, does a dynamic linker load its libraries? */
bool elf_has_interpreter(struct elf_file *e);
bool elf_has_section(struct elf_file *e, const char *name);

/* The content of a section, borrowed from e; NULL when it has none or it is too large. */
const void *elf_section(struct elf_file *e, const char *name, size_t *n);
/* Where it is loaded; 0 when there is none. */
uint64_t elf_section_address(struct elf_file *e, const char *name);
/* False when the section headers were removed, too. */
bool elf_has_sections(struct elf_file *e);
/*
 * Takes the symbol table of another file that describes this one: elf_find_symbols() sees it from now on,
 * where it names code of this file. Owns the descriptor in any case. 0, -ENOEXEC, -ENOMEM, -EEXIST.
 */
int elf_add_symbols(struct elf_file *e, int fd);

/* Where what finds .eh_frame at run time is loaded (PT_GNU_EH_FRAME); 0: there is none. */
uint64_t elf_unwind_header(const struct elf_file *e);
/* A loaded segment, as far as it is in the file. */
struct elf_span {
	uint64_t addr, size;
	bool code, writable;
};
/* The i-th one; false: there are no more. */
bool elf_segment(const struct elf_file *e, size_t i, struct elf_span *span);

/* File offset of an address; -ENOENT when no loaded segment holds it or it is not in the file. */
int elf_offset(struct elf_file *e, uint64_t addr, uint64_t *offset);
bool elf_is_code(struct elf_file *e, uint64_t addr);
/* Does a file offset lie in code that is loaded? */
bool elf_is_code_offset(struct elf_file *e, uint64_t offset);
/*
 * Bytes at an address as the file has them, unrelocated: how many of n are there, or a negative
 * errno.
 */
int elf_read(struct elf_file *e, uint64_t addr, void *p, size_t n);
/*
 * The pointer stored at an address, as relocated by the dynamic linker to a place in this same
 * file.
 */
int elf_pointer(struct elf_file *e, uint64_t addr, uint64_t *value);

/* Hex, owned by the caller; NULL when it has none. */
char *elf_build_id(struct elf_file *e);
/* The first prefix in .rodata with a MAJOR.MINOR.PATCH after it, both; owned, or NULL. */
char *elf_find_version(struct elf_file *e, const char *prefix);
/*
 * Calls fn for each string of the dynamic section with this tag (DT_NEEDED, DT_RPATH, DT_RUNPATH
 * ...), borrowed for the call. A non-zero result of fn ends the walk and is returned.
 */
int elf_each_dynamic(struct elf_file *e, int64_t tag, int (*fn)(void *arg, const char *s),
		     void *arg);

#endif
