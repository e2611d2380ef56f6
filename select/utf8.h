/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UTF-8 over untrusted bytes (RFC 3629): what is not well-formed is told apart, never guessed.
 */
#ifndef TLSLENS_SELECT_UTF8_H
#define TLSLENS_SELECT_UTF8_H

#include "core/slice.h"

struct utf8_char {
	uint32_t cp;
	uint8_t n;  /* bytes it takes, at least 1 */
	bool valid; /* false: n bytes are ill-formed, one replacement stands for them; cp is 0 */
};

/*
 * The character at p, of which n > 0 bytes are there. An ill-formed sequence is as long as its maximal
 * subpart (Unicode 15, section 3.9, U+FFFD substitution), as web browsers replace it.
 */
struct utf8_char utf8_next(const uint8_t *p, size_t n);

bool utf8_valid(struct str s);

#endif
