/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parsers/dns_message.h"

#include <errno.h>

#include "core/attr_names.h"
#include "parsers/dns_rdata.h"

#define FLAG_RESPONSE 0x8000
#define FLAG_ZERO 0x0040 /* reserved (RFC 1035 section 4.1.1) */
#define RECORD_BYTES_MIN 11

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

/* The OPT record's four octets (RFC 6891 section 6.1.3), or 0; EDNS's own are in its data. */
static bool find_opt(const struct dns_message *m, struct dns_record *opt)
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

	return (m->flags & 0xf) | (find_opt(m, &opt) ? opt.ttl >> 24 << 4 : 0);
}

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

/* What grows while the records are read. */
struct reading {
	struct txn *t;
	struct buf text; /* of one record */
	struct str *answers, *addresses;
	uint32_t answer_count, address_count;
	size_t text_bytes;
	const char *wrong[2];
	uint32_t wrong_count;
};

static void read_answer(struct reading *x, const struct dns_record *r)
{
	size_t type_bytes;
	struct str s;

	if (x->text_bytes >= DNS_TEXT_BYTES_MAX) {
		x->t->flags |= TXN_LIMIT;
		return;
	}
	dns_type_text(&x->text, r->type);
	buf_putc(&x->text, ' ');
	type_bytes = x->text.n;
	dns_rdata_text(&x->text, r->data, r->type, r->n);
	x->text_bytes += x->text.n;
	s = keep(&x->t->arena, &x->text);
	if (!s.p) {
		x->t->flags |= TXN_LIMIT;
		return;
	}
	x->answers[x->answer_count++] = s;
	if ((r->type == DNS_TYPE_A && r->n == 4) || (r->type == DNS_TYPE_AAAA && r->n == 16))
		x->addresses[x->address_count++] = (struct str){s.p + type_bytes, s.n - type_bytes};
}

/* Answers as text; then the other sections, for their count only. */
static void read_records(struct reading *x, const struct dns_message *m)
{
	size_t records = (size_t)m->answers + m->authorities + m->additionals;
	size_t room = (m->n - m->records_at) / RECORD_BYTES_MIN;
	struct cursor c = cursor_init(m->p, m->n);
	struct dns_record r;
	size_t i;

	room = room < m->answers ? room : m->answers;
	x->answers = arena_alloc(&x->t->arena, room * sizeof(*x->answers));
	x->addresses = arena_alloc(&x->t->arena, room * sizeof(*x->addresses));
	if (!x->answers || !x->addresses) {
		x->t->flags |= TXN_LIMIT;
		return;
	}
	cursor_seek(&c, m->records_at);
	for (i = 0; i < records && dns_record_read(&c, &r); i++)
		if (i < room)
			read_answer(x, &r);
	if (i < records)
		x->wrong[x->wrong_count++] = "record-count";
	else if (cursor_left(&c))
		x->wrong[x->wrong_count++] = "trailing-bytes";
}

static void describe_records(struct txn *t, const struct dns_message *m)
{
	struct reading x = {.t = t, .text.limit = DNS_TEXT_BYTES_MAX};

	read_records(&x, m);
	buf_free(&x.text);
	if (m->response && x.answer_count)
		txn_strs(t, A_DNS_ANSWERS, x.answers, x.answer_count);
	if (m->response && x.address_count)
		txn_strs(t, A_DNS_RESOLVED_IP, x.addresses, x.address_count);
	for (uint32_t i = 0; i < x.wrong_count; i++)
		dns_ambiguous(t, x.wrong[i]);
}

static void describe_edns(struct txn *t, const struct dns_message *m)
{
	const char *name = m->response ? A_DNS_RESPONSE_EDNS : A_DNS_REQUEST_EDNS;
	struct buf b = {.limit = DNS_TEXT_BYTES_MAX};
	struct cursor options;
	struct dns_record opt;
	struct str s;

	if (!find_opt(m, &opt))
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

/* Opcode, counts and bits as the programs of today send them. */
static bool plausible_head(const struct dns_message *m, size_t whole)
{
	size_t records = (size_t)m->answers + m->authorities + m->additionals;
	bool opcode = m->opcode == DNS_OPCODE_QUERY || m->opcode == 4 || m->opcode == 5;

	if (!opcode || m->flags & FLAG_ZERO || (m->flags & 0xf) > 11)
		return false;
	if (m->questions != 1 || whole < DNS_HEAD_BYTES + 5 + records * RECORD_BYTES_MIN)
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
