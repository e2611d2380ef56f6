/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transactions as text that a person can read and a test can compare. */
#ifndef TLSLENS_TESTS_TXN_DUMP_H
#define TLSLENS_TESTS_TXN_DUMP_H

#include "core/buf.h"
#include "core/txn.h"

/* Printable ASCII as it is, the rest and the backslash as \r \n \t \\ \xNN; long runs of one octet as \*N{c}. */
void dump_bytes(struct buf *b, struct str s);

/*
 * GET https://h/a -> 200 ok
 *   http/1.1 client tid 1, request 0 response 13 lost 0, flags -
 *   at 1 1 2 2                        (start, request end, response start, end; only with `times`)
 *   url.path: /a
 *   tlslens.request.headers:
 *     Host: h
 */
void dump_txn(struct buf *b, const struct txn *t, bool times);

#endif
