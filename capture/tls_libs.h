/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TLS libraries: a row each. Nothing outside a row knows a library by name.
 */
#ifndef TLSLENS_CAPTURE_TLS_LIBS_H
#define TLSLENS_CAPTURE_TLS_LIBS_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/cookie.h"

/* How the address of a function is found. */
enum find_by {
	FIND_SYMBOL = 0, /* its own symbol */
	FIND_TABLE_SLOT =
		1, /* `symbol` returns the address of a constant table of pointers; the function
			      * is at index `slot` of it (BIO_METHOD of BIO_f_ssl) */
	FIND_RUST, /* its symbol without the hash at the end */
};

struct tls_func {
	const char *symbol;
	enum fn_kind kind;
	enum len_shape shape;
	uint8_t ctx_arg, buf_arg, len_arg, out_arg; /* 1..6, 0: none */
	bool required;				    /* the library is not this one without it */
	enum find_by find;
	uint8_t slot;
	bool known_only; /* of contexts whose FN_NEW was seen: it serves other things than TLS, too */
	const char *with; /* looked for only in files that define this symbol too, or NULL */
	const char *name; /* for people, where the symbol is not; else NULL */
	bool part; /* ctx_arg points to a pointer to a part of the context: bpf/uprobes/whole.h */
	uint8_t variant; /* taken only where this is the last argument that the code of the row's first
			  * function uses: how results come back differs; 0: always */
};

/* How its functions take their arguments: which programs serve it. */
enum tls_abi {
	ABI_C = 0,
	ABI_GO, /* registers of Go's own, since 1.17; goroutines instead of threads */
};

struct shape;

struct tls_lib {
	const char *name; /* `tlslens.tls.library` */
	const char *const *
		sonames; /* file name prefixes worth looking at in a linker cache, NULL-terminated */
	const struct tls_func *funcs; /* terminated by symbol == NULL */
	enum tls_abi abi;
	bool auxiliary;		  /* moves no plaintext: alone in a process it is no TLS library */
	const char *version_mark; /* what its version string begins with, before a digit, or NULL;
				   * one that begins with / is a part of a path */
	const struct shape *const
		*shapes; /* without symbols: capture/shape.h; NULL, or NULL-terminated */
};

/* Every row; the index is ev_data.lib. Terminated by name == NULL. */
extern const struct tls_lib tls_libs[];

#define TLS_LIB_GIVEN 63 /* functions of the command line: capture/given.h; no row */
/* The name of a row, or what stands for one. */
const char *tls_lib_name(unsigned int lib);
enum tls_abi tls_lib_abi(unsigned int lib);

/* For people. */
const char *tls_func_name(const struct tls_func *f);
uint64_t tls_func_cookie(unsigned int lib, unsigned int fn);

#endif
