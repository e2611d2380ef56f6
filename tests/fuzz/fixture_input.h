/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inputs of fuzz targets as segments: an octet that says what it is, one for its length, and the octets.
 * A fixture (tests/unit/proto_fixture.h) becomes such an input, a line of bytes a segment.
 */
#ifndef TLSLENS_TESTS_FIXTURE_INPUT_H
#define TLSLENS_TESTS_FIXTURE_INPUT_H

#include <ctype.h>

#include "core/buf.h"

#define HOW_READ 0x80
#define HOW_GAP 0x40
#define HOW_CALL 0x20 /* a call begins */

static inline int input_hex(const uint8_t *p)
{
	static const char digits[] = "0123456789abcdef";
	const char *a = p[0] ? strchr(digits, tolower(p[0])) : NULL;
	const char *b = p[1] ? strchr(digits, tolower(p[1])) : NULL;

	return a && b ? (int)(a - digits) << 4 | (int)(b - digits) : -1;
}

/* Octets of a line: in hex, or text with escapes; what is not understood is taken as it stands. */
static inline size_t input_octets(uint8_t *out, size_t cap, bool in_hex, const uint8_t *p, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n && k < cap; i++) {
		bool escape = !in_hex && p[i] == '\\' && i + 1 < n;
		size_t at = escape && p[i + 1] == 'x' ? i + 2 : i;
		int v = (in_hex || at != i) && at + 1 < n ? input_hex(p + at) : -1;

		if (in_hex && p[i] == '#')
			break;
		if (v >= 0) {
			out[k++] = (uint8_t)v;
			i = at + 1;
		} else if (escape) {
			i++;
			out[k++] = p[i] == 'r' ? '\r' : p[i] == 'n' ? '\n' : p[i];
		} else if (!in_hex) {
			out[k++] = p[i];
		}
	}
	return k;
}

static inline bool input_is_fixture(const uint8_t *p, size_t n)
{
	return n > 1 && p[0] && strchr("#><.", p[0]) && (p[1] == ' ' || p[1] == ':');
}

/* Appends the segments of a fixture. */
static inline void input_segments(struct buf *out, const uint8_t *p, size_t n)
{
	while (n && !(n >= 3 && memcmp(p, "---", 3) == 0)) {
		const uint8_t *lf = memchr(p, '\n', n);
		size_t line = lf ? (size_t)(lf - p) : n, k = 0;
		uint8_t octets[255];

		if (line > 2 && (p[0] == '>' || p[0] == '<')) {
			k = input_octets(octets, sizeof(octets), p[1] == ':', p + 2, line - 2);
			buf_putc(out,
				 (p[0] == '<' ? HOW_READ : 0) | (p[1] == '~' ? HOW_GAP : HOW_CALL));
			buf_putc(out, (uint8_t)k);
			buf_put(out, octets, k);
		}
		p += line + !!lf;
		n -= line + !!lf;
	}
}

#endif
