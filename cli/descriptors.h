/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the file of --proto-descriptors. */
#ifndef TLSLENS_CLI_DESCRIPTORS_H
#define TLSLENS_CLI_DESCRIPTORS_H

#include "parsers/protobuf_types.h"

/* *types is then the caller's. -EBADMSG: no descriptors; -EFBIG: over PB_DESCRIPTOR_BYTES_MAX; or an errno. */
int descriptors_read(struct pb_types **types, const char *path);

#endif
