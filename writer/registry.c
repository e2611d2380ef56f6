/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The writers there are. A new one is its file and a line here. */
#include "writer/writer.h"

#include <string.h>

const struct writer_ops *const writer_rows[] = {
	&writer_text,	      &writer_json, &writer_otlp_json, &writer_pcapng, &writer_summary,
	&writer_summary_json, NULL,
};

const struct writer_ops *writer_by_name(const char *name)
{
	for (const struct writer_ops *const *w = writer_rows; *w; w++)
		if (strcmp((*w)->name, name) == 0)
			return *w;
	return NULL;
}
