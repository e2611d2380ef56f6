/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parsers/dns_message.h"

#include <errno.h>

#include "parsers/dns_rdata.h"

#define FLAG_RESPONSE 0x8000
#define FLAG_ZERO 0x0040 /* reserved (RFC 1035 section 4.1.1) */

bool dns_record_read(struct cursor *c, struct dns_record *r)
{
	if (!dns_name_read(c, &r->owner))
		return false;
	r->type = cursor_u16(c);
	r->class = cursor_u16(c);
	r->ttl = cursor_u32(c);
	r->n = cursor_u16(c);
	r->data = *c;
	return cursor_skip(c, r->n);
}

int dns_message_read(struct dns_message *m, const uint8_t *p, size_t n)
{
	struct cursor c = cursor_init(p, n);
	struct dns_name other;

	*m = (struct dns_message){.p = p, .n = n};
	m->id = cursor_u16(&c);
	m->flags = cursor_u16(&c);
	m->response = m->flags & FLAG_RESPONSE;
	m->opcode = m->flags >> 11 & 0xf;
	m->questions = cursor_u16(&c);
	m->answers = cursor_u16(&c);
	m->authorities = cursor_u16(&c);
	m->additionals = cursor_u16(&c);
	for (unsigned int i = 0; i < m->questions && cursor_ok(&c); i++) {
		dns_name_read(&c, i ? &other : &m->name);
		if (i) {
			cursor_skip(&c, 4);
			continue;
		}
		m->type = cursor_u16(&c);
		m->class = cursor_u16(&c);
	}
	m->records_at = cursor_offset(&c);
	return cursor_ok(&c) ? 0 : -EBADMSG;
}

bool dns_message_same_question(const struct dns_message *a, const struct dns_message *b)
{
	if (!a->name.n || !b->name.n)
		return true;
	return a->type == b->type && a->class == b->class && dns_name_equal(&a->name, &b->name);
}

bool dns_message_opt(const struct dns_message *m, struct dns_record *opt)
{
	size_t records = (size_t)m->answers + m->authorities + m->additionals;
	struct cursor c = cursor_init(m->p, m->n);

	cursor_seek(&c, m->records_at);
	for (size_t i = 0; i < records && dns_record_read(&c, opt); i++)
		if (opt->type == DNS_TYPE_OPT && i >= (size_t)m->answers + m->authorities)
			return true;
	return false;
}

unsigned int dns_code(const struct dns_message *m)
{
	struct dns_record opt;

	return (m->flags & 0xf) | (dns_message_opt(m, &opt) ? opt.ttl >> 24 << 4 : 0);
}

/* Opcode, counts and bits as the programs of today send them. */
static bool plausible_head(const struct dns_message *m, size_t whole)
{
	size_t records = (size_t)m->answers + m->authorities + m->additionals;
	bool opcode = m->opcode == DNS_OPCODE_QUERY || m->opcode == 4 || m->opcode == 5;

	if (!opcode || m->flags & FLAG_ZERO || (m->flags & 0xf) > 11)
		return false;
	if (m->questions != 1 || whole < DNS_HEAD_BYTES + 5 + records * DNS_RECORD_BYTES_MIN)
		return false;
	if (m->response || m->opcode != DNS_OPCODE_QUERY)
		return true;
	/* a query holds no answer; IXFR an SOA in the authority section (RFC 1995 section 3) */
	return !(m->flags & 0x068f) && m->answers == 0 && m->authorities <= 1 &&
	       m->additionals <= 2;
}

static bool plausible_question(const struct dns_message *m)
{
	return (m->class >= 1 && m->class <= 4) || m->class == 254 || m->class == 255;
}

bool dns_plausible(const uint8_t *p, size_t have, size_t whole, bool *enough)
{
	size_t records;
	struct dns_message m;
	struct cursor c = cursor_init(p, have);
	struct dns_record r;
	int err;

	*enough = false;
	if (whole < DNS_HEAD_BYTES + 5)
		return false;
	if (have < DNS_HEAD_BYTES)
		return have < 6 || (p[4] == 0 && p[5] == 1 && !(p[3] & FLAG_ZERO));
	err = dns_message_read(&m, p, have);
	if (!plausible_head(&m, whole))
		return false;
	if (err) /* the longest question still fits into what is missing */
		return have < whole && have < DNS_HEAD_BYTES + DNS_NAME_MAX + 4;
	if (!plausible_question(&m))
		return false;
	records = (size_t)m.answers + m.authorities + m.additionals;
	cursor_seek(&c, m.records_at);
	for (size_t i = 0; i < records; i++) {
		if (dns_record_read(&c, &r))
			continue;
		/* one answer that is as it should be is enough of a long message */
		*enough = i > 0 && have < whole;
		return have < whole;
	}
	*enough = have >= whole;
	return whole == cursor_offset(&c) || (have < whole && m.response);
}
