/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TLSLENS_CLI_HOST_H
#define TLSLENS_CLI_HOST_H

#include <stdbool.h>

/*
 * Whether the ids of processes mean here what they mean to the kernel side. In a pid namespace of its own (a
 * container without the host's) they do not, and no process could be found by its number.
 */
bool host_pids(void);

#endif
