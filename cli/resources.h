/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attributes of where the program runs (cloud, cluster, service): pairs that every JSON object gets, from
 * --resource and from OTEL_RESOURCE_ATTRIBUTES.
 */
#ifndef TLSLENS_CLI_RESOURCES_H
#define TLSLENS_CLI_RESOURCES_H

#include "writer/writer.h"

#define RESOURCES_MAX 64

/* Zeroed, it is empty. Names and values are owned. */
struct resources {
	struct resource v[RESOURCES_MAX];
	size_t count;
};

/*
 * One "name=value"; a name that is there already gets the new value. `encoded`: %XX in the value are octets,
 * as in the environment variable. -EINVAL: no name, one with other characters than letters, digits and
 * "._-/", or one that transactions have themselves; -ENOSPC, -ENOMEM.
 */
int resources_add(struct resources *r, const char *pair, size_t n, bool encoded);
/*
 * All of a list "name=value,name=value" whose names are not there yet. When one is bad the list is refused, as
 * the OpenTelemetry specification asks, and r is as it was.
 */
int resources_add_list(struct resources *r, const char *list);
void resources_free(struct resources *r);

#endif
