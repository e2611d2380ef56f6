/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/proto.h"

const struct limits limits_default = {
	.body_bytes = 0,
	.header_bytes = 256 << 10,
	.headers = 1000,
	.pipeline = 1000,
	.streams = 4096,
	.continuation_frames = 256,
};
