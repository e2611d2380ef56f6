/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/txn_dump.h"

#include <inttypes.h>

#define RUN_MIN 16 /* so many equal octets are written as a run */

static void dump_octet(struct buf *b, uint8_t c)
{
	static const char special[] = "\r\n\t\\";
	static const char letter[] = "rnt\\";
	const char *at = c ? strchr(special, c) : NULL;

	if (at)
		buf_printf(b, "\\%c", letter[at - special]);
	else if (c < 0x20 || c >= 0x7f)
		buf_printf(b, "\\x%02x", c);
	else
		buf_putc(b, c);
}

void dump_bytes(struct buf *b, struct str s)
{
	for (size_t i = 0, run; i < s.n; i += run) {
		for (run = 1; i + run < s.n && s.p[i + run] == s.p[i]; run++)
			;
		if (run >= RUN_MIN)
			buf_printf(b, "\\*%zu{", run);
		else
			run = 1;
		dump_octet(b, (uint8_t)s.p[i]);
		if (run > 1)
			buf_putc(b, '}');
	}
}

static void dump_flags(struct buf *b, unsigned int flags)
{
	static const char *const names[] = {
		"lost-request", "lost-response", "late",  "no-request",
		"no-response",	"ambiguous",	 "limit", "unknown-headers",
		"early",	"cut-request",
	};
	const char *sep = "";

	if (!flags)
		buf_putc(b, '-');
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (flags & 1u << i) {
			buf_printf(b, "%s%s", sep, names[i]);
			sep = ",";
		}
	}
}

static void dump_header(struct buf *b, const struct header *h)
{
	buf_puts(b, h->trailer ? "    (trailer) " : "    ");
	if (h->name.p)
		dump_bytes(b, h->name);
	else
		buf_puts(b, "(unknown)");
	buf_puts(b, ":");
	if (h->value.n)
		buf_putc(b, ' ');
	if (h->value.p)
		dump_bytes(b, h->value);
	else
		buf_puts(b, h->oversize ? " (oversize)" : " (unknown)");
	if (h->never_indexed)
		buf_puts(b, " (never indexed)");
	if (h->ref)
		buf_printf(b, " (entry %" PRId64 ")", h->ref);
	buf_putc(b, '\n');
}

static void dump_attr(struct buf *b, const struct attr *a)
{
	buf_printf(b, "  %s:", a->name);
	switch (a->type) {
	case ATTR_STR:
	case ATTR_BYTES:
	case ATTR_JSON:
		buf_putc(b, ' ');
		dump_bytes(b, a->str);
		break;
	case ATTR_INT:
		buf_printf(b, " %" PRId64, a->num);
		break;
	case ATTR_BOOL:
		buf_puts(b, a->flag ? " true" : " false");
		break;
	case ATTR_STRS:
		for (uint32_t i = 0; i < a->count; i++) {
			buf_putc(b, ' ');
			dump_bytes(b, a->strs[i]);
		}
		break;
	case ATTR_HEADERS:
		buf_putc(b, '\n');
		for (uint32_t i = 0; i < a->count; i++)
			dump_header(b, &a->headers[i]);
		return;
	}
	buf_putc(b, '\n');
}

void dump_txn(struct buf *b, const struct txn *t, bool times)
{
	static const char *const outcomes[] = {"unknown",      "ok",	       "redirect",
					       "client-error", "server-error", "aborted"};
	static const char *const roles[] = {"unknown", "client", "server"};

	dump_bytes(b, t->verb.n ? t->verb : STR("-"));
	buf_putc(b, ' ');
	dump_bytes(b, t->target.n ? t->target : STR("-"));
	if (t->gist.n) {
		buf_puts(b, " = ");
		dump_bytes(b, t->gist);
	}
	buf_puts(b, " -> ");
	dump_bytes(b, t->status.n ? t->status : STR("-"));
	buf_printf(b, " %s\n  %s/%s %s", outcomes[t->outcome], t->proto_name,
		   t->proto_version ? t->proto_version : "-", roles[t->role]);
	if (t->has_stream)
		buf_printf(b, " stream %" PRIu64, t->stream_id);
	buf_printf(b, " tid %u, request %" PRIu64 " response %" PRIu64 " lost %" PRIu64 ", flags ",
		   t->tid, t->request_body_bytes, t->response_body_bytes, t->lost_bytes);
	dump_flags(b, t->flags);
	if (times)
		buf_printf(b, "\n  at %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, t->start_ns,
			   t->request_end_ns, t->response_start_ns, t->end_ns);
	buf_putc(b, '\n');
	for (uint32_t i = 0; i < t->attr_count; i++)
		dump_attr(b, &t->attrs[i]);
}
