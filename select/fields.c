/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "select/fields.h"

#include "core/attr_names.h"
#include "identity/identity.h"
#include "select/human.h"

#define NS_PER_S 1000000000
#define S_PER_DAY 86400

void field_free(struct field *f)
{
	buf_free(&f->text);
}

static bool give_str(struct field *f, struct str s)
{
	f->v.type = ATTR_STR;
	f->v.str = s;
	return s.n > 0;
}

static bool give_z(struct field *f, const char *z)
{
	return give_str(f, str_from(z));
}

static bool give_int(struct field *f, int64_t v)
{
	f->v.type = ATTR_INT;
	f->v.num = v;
	return true;
}

static bool give_text(struct field *f)
{
	return buf_ok(&f->text) && give_str(f, (struct str){(const char *)f->text.p, f->text.n});
}

static void put_digits(char *at, uint32_t v, unsigned int digits)
{
	while (digits--) {
		at[digits] = (char)('0' + v % 10);
		v /= 10;
	}
}

/*
 * RFC 3339 with nine decimals. The calendar is computed (days counted in years that begin in March, so
 * that the leap day comes last): gmtime_r() takes a lock and costs more than the rest of a line.
 */
static bool get_timestamp(const struct txn *t, unsigned int arg, struct field *f)
{
	int64_t ns = (int64_t)(t->start_ns + (uint64_t)t->clock_offset_ns);
	char text[] = "0000-00-00T00:00:00.000000000Z";
	uint32_t days, secs, year, doy, month;
	uint64_t s;

	(void)arg;
	if (ns < 0)
		ns = 0;
	s = (uint64_t)ns / NS_PER_S;
	secs = (uint32_t)(s % S_PER_DAY);
	days = (uint32_t)(s / S_PER_DAY) + 719468 - 4 * 146097; /* since 1600-03-01 */
	year = (days - days / 1460 + days / 36524 - days / 146096) / 365;
	doy = days - (365 * year + year / 4 - year / 100 + year / 400);
	month = (5 * doy + 2) / 153;
	put_digits(text + 8, doy - (153 * month + 2) / 5 + 1, 2);
	month = month < 10 ? month + 3 : month - 9;
	put_digits(text + 5, month, 2);
	put_digits(text, 1600 + year + (month <= 2), 4);
	put_digits(text + 11, secs / 3600, 2);
	put_digits(text + 14, secs / 60 % 60, 2);
	put_digits(text + 17, secs % 60, 2);
	put_digits(text + 20, (uint32_t)((uint64_t)ns % NS_PER_S), 9);
	buf_clear(&f->text);
	buf_put(&f->text, text, sizeof(text) - 1);
	return give_text(f);
}

static bool get_event_name(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return give_z(f, t->event_name);
}

static bool get_duration(const struct txn *t, unsigned int arg, struct field *f)
{
	uint64_t ns = human_elapsed_ns(t);

	(void)arg;
	return !txn_is_event(t) && give_int(f, ns > INT64_MAX ? INT64_MAX : (int64_t)ns);
}

static bool get_message(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	buf_clear(&f->text);
	human_message(&f->text, t);
	return give_text(f);
}

static bool get_transport(const struct txn *t, unsigned int arg, struct field *f)
{
	static const char *const names[] = {
		[TRANSPORT_TCP] = "tcp", [TRANSPORT_UDP] = "udp", [TRANSPORT_UNIX] = "unix"};

	(void)arg;
	return t->source != PEER_UNKNOWN && give_z(f, names[t->conn->transport]);
}

static bool get_type(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	if (t->source == PEER_UNKNOWN)
		return false;
	switch (t->conn->family) {
	case ADDR_IPV4:
		return give_z(f, "ipv4");
	case ADDR_IPV6:
		return give_z(f, "ipv6");
	default:
		return false;
	}
}

static bool get_proto_name(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return t->proto_name && give_z(f, t->proto_name);
}

static bool get_proto_version(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return give_z(f, t->proto_version);
}

static bool has_addrs(const struct txn *t)
{
	return t->source != PEER_UNKNOWN &&
	       (t->conn->family == ADDR_IPV4 || t->conn->family == ADDR_IPV6);
}

enum end {
	END_LOCAL,
	END_PEER,
	END_CLIENT,
	END_SERVER,
};

/* NULL when that end's address is not proven, or which end is the client's is not known. */
static const struct endpoint *endpoint_of(const struct txn *t, enum end end)
{
	const struct conn *c = t->conn;

	if (!has_addrs(t) || (end >= END_CLIENT && t->role == ROLE_UNKNOWN))
		return NULL;
	if (end == END_LOCAL || (end == END_CLIENT && t->role == ROLE_CLIENT) ||
	    (end == END_SERVER && t->role == ROLE_SERVER))
		return &c->local;
	return &c->peer;
}

/* A socket that is bound to no address does not tell which one a datagram went by. */
static bool get_addr(const struct txn *t, unsigned int end, struct field *f)
{
	const struct endpoint *e = endpoint_of(t, end);
	static const uint8_t any[sizeof(e->addr)];

	if (!e || memcmp(e->addr, any, sizeof(any)) == 0)
		return false;
	buf_clear(&f->text);
	human_addr(&f->text, t->conn->family, e);
	return give_text(f);
}

static bool get_port(const struct txn *t, unsigned int end, struct field *f)
{
	const struct endpoint *e = endpoint_of(t, end);

	return e && give_int(f, e->port);
}

/* uri-host without port and brackets (RFC 3986 section 3.2.2); nothing when it is not one. */
static struct str host_only(struct str v)
{
	const char *colon;

	if (v.n && v.p[0] == '[') {
		colon = memchr(v.p, ']', v.n);
		return colon ? (struct str){v.p + 1, (size_t)(colon - v.p) - 1} : STR_NONE;
	}
	colon = memchr(v.p, ':', v.n);
	if (colon)
		v.n = (size_t)(colon - v.p);
	for (size_t i = 0; i < v.n; i++)
		if ((uint8_t)v.p[i] <= ' ' || (uint8_t)v.p[i] >= 0x7f)
			return STR_NONE;
	return v;
}

static struct str requested_host(const struct txn *t)
{
	const struct attr *a = txn_attr(t, A_REQUEST_HEADERS);

	for (uint32_t i = 0; a && a->type == ATTR_HEADERS && i < a->count; i++) {
		const struct header *h = &a->headers[i];

		if (h->value.n &&
		    (str_ieq(h->name, STR(":authority")) || str_ieq(h->name, STR("host"))))
			return host_only(h->value);
	}
	return STR_NONE;
}

/* The name that was asked for, as it tells more than the address, which is network.peer.address. */
static bool get_server_name(const struct txn *t, unsigned int end, struct field *f)
{
	struct str name = t->conn->sni;

	if (!endpoint_of(t, end))
		return false;
	if (!name.n)
		name = requested_host(t);
	return name.n ? give_str(f, name) : get_addr(t, end, f);
}

static bool get_peer_name(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return endpoint_of(t, END_CLIENT) && t->role == ROLE_CLIENT &&
	       give_str(f, t->conn->peer_name);
}

static bool get_tls_version(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return give_str(f, t->conn->tls_version);
}

static bool get_tls_cipher(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return give_str(f, t->conn->tls_cipher);
}

static bool get_resumed(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	f->v.type = ATTR_BOOL;
	f->v.flag = t->conn->tls_resumed == TLS_RESUMED_YES;
	return t->conn->tls_resumed != TLS_RESUMED_UNKNOWN;
}

static bool get_alpn(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return give_str(f, t->conn->alpn);
}

static bool get_sni(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return give_str(f, t->conn->sni);
}

static bool get_pid(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return t->conn->proc && t->conn->proc->key.tgid && give_int(f, t->conn->proc->key.tgid);
}

static bool get_list(struct str list, struct field *f)
{
	f->v.type = ATTR_STRS;
	f->v.strs = f->list;
	f->v.count = 0;
	while (f->v.count < FIELD_LIST_MAX && identity_next(&list, &f->list[f->v.count]))
		f->v.count++;
	return f->v.count > 0;
}

/* As people write it: a space between two arguments. */
static bool get_command_line(const struct txn *t, unsigned int arg, struct field *f)
{
	struct str list = t->conn->proc ? t->conn->proc->v[ID_CMDLINE] : STR_NONE;

	(void)arg;
	if (!list.n || !memchr(list.p, '\0', list.n))
		return give_str(f, list);
	buf_clear(&f->text);
	for (size_t i = 0; i < list.n; i++)
		buf_putc(&f->text, list.p[i] ? (uint8_t)list.p[i] : ' ');
	return give_text(f);
}

/* Of events of a process itself: with every transaction they would be a burden. */
static bool get_command_args(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return txn_is_event(t) && t->conn->proc && get_list(t->conn->proc->v[ID_CMDLINE], f);
}

/* identity_fields says what is digits only; one that is not, or overflows, is given as it is. */
static bool get_identity(const struct txn *t, unsigned int id, struct field *f)
{
	struct str s = t->conn->proc ? t->conn->proc->v[id] : STR_NONE;
	int64_t v = 0;

	if (identity_fields[id].kind == ID_LIST)
		return get_list(s, f);
	if (identity_fields[id].kind != ID_NUMBER || s.n > 18)
		return give_str(f, s);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return give_str(f, s);
		v = v * 10 + (s.p[i] - '0');
	}
	return s.n && give_int(f, v);
}

static bool get_tid(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return t->tid && give_int(f, t->tid);
}

static bool get_thread_name(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return give_str(f, t->thread_name);
}

static bool get_conn_id(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return give_z(f, t->conn->id);
}

static bool get_role(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return t->role != ROLE_UNKNOWN && give_z(f, t->role == ROLE_CLIENT ? "client" : "server");
}

static bool get_lost_bytes(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return !txn_is_event(t) &&
	       give_int(f, t->lost_bytes > INT64_MAX ? INT64_MAX : (int64_t)t->lost_bytes);
}

static bool get_truncated(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	f->v.type = ATTR_STRS;
	f->v.strs = f->list;
	f->v.count = 0;
	if (t->flags & TXN_LOST_REQUEST)
		f->list[f->v.count++] = STR("request");
	if (t->flags & TXN_LOST_RESPONSE)
		f->list[f->v.count++] = STR("response");
	if (t->flags & TXN_LIMIT)
		f->list[f->v.count++] = STR("limit");
	return !txn_is_event(t);
}

static bool get_source(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return !txn_is_event(t) && give_z(f, peer_source_name(t->source));
}

static bool get_library(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return give_z(f, t->conn->lib);
}

static bool get_stream(const struct txn *t, unsigned int arg, struct field *f)
{
	(void)arg;
	return t->has_stream && give_int(f, (int64_t)(t->stream_id & INT64_MAX));
}

/* True or absent. */
static bool get_flag(const struct txn *t, unsigned int flags, struct field *f)
{
	f->v.type = ATTR_BOOL;
	f->v.flag = true;
	return (t->flags & flags) != 0;
}

#define FIELDS_LEAD 4

/* Identity has its own table; rows with get_identity stand for a run of it, from arg on to `until`. */
static const struct {
	struct field_ref ref;
	unsigned int until;
} rows[] = {
	{{"@timestamp", get_timestamp, 0, FIELD_OF_TXN}, 0},
	{{"event.name", get_event_name, 0, FIELD_OF_TXN}, 0},
	{{"event.duration", get_duration, 0, FIELD_OF_TXN}, 0},
	{{"message", get_message, 0, FIELD_OF_TXN}, 0},
	{{"network.transport", get_transport, 0, FIELD_OF_CONN}, 0},
	{{"network.type", get_type, 0, FIELD_OF_CONN}, 0},
	{{"network.protocol.name", get_proto_name, 0, FIELD_OF_TXN}, 0},
	{{"network.protocol.version", get_proto_version, 0, FIELD_OF_TXN}, 0},
	{{"client.address", get_addr, END_CLIENT, FIELD_OF_CONN}, 0},
	{{"client.port", get_port, END_CLIENT, FIELD_OF_CONN}, 0},
	{{"server.address", get_server_name, END_SERVER, FIELD_OF_TXN}, 0},
	{{"server.port", get_port, END_SERVER, FIELD_OF_CONN}, 0},
	{{"network.peer.address", get_addr, END_PEER, FIELD_OF_CONN}, 0},
	{{"network.peer.port", get_port, END_PEER, FIELD_OF_CONN}, 0},
	{{"network.local.address", get_addr, END_LOCAL, FIELD_OF_CONN}, 0},
	{{"network.local.port", get_port, END_LOCAL, FIELD_OF_CONN}, 0},
	{{"tlslens.peer.dns_name", get_peer_name, 0, FIELD_OF_CONN}, 0},
	{{"tls.protocol.version", get_tls_version, 0, FIELD_OF_CONN}, 0},
	{{"tls.cipher", get_tls_cipher, 0, FIELD_OF_CONN}, 0},
	{{"tls.resumed", get_resumed, 0, FIELD_OF_CONN}, 0},
	{{"tls.client.server_name", get_sni, 0, FIELD_OF_CONN}, 0},
	{{"tls.next_protocol", get_alpn, 0, FIELD_OF_CONN}, 0},
	{{"process.pid", get_pid, 0, FIELD_OF_PROCESS}, 0},
	{{NULL, get_identity, ID_PARENT_PID, FIELD_OF_PROCESS}, ID_CMDLINE},
	{{"process.command_line", get_command_line, 0, FIELD_OF_PROCESS}, 0},
	{{"process.command_args", get_command_args, 0, FIELD_OF_TXN}, 0},
	{{NULL, get_identity, ID_ANCESTORS, FIELD_OF_PROCESS}, ID_CONTAINER_ID},
	{{"thread.id", get_tid, 0, FIELD_OF_TXN}, 0},
	{{"thread.name", get_thread_name, 0, FIELD_OF_TXN}, 0},
	{{NULL, get_identity, ID_CONTAINER_ID, FIELD_OF_PROCESS}, ID_CONTAINER_LABELS},
	{{"tlslens.conn.id", get_conn_id, 0, FIELD_OF_CONN}, 0},
	{{"tlslens.role", get_role, 0, FIELD_OF_CONN}, 0},
	{{"tlslens.lost_bytes", get_lost_bytes, 0, FIELD_OF_TXN}, 0},
	{{"tlslens.truncated", get_truncated, 0, FIELD_OF_TXN}, 0},
	{{"tlslens.conn.source", get_source, 0, FIELD_OF_CONN}, 0},
	{{"tlslens.tls.library", get_library, 0, FIELD_OF_CONN}, 0},
	{{"tlslens.stream.id", get_stream, 0, FIELD_OF_TXN}, 0},
	{{"tlslens.partial", get_flag,
	  TXN_LATE | TXN_NO_REQUEST | TXN_CUT_REQUEST | TXN_NO_RESPONSE, FIELD_OF_TXN},
	 0},
	{{"tlslens.early", get_flag, TXN_EARLY, FIELD_OF_TXN}, 0},
	{{"tlslens.ambiguous", get_flag, TXN_AMBIGUOUS, FIELD_OF_TXN}, 0},
	{{"tlslens.unknown_headers", get_flag, TXN_UNKNOWN_HEADERS, FIELD_OF_TXN}, 0},
};

_Static_assert(sizeof(rows) / sizeof(rows[0]) + ID_FIELDS <= FIELDS_MAX, "FIELDS_MAX is too small");

size_t fields_list(struct field_ref refs[FIELDS_MAX], size_t *lead)
{
	size_t n = 0;

	*lead = FIELDS_LEAD;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].ref.name) {
			refs[n++] = rows[i].ref;
			continue;
		}
		for (unsigned int id = rows[i].ref.arg; id < rows[i].until; id++)
			refs[n++] = (struct field_ref){identity_fields[id].name, get_identity, id,
						       FIELD_OF_PROCESS};
	}
	return n;
}

/* Labels are told apart by case. */
static void field_label_name(struct buf *b, struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		buf_putc(b, name.p[i] == '.' ? '_' : (uint8_t)name.p[i]);
}

int field_header_name(struct buf *b, struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = (uint8_t)name.p[i];

		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		buf_putc(b, c == '.' ? '_' : c);
	}
	return b->err;
}

/* Values of a header by the last part of its output name. */
static bool header_values(const struct attr *a, struct str want, struct field *f)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < a->count && found < FIELD_LIST_MAX; i++) {
		const struct header *h = &a->headers[i];

		if (!h->name.n || !h->value.p || h->trailer)
			continue;
		buf_clear(&f->text);
		if (field_header_name(&f->text, h->name) == 0 &&
		    str_eq(want, (struct str){(const char *)f->text.p, f->text.n}))
			f->list[found++] = h->value;
	}
	f->v.type = ATTR_STRS;
	f->v.strs = f->list;
	f->v.count = found;
	return found > 0;
}

static bool header_by_name(const char *name, const struct txn *t, struct field *f)
{
	static const struct {
		struct str prefix;
		const char *attr;
	} sides[] = {
		{{A_HTTP_REQUEST_HEADER_PREFIX, sizeof(A_HTTP_REQUEST_HEADER_PREFIX) - 1},
		 A_REQUEST_HEADERS},
		{{A_HTTP_RESPONSE_HEADER_PREFIX, sizeof(A_HTTP_RESPONSE_HEADER_PREFIX) - 1},
		 A_RESPONSE_HEADERS},
	};

	for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
		const struct attr *a;

		if (strncmp(name, sides[i].prefix.p, sides[i].prefix.n) != 0)
			continue;
		a = txn_attr(t, sides[i].attr);
		return a && a->type == ATTR_HEADERS &&
		       header_values(a, str_from(name + sides[i].prefix.n), f);
	}
	return false;
}

static const struct {
	struct str prefix;
	enum identity_field field;
} label_rows[] = {
	{{"container.label.", 16}, ID_CONTAINER_LABELS},
	{{"k8s.pod.label.", 14}, ID_POD_LABELS},
};

#define LABEL_ROWS (sizeof(label_rows) / sizeof(label_rows[0]))

static const char *label_equals(struct str label)
{
	return memchr(label.p, '=', label.n);
}

int field_each_label(const struct txn *t, struct buf *name,
		     void (*fn)(void *arg, struct str name, struct str value), void *arg)
{
	struct str list, label;

	for (size_t i = 0; t->conn->proc && i < LABEL_ROWS; i++) {
		for (list = t->conn->proc->v[label_rows[i].field]; identity_next(&list, &label);) {
			const char *eq = label_equals(label);

			if (!eq)
				continue;
			buf_clear(name);
			buf_put(name, label_rows[i].prefix.p, label_rows[i].prefix.n);
			field_label_name(name, (struct str){label.p, (size_t)(eq - label.p)});
			if (!buf_ok(name))
				return name->err;
			fn(arg, (struct str){(const char *)name->p, name->n},
			   (struct str){eq + 1, label.n - (size_t)(eq + 1 - label.p)});
		}
	}
	return 0;
}

struct wanted_label {
	struct str name;
	struct field *f;
	bool found;
};

static void take_label(void *arg, struct str name, struct str value)
{
	struct wanted_label *w = arg;

	if (str_eq(name, w->name))
		w->found = give_str(w->f, value);
}

static bool label_by_name(const char *name, const struct txn *t, struct field *f)
{
	struct wanted_label w = {str_from(name), f, false};

	field_each_label(t, &f->text, take_label, &w);
	return w.found;
}

bool field_find(const char *name, struct field_ref *ref)
{
	struct field_ref refs[FIELDS_MAX];
	size_t n, lead;

	n = fields_list(refs, &lead);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(refs[i].name, name) == 0) {
			*ref = refs[i];
			return true;
		}
	}
	return false;
}

/* Has something behind the prefix. */
static bool str_starts(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 && s[n];
}

bool field_is_attribute(const char *name)
{
	static const char *const names[] = {
#include "core/attr_list.h" /* made from core/attr_names.h */
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	for (size_t i = 0; i < LABEL_ROWS; i++)
		if (str_starts(name, label_rows[i].prefix.p))
			return true;
	return str_starts(name, A_HTTP_REQUEST_HEADER_PREFIX) ||
	       str_starts(name, A_HTTP_RESPONSE_HEADER_PREFIX);
}

bool field_by_name(const char *name, const struct txn *t, struct field *f)
{
	struct field_ref ref;
	const struct attr *a;

	if (field_find(name, &ref))
		return field_get(&ref, t, f);
	a = txn_attr(t, name);
	if (!a)
		return header_by_name(name, t, f) || label_by_name(name, t, f);
	f->v = *a;
	return true;
}
