/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compiles the sources of tests/fixtures/elf into a directory of the test.
 */
#ifndef TLSLENS_TESTS_ELF_BUILDER_H
#define TLSLENS_TESTS_ELF_BUILDER_H

#include <stddef.h>

/*
 * A fresh directory under $TMPDIR; removed with all it holds by scratch_remove(). Fails the test.
 */
void scratch_make(char *dir, size_t size);
void scratch_remove(const char *dir);

/*
 * Runs the compiler with these arguments, in the directory; "@" before a name is
 * tests/fixtures/elf/.
 */
void compile(const char *dir, const char *const args[]);
/* Copies a file, following links. */
void copy_to(const char *from, const char *to);
/* Runs a program found in PATH and fails the test when it does not end with 0. */
void run_program(const char *dir, const char *const args[]);

#endif
