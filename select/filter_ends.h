/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a filter asks of addresses and ports, so that the bytes of streams that cannot fit need not be copied. It
 * is necessary, never sufficient: whatever fits passes, and the filter itself decides.
 */
#ifndef TLSLENS_SELECT_FILTER_ENDS_H
#define TLSLENS_SELECT_FILTER_ENDS_H

#include "capture/source.h"
#include "select/filter.h"

/* False: the filter asks for nothing of that kind (or for too much). */
bool filter_ends(const struct filter *f, struct ends_wanted *out);

#endif
