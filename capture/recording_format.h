/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The head of a recording, as it stands in the file; what follows is told in capture/recording.h. */
#ifndef TLSLENS_CAPTURE_RECORDING_FORMAT_H
#define TLSLENS_CAPTURE_RECORDING_FORMAT_H

#include <stdint.h>

#define RECORDING_MAGIC "TLSLENS\n"
#define RECORDING_BYTE_ORDER 0x1234
#define RECORDING_HEAD_MAX_BYTES 4096
#define RECORDING_TEXT                                                             \
	"tlslens recording: decrypted traffic, unredacted. Keep it to yourself.\n" \
	"Read it with: tlslens replay FILE\n"

struct recording_head {
	char magic[8];
	uint16_t version;
	uint16_t byte_order;
	uint32_t len; /* of the whole head; the first record follows */
	char text[112];
};

_Static_assert(sizeof(struct recording_head) == 128, "no padding in the file");
_Static_assert(sizeof(RECORDING_TEXT) <= sizeof(((struct recording_head *)0)->text), "text fits");

#endif
