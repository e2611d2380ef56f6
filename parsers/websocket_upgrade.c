/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the response that opened the WebSocket agreed on: Sec-WebSocket-Extensions (RFC 6455 section 9.1). */
#include "core/attr_names.h"
#include "parsers/websocket.h"

/* Takes what stands before the separator, without the blanks around it. */
static struct str take(struct str *s, char separator)
{
	const char *at = s->n ? memchr(s->p, separator, s->n) : NULL;
	struct str part = {s->p, at ? (size_t)(at - s->p) : s->n};
	size_t used = part.n + (at != NULL);

	if (used) {
		s->p += used;
		s->n -= used;
	}
	while (part.n && (part.p[0] == ' ' || part.p[0] == '\t')) {
		part.p++;
		part.n--;
	}
	while (part.n && (part.p[part.n - 1] == ' ' || part.p[part.n - 1] == '\t'))
		part.n--;
	return part;
}

/* permessage-deflate and its parameters (RFC 7692 section 7.1); window sizes make no difference to us. */
static void agree(struct ws_codec codecs[DIR_COUNT], struct str params, enum dir client)
{
	for (int d = 0; d < DIR_COUNT; d++) {
		codecs[d].kind = WS_DEFLATE;
		codecs[d].takeover = true;
	}
	while (params.n) {
		struct str param = take(&params, ';'), name = take(&param, '=');

		if (str_ieq(name, STR("client_no_context_takeover")))
			codecs[client].takeover = false;
		else if (str_ieq(name, STR("server_no_context_takeover")))
			codecs[dir_other(client)].takeover = false;
	}
}

static void set_both(struct ws_codec codecs[DIR_COUNT], int kind)
{
	for (int d = 0; d < DIR_COUNT; d++)
		codecs[d].kind = kind;
}

void ws_negotiated(struct ws_codec codecs[DIR_COUNT], const struct txn *upgrade, enum dir client)
{
	const struct attr *a = upgrade ? txn_attr(upgrade, A_RESPONSE_HEADERS) : NULL;

	set_both(codecs, WS_NOT_KNOWN);
	if (!a || a->type != ATTR_HEADERS ||
	    upgrade->flags & (TXN_LIMIT | TXN_LOST_RESPONSE | TXN_UNKNOWN_HEADERS))
		return;
	set_both(codecs, WS_PLAIN);
	for (uint32_t i = 0; i < a->count; i++) {
		struct str value = a->headers[i].value;

		if (!str_ieq(a->headers[i].name, STR("sec-websocket-extensions")))
			continue;
		while (value.n) {
			struct str extension = take(&value, ','), name = take(&extension, ';');

			if (str_ieq(name, STR("permessage-deflate"))) {
				agree(codecs, extension, client);
			} else if (name.n) {
				set_both(codecs, WS_NOT_KNOWN);
				return;
			}
		}
	}
}
