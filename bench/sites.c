/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the breakpoints go in the libraries named, as the table of docs/sites.md: `sites FILE...`. */
#include <stdio.h>
#include <string.h>

#include "bpf/cookie.h"
#include "capture/discover.h"
#include "capture/tls_libs.h"

static void put_row(const struct tls_file *f, const struct site *s)
{
	static const char *const costs[] = {
		[SITE_CHEAP_INSIDE] = "inside",
		[SITE_CHEAP_ENTRY] = "first instruction, emulated",
		[SITE_STEPPED] = "first instruction, **stepped**",
	};
	const char *slash = strrchr(f->shown_path, '/');

	printf("| %s | %s | `%s` | %s", slash ? slash + 1 : f->shown_path,
	       f->version ? f->version : tls_libs[f->lib].name, site_function(s),
	       costs[site_cost(s)]);
	if (site_cost(s) == SITE_CHEAP_INSIDE)
		printf(": +%u, returns %zu", s->plan.entry.offset, s->plan.return_count);
	printf(" | %s |\n", site_cost(s) == SITE_STEPPED && s->plan.why ? s->plan.why : "");
}

int main(int argc, char **argv)
{
	struct discovery d = {0};

	printf("| file | version | function | breakpoints | why not cheaper |\n");
	printf("|---|---|---|---|---|\n");
	for (int i = 1; i < argc; i++)
		discover_file(argv[i], argv[i], &d);
	for (size_t i = 0; i < d.count; i++) {
		for (size_t k = 0; k < d.files[i].site_count; k++) {
			const struct site *s = &d.files[i].sites[k];

			if (COOKIE_KIND(s->cookie) <= FN_PEEK)
				put_row(&d.files[i], s);
		}
	}
	discovery_clear(&d);
	return 0;
}
