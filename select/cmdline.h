/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secrets in the arguments of a command: passwords given to options, headers given to HTTP clients,
 * URLs with a user in front. Which names are secret is the table of core/secrets.h.
 */
#ifndef TLSLENS_SELECT_CMDLINE_H
#define TLSLENS_SELECT_CMDLINE_H

#include "core/buf.h"
#include "core/slice.h"

struct secret_rules; /* core/secrets.h */

/*
 * Appends the command line with each secret as `***`; true when there was one. Arguments are separated by NULs,
 * which stay, or by spaces; as a space may also be part of one, a doubtful end of a secret is the later one.
 */
bool cmdline_redact(const struct secret_rules *rules, struct buf *out, struct str line);

#endif
