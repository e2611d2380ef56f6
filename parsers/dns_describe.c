/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a message says, as words and attributes. */
#include <errno.h>

#include "core/attr_names.h"
#include "parsers/dns_message.h"
#include "parsers/dns_rdata.h"

struct str dns_code_text(struct arena *a, const struct dns_message *m)
{
	static const char *const names[] = {
		"NOERROR",  "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",  "REFUSED",
		"YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE", "DSOTYPENI",
	};
	static const char *const extended[] = {"BADVERS", "BADKEY", "BADTIME",	"BADMODE",
					       "BADNAME", "BADALG", "BADTRUNC", "BADCOOKIE"};
	unsigned int code = dns_code(m);

	if (code < sizeof(names) / sizeof(names[0]))
		return str_from(names[code]);
	if (code >= 16 && code - 16 < sizeof(extended) / sizeof(extended[0]))
		return str_from(extended[code - 16]);
	return arena_printf(a, "RCODE%u", code);
}

/* A short text made in a buffer, kept in the arena. */
static struct str keep(struct arena *a, struct buf *b)
{
	struct str s = buf_ok(b) ? arena_str(a, b->p, b->n) : STR_NONE;

	buf_clear(b);
	return s;
}

static struct str type_text(struct arena *a, uint16_t type)
{
	struct buf b = {0};
	struct str s;

	dns_type_text(&b, type);
	s = keep(a, &b);
	buf_free(&b);
	return s;
}

struct str dns_verb(struct arena *a, const struct dns_message *m)
{
	static const char *const names[] = {NULL,     "IQUERY", "STATUS", NULL,
					    "NOTIFY", "UPDATE", "DSO"};

	if (m->opcode == DNS_OPCODE_QUERY)
		return m->name.n ? type_text(a, m->type) : STR("QUERY");
	if (m->opcode < sizeof(names) / sizeof(names[0]) && names[m->opcode])
		return str_from(names[m->opcode]);
	return arena_printf(a, "OPCODE%u", m->opcode);
}

struct str dns_target(struct arena *a, const struct dns_message *m)
{
	struct buf b = {0};
	struct str s = STR_NONE;

	if (m->name.n) {
		dns_name_text(&b, &m->name, false);
		s = keep(a, &b);
	}
	buf_free(&b);
	return s;
}

static void describe_question(struct txn *t, const struct dns_message *m)
{
	if (m->name.n) {
		txn_str(t, A_DNS_QUESTION_NAME, dns_target(&t->arena, m));
		txn_str(t, A_DNS_QUESTION_TYPE, type_text(&t->arena, m->type));
	}
	txn_int(t, A_DNS_ID, m->id);
}

static void describe_flags(struct txn *t, const struct dns_message *m)
{
	static const struct {
		uint16_t bit;
		const char *name;
	} rows[] = {
		{0x0400, "aa"}, {DNS_FLAG_TRUNCATED, "tc"},
		{0x0100, "rd"}, {0x0080, "ra"},
		{0x0020, "ad"}, {0x0010, "cd"},
	};
	struct str *names = arena_alloc(&t->arena, sizeof(rows) / sizeof(rows[0]) * sizeof(*names));
	uint32_t count = 0;

	for (size_t i = 0; names && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (m->flags & rows[i].bit)
			names[count++] = str_from(rows[i].name);
	if (count)
		txn_strs(t, A_DNS_FLAGS, names, count);
}

enum section {
	SECTION_ANSWER,
	SECTION_AUTHORITY,
	SECTION_ADDITIONAL,
	SECTIONS,
};

/* Records of a section as text. */
struct list {
	struct str *v; /* with room for as many as the message can hold */
	uint32_t count;
};

/* What grows while the records are read. */
struct reading {
	struct txn *t;
	struct buf text; /* of one record */
	struct list sections[SECTIONS], addresses;
	size_t text_bytes;
};

/* In the answer `A 192.0.2.1`; elsewhere the owner tells more: `ns.example. 60 A 192.0.2.1`. */
static void read_record_text(struct reading *x, enum section k, const struct dns_record *r)
{
	struct list *l = &x->sections[k];
	size_t data_at;
	struct str s;

	if (x->text_bytes >= DNS_TEXT_BYTES_MAX) {
		x->t->flags |= TXN_LIMIT;
		return;
	}
	if (k != SECTION_ANSWER) {
		dns_name_text(&x->text, &r->owner, true);
		buf_printf(&x->text, " %u ", r->ttl);
	}
	dns_type_text(&x->text, r->type);
	buf_putc(&x->text, ' ');
	data_at = x->text.n;
	dns_rdata_text(&x->text, r->data, r->type, r->n);
	x->text_bytes += x->text.n;
	s = keep(&x->t->arena, &x->text);
	if (!s.p) {
		x->t->flags |= TXN_LIMIT;
		return;
	}
	l->v[l->count++] = s;
	if (k == SECTION_ANSWER &&
	    ((r->type == DNS_TYPE_A && r->n == 4) || (r->type == DNS_TYPE_AAAA && r->n == 16)))
		x->addresses.v[x->addresses.count++] = (struct str){s.p + data_at, s.n - data_at};
}

static bool make_room(struct reading *x, struct list *l, const struct dns_message *m,
		      unsigned int claimed)
{
	size_t room = (m->n - m->records_at) / DNS_RECORD_BYTES_MIN;

	room = room < claimed ? room : claimed;
	l->v = arena_alloc(&x->t->arena, room * sizeof(*l->v));
	if (!l->v)
		x->t->flags |= TXN_LIMIT;
	return l->v;
}

/* A section, behind the one before; false when it does not hold what the head claims. */
static bool read_section(struct reading *x, enum section k, const struct dns_message *m,
			 struct cursor *c, unsigned int claimed)
{
	bool room = m->response && make_room(x, &x->sections[k], m, claimed);
	struct dns_record r;

	if (k == SECTION_ANSWER)
		room = room && make_room(x, &x->addresses, m, claimed);
	for (unsigned int i = 0; i < claimed; i++) {
		if (!dns_record_read(c, &r))
			return false;
		/* EDNS has its own attribute; a TSIG is the transport of the message, not its content */
		if (room && r.type != DNS_TYPE_OPT && r.type != DNS_TYPE_TSIG)
			read_record_text(x, k, &r);
	}
	return true;
}

static void add_list(struct txn *t, const char *name, const struct list *l)
{
	if (l->count)
		txn_strs(t, name, l->v, l->count);
}

static void describe_records(struct txn *t, const struct dns_message *m)
{
	struct reading x = {.t = t, .text.limit = DNS_TEXT_BYTES_MAX};
	struct cursor c = cursor_init(m->p, m->n);
	bool whole;

	cursor_seek(&c, m->records_at);
	whole = read_section(&x, SECTION_ANSWER, m, &c, m->answers) &&
		read_section(&x, SECTION_AUTHORITY, m, &c, m->authorities) &&
		read_section(&x, SECTION_ADDITIONAL, m, &c, m->additionals);
	buf_free(&x.text);
	add_list(t, A_DNS_ANSWERS, &x.sections[SECTION_ANSWER]);
	add_list(t, A_DNS_RESOLVED_IP, &x.addresses);
	add_list(t, A_DNS_AUTHORITY, &x.sections[SECTION_AUTHORITY]);
	add_list(t, A_DNS_ADDITIONAL, &x.sections[SECTION_ADDITIONAL]);
	if (!whole)
		dns_ambiguous(t, "record-count");
	else if (cursor_left(&c))
		dns_ambiguous(t, "trailing-bytes");
}

static void describe_edns(struct txn *t, const struct dns_message *m)
{
	const char *name = m->response ? A_DNS_RESPONSE_EDNS : A_DNS_REQUEST_EDNS;
	struct buf b = {.limit = DNS_TEXT_BYTES_MAX};
	struct cursor options;
	struct dns_record opt;
	struct str s;

	if (!dns_message_opt(m, &opt))
		return;
	buf_printf(&b, "version %u, udp %u%s", opt.ttl >> 16 & 0xff, opt.class,
		   opt.ttl & 0x8000 ? ", do" : "");
	options = cursor_sub(&opt.data, opt.n);
	while (cursor_left(&options)) {
		uint16_t code = cursor_u16(&options), n = cursor_u16(&options);
		struct cursor data = cursor_sub(&options, n);

		if (!cursor_ok(&data)) {
			dns_ambiguous(t, "edns-options");
			break;
		}
		buf_puts(&b, ", ");
		dns_option_text(&b, code, data);
	}
	s = keep(&t->arena, &b);
	buf_free(&b);
	if (s.p)
		txn_str(t, name, s);
	else
		t->flags |= TXN_LIMIT;
}

void dns_ambiguous(struct txn *t, const char *why)
{
	struct attr *a = txn_attr(t, A_AMBIGUITY);
	uint32_t count = a ? a->count : 0;
	struct str *names = arena_alloc(&t->arena, (count + 1) * sizeof(*names));

	t->flags |= TXN_AMBIGUOUS;
	if (!names)
		return;
	for (uint32_t i = 0; i < count; i++) {
		if (str_eq(a->strs[i], str_from(why)))
			return;
		names[i] = a->strs[i];
	}
	names[count] = str_from(why);
	if (!a) {
		txn_strs(t, A_AMBIGUITY, names, 1);
		return;
	}
	a->strs = names;
	a->count = count + 1;
}

int dns_describe(struct txn *t, const uint8_t *p, size_t n)
{
	struct dns_message m;
	int err = dns_message_read(&m, p, n);

	if (err)
		return err;
	if (!txn_attr(t, A_DNS_ID))
		describe_question(t, &m);
	if (m.response) {
		txn_str(t, A_DNS_RESPONSE_CODE, dns_code_text(&t->arena, &m));
		describe_flags(t, &m);
	}
	describe_records(t, &m);
	describe_edns(t, &m);
	return 0;
}
