/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protocols small enough to reason about, that use every freedom core/proto.h gives a parser.
 *
 * toy: lines. It settles bytes itself, at the end of each line; a word after '=' is a secret.
 *   Q TARGET [a=SECRET]  request            R STATUS   response
 *   B N                  N bytes of body    U NAME     response, then the connection speaks NAME ("-": nothing)
 * toy-seek: the same, but finds the next line itself when joined late or out of step; hides what it skips.
 * toy-chat: what U leads to; each line is a transaction naming the request that led there.
 * toy-gram: datagrams beginning with D, a transaction each.
 * toy-loop: upgrades to itself for ever. A first byte X makes toy ask for more for ever.
 */
#ifndef TLSLENS_TESTS_TOY_H
#define TLSLENS_TESTS_TOY_H

#include "core/proto.h"

#define TOY_STALE_MS 10000 /* toy's tick() gives up on requests older than this */

extern const struct proto_ops *const toy_rows[];
extern const struct proto_ops *const toy_seek_rows[]; /* toy-seek alone */

#endif
