/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Go's table of functions. The first octet chooses a magic number, the rest is the table behind it, so that
 * mutations get past the header; what is found must lie within what the table says.
 */
#include <stdlib.h>
#include <string.h>

#include "capture/gopclntab.h"

#define HEAD_BYTES 8

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t magics[] = {0xfb, 0xfa, 0xf0, 0xf1};
	uint8_t head[HEAD_BYTES] = {0, 0xff, 0xff, 0xff, 0, 0, 1, 8};
	struct go_func f[] = {{.name = ""}, {.name = "main.main"}};
	struct gopclntab t;
	uint8_t *table;

	if (!n)
		return 0;
	head[0] = magics[p[0] % sizeof(magics)];
	table = malloc(HEAD_BYTES + n - 1);
	if (!table)
		abort();
	memcpy(table, head, HEAD_BYTES);
	memcpy(table + HEAD_BYTES, p + 1, n - 1);
	if (gopclntab_open(&t, table, HEAD_BYTES + n - 1) == 0) {
		if (t.functab > t.n || t.names > t.n)
			abort();
		if (gopclntab_find(&t, f, 2) < 0 && (f[0].size || f[1].size))
			abort();
	}
	free(table);
	return 0;
}
