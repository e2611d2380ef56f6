/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * .eh_frame, behind a first entry that is whole, so that mutations reach the entries that refer to it.
 */
#include <stdlib.h>
#include <string.h>

#include "capture/unwind_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t cie[] = {0x14, 0,	  0,	0, 0,	 0,    0, 0, 1, 'z', 'R', 0,
				      1,    0x78, 0x10, 1, 0x1b, 0x0c, 7, 8, 0, 0,   0,	  0};
	uint8_t *section = malloc(sizeof(cie) + n);
	struct unwind_table t;

	if (!section)
		abort();
	memcpy(section, cie, sizeof(cie));
	memcpy(section + sizeof(cie), p, n);
	if (unwind_table_parse(section, sizeof(cie) + n, 0x1000, &t) < 0)
		abort();
	for (size_t i = 0; i < t.count; i++)
		if (t.v[i].start >= t.v[i].end || (i && t.v[i - 1].start > t.v[i].start))
			abort();
	if (t.count && !unwind_table_at(&t, t.v[t.count - 1].end - 1))
		abort();
	unwind_table_free(&t);
	free(section);
	return 0;
}
