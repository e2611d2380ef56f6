/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The protocol rows, for the registry and for unit tests. */
#ifndef TLSLENS_PARSERS_ROWS_H
#define TLSLENS_PARSERS_ROWS_H

#include "core/proto.h"

extern const struct proto_ops proto_http1;
extern const struct proto_ops proto_http2;
extern const struct proto_ops proto_dns_stream;
extern const struct proto_ops proto_dns; /* datagrams */
extern const struct proto_ops proto_websocket;

#endif
