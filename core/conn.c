/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/conn.h"

const char *peer_source_name(enum peer_source s)
{
	static const char *const names[] = {
		[PEER_UNKNOWN] = "unknown", [PEER_NESTED] = "nested", [PEER_CACHED] = "cached",
		[PEER_RECORD] = "record",   [PEER_KERNEL] = "kernel",
	};

	return (size_t)s < sizeof(names) / sizeof(names[0]) ? names[s] : "unknown";
}
