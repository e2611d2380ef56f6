/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose packets these are, as the text of interfaces and comments. What is not known is left out; names
 * are made safe. An identity may be NULL; errors are those of the buffer.
 */
#ifndef TLSLENS_WRITER_PCAPNG_WHO_H
#define TLSLENS_WRITER_PCAPNG_WHO_H

#include "core/buf.h"
#include "identity/identity.h"

/* comm[pid] or comm[pid]@container: what filters on `frame.interface_name` look for. */
void pcapng_put_iface_name(struct buf *b, const struct identity *id);
void pcapng_put_iface_description(struct buf *b, const struct identity *id);
/* "pid=… comm=… container=… pod=… ", the words of a packet's comment. */
void pcapng_put_owner(struct buf *b, const struct identity *id);

#endif
