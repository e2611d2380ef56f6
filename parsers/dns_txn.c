/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parsers/dns_txn.h"

#include "core/attr_names.h"
#include "parsers/dns_rdata.h"

#define GIST_ANSWERS_MAX 4

struct txn *dns_txn_new(const struct conn *conn, const struct dns_message *m, const char *transport)
{
	struct txn *t = txn_new(conn);

	if (!t)
		return NULL;
	t->event_name = "dns.exchange";
	t->proto_name = "dns";
	t->verb = dns_verb(&t->arena, m);
	t->target = dns_target(&t->arena, m);
	txn_str(t, A_DNS_TRANSPORT, str_from(transport));
	return t;
}

void dns_txn_query(struct txn *t, const struct dns_message *m)
{
	t->request_body_bytes = m->n;
	dns_describe(t, m->p, m->n);
}

static enum outcome outcome_of(unsigned int code)
{
	switch (code) {
	case 0:
		return OUTCOME_OK;
	case 2: /* SERVFAIL */
	case 4: /* NOTIMP */
		return OUTCOME_SERVER_ERROR;
	default:
		return OUTCOME_CLIENT_ERROR;
	}
}

/* The data of an answer of the type asked for; of any type as "CNAME www." when everything was. */
static struct str gist_of(struct str answer, struct str type)
{
	if (answer.n > type.n && answer.p[type.n] == ' ' && memcmp(answer.p, type.p, type.n) == 0)
		return (struct str){answer.p + type.n + 1, answer.n - type.n - 1};
	return str_eq(type, STR("ANY")) ? answer : STR_NONE;
}

/* The answer in a few words: "192.0.2.1, 192.0.2.2", "(none)", "(truncated)". */
static void add_gist(struct txn *t, const struct dns_message *m)
{
	const struct attr *answers = txn_attr(t, A_DNS_ANSWERS);
	const struct attr *type = txn_attr(t, A_DNS_QUESTION_TYPE);
	uint32_t found = 0;
	struct buf b = {0};

	for (uint32_t i = 0; answers && type && i < answers->count; i++) {
		struct str s = gist_of(answers->strs[i], type->str);

		if (!s.p || ++found > GIST_ANSWERS_MAX)
			continue;
		buf_puts(&b, b.n ? ", " : "");
		buf_put(&b, s.p, s.n);
	}
	if (found > GIST_ANSWERS_MAX)
		buf_printf(&b, " and %u more", found - GIST_ANSWERS_MAX);
	if (m->flags & DNS_FLAG_TRUNCATED)
		buf_puts(&b, b.n ? " (truncated)" : "(truncated)");
	else if (!found && !dns_code(m) && m->opcode == DNS_OPCODE_QUERY)
		buf_puts(&b, "(none)");
	if (b.n && buf_ok(&b))
		t->gist = arena_str(&t->arena, b.p, b.n);
	buf_free(&b);
}

void dns_txn_answer(struct txn *t, const struct dns_message *m)
{
	t->response_body_bytes = m->n;
	t->status = dns_code_text(&t->arena, m);
	t->outcome = outcome_of(dns_code(m));
	dns_describe(t, m->p, m->n);
	add_gist(t, m);
	if (t->outcome != OUTCOME_OK)
		txn_str(t, A_ERROR_TYPE, t->status);
}

/* The name asked for and its aliases, the last one found at the end. */
struct chain {
	struct dns_name name;
	uint32_t ttl_s; /* the least of them */
	unsigned int links;
};

static void follow(struct chain *ch, struct dns_record *r)
{
	struct dns_name next;

	if (ch->links >= DNS_CHAIN_MAX || !dns_name_read(&r->data, &next))
		return;
	ch->links++;
	ch->name = next;
	ch->ttl_s = r->ttl < ch->ttl_s ? r->ttl : ch->ttl_s;
}

static void tell(struct proto_sink *sink, const struct chain *ch, struct dns_record *r,
		 struct resolved *found)
{
	bool v4 = r->type == DNS_TYPE_A && r->n == 4, v6 = r->type == DNS_TYPE_AAAA && r->n == 16;

	if (!v4 && !v6)
		return;
	found->family = v4 ? ADDR_IPV4 : ADDR_IPV6;
	found->addr = cursor_bytes(&r->data, r->n);
	found->ttl_s = r->ttl < ch->ttl_s ? r->ttl : ch->ttl_s;
	sink->ops->resolved(sink, found);
}

void dns_txn_resolved(const struct txn *t, struct proto_sink *sink, const struct dns_message *m)
{
	struct chain ch = {.name = m->name, .ttl_s = UINT32_MAX};
	struct cursor c = cursor_init(m->p, m->n);
	struct resolved found = {.ts_ns = t->end_ns};
	struct buf name = {0};
	struct dns_record r;

	if (!sink->ops->resolved || t->role != ROLE_CLIENT ||
	    t->flags & (TXN_NO_REQUEST | TXN_AMBIGUOUS) || !m->name.n || dns_code(m))
		return;
	for (size_t i = 0; i < m->name.n; i++)
		ch.name.octets[i] = dns_lower(ch.name.octets[i]);
	dns_name_text(&name, &ch.name, false);
	found.name = (struct str){(const char *)name.p, name.n};
	cursor_seek(&c, m->records_at);
	for (unsigned int i = 0; buf_ok(&name) && i < m->answers && dns_record_read(&c, &r); i++) {
		if (r.class != DNS_CLASS_IN || !dns_name_equal(&r.owner, &ch.name))
			continue;
		if (r.type == DNS_TYPE_CNAME)
			follow(&ch, &r);
		else
			tell(sink, &ch, &r, &found);
	}
	buf_free(&name);
}
