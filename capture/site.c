/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a discovered file owns.
 */
#include "capture/site.h"

#include <stdlib.h>
#include <string.h>

void tls_file_clear(struct tls_file *f)
{
	free(f->open_path);
	free(f->shown_path);
	free(f->version);
	free(f->build_id);
	free(f->sites);
	free(f->missing);
	memset(f, 0, sizeof(*f));
}
