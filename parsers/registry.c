/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The protocols: a row each, asked in this order. */
#include "parsers/rows.h"

const struct proto_ops *const proto_rows[] = {
	&proto_http1, &proto_http2, &proto_dns_stream, &proto_dns, &proto_websocket, NULL,
};

const struct proto_ops *proto_by_name(const char *name)
{
	for (size_t i = 0; proto_rows[i]; i++)
		if (strcmp(proto_rows[i]->name, name) == 0)
			return proto_rows[i];
	return NULL;
}
