/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A row per type: its name and its fields in the order of the wire, a letter each. What the fields do not
 * use up, or lack, makes the record one of unknown data.
 */
#include "parsers/dns_rdata.h"

#include <arpa/inet.h>
#include <time.h>

enum field {
	F_IPV4 = '4',
	F_IPV6 = '6',
	F_NAME = 'n',
	F_U8 = 'b',
	F_U16 = 's',
	F_U32 = 'l',
	F_TYPE = 'T',
	F_TIME = 'd',	 /* RFC 4034 section 3.2: YYYYMMDDHHmmSS */
	F_STRING = 'q',	 /* a character string in quotes */
	F_STRINGS = 'Q', /* one or more of them, to the end */
	F_WORD = 'w',	 /* a character string without quotes */
	F_REST = 'r',	 /* all the rest in quotes */
	F_HEX = 'x',	 /* all the rest */
	F_BASE64 = 'z',
	F_SALT = 'h',	/* its length first; "-" when empty (RFC 5155 section 3.3) */
	F_HASH = 'c',	/* its length first; base32hex without padding */
	F_TYPES = 'm',	/* type bit maps (RFC 4034 section 4.1.2), to the end */
	F_PARAMS = 'v', /* SvcParams (RFC 9460 section 2.2), to the end */
};

static const struct type_row {
	uint16_t type;
	const char *name, *fields;
} rows[] = {
	{DNS_TYPE_A, "A", "4"},
	{2, "NS", "n"},
	{DNS_TYPE_CNAME, "CNAME", "n"},
	{6, "SOA", "nnlllll"},
	{12, "PTR", "n"},
	{13, "HINFO", "qq"},
	{15, "MX", "sn"},
	{16, "TXT", "Q"},
	{17, "RP", "nn"},
	{18, "AFSDB", "sn"},
	{DNS_TYPE_AAAA, "AAAA", "6"},
	{33, "SRV", "sssn"},
	{35, "NAPTR", "ssqqqn"},
	{36, "KX", "sn"},
	{37, "CERT", "ssbz"},
	{39, "DNAME", "n"},
	{DNS_TYPE_OPT, "OPT", NULL},
	{43, "DS", "sbbx"},
	{44, "SSHFP", "bbx"},
	{46, "RRSIG", "Tbblddsnz"},
	{47, "NSEC", "nm"},
	{48, "DNSKEY", "sbbz"},
	{49, "DHCID", "z"},
	{50, "NSEC3", "bbshcm"},
	{51, "NSEC3PARAM", "bbsh"},
	{52, "TLSA", "bbbx"},
	{53, "SMIMEA", "bbbx"},
	{59, "CDS", "sbbx"},
	{60, "CDNSKEY", "sbbz"},
	{61, "OPENPGPKEY", "z"},
	{62, "CSYNC", "lsm"},
	{63, "ZONEMD", "lbbx"},
	{64, "SVCB", "snv"},
	{65, "HTTPS", "snv"},
	{99, "SPF", "Q"},
	{DNS_TYPE_TSIG, "TSIG", NULL},
	{251, "IXFR", NULL},
	{252, "AXFR", NULL},
	{255, "ANY", NULL},
	{256, "URI", "ssr"},
	{257, "CAA", "bwr"},
};

static const struct type_row *row_of(uint16_t type)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].type == type)
			return &rows[i];
	return NULL;
}

bool dns_type_known(uint16_t type)
{
	return row_of(type) != NULL;
}

void dns_type_text(struct buf *b, uint16_t type)
{
	const struct type_row *r = row_of(type);

	if (r)
		buf_puts(b, r->name);
	else
		buf_printf(b, "TYPE%u", type);
}

static void put_hex(struct buf *b, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		buf_putc(b, (uint8_t)digits[p[i] >> 4]);
		buf_putc(b, (uint8_t)digits[p[i] & 0xf]);
	}
}

/* Base 64 or base 32 (RFC 4648), `width` bits a digit. */
static void put_digits(struct buf *b, const uint8_t *p, size_t n, unsigned int width,
		       const char *digits)
{
	unsigned int bits = 0, held = 0;

	for (size_t i = 0; i < n; i++) {
		held = (held << 8 | p[i]) & 0xffff;
		for (bits += 8; bits >= width; bits -= width)
			buf_putc(b, (uint8_t)digits[held >> (bits - width) & ((1u << width) - 1)]);
	}
	if (bits)
		buf_putc(b, (uint8_t)digits[held << (width - bits) & ((1u << width) - 1)]);
}

static void put_base64(struct buf *b, const uint8_t *p, size_t n)
{
	put_digits(b, p, n, 6, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
	for (; n % 3; n++)
		buf_putc(b, '=');
}

/* The inside of a quoted string (RFC 1035 section 5.1). */
static void put_escaped(struct buf *b, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p[i] < ' ' || p[i] >= 0x7f) {
			buf_printf(b, "\\%03u", p[i]);
			continue;
		}
		if (p[i] == '"' || p[i] == '\\')
			buf_putc(b, '\\');
		buf_putc(b, p[i]);
	}
}

static void put_quoted(struct buf *b, const uint8_t *p, size_t n)
{
	buf_putc(b, '"');
	put_escaped(b, p, n);
	buf_putc(b, '"');
}

static void put_address(struct buf *b, int family, struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, family == AF_INET ? 4 : 16);
	char text[INET6_ADDRSTRLEN];

	if (p && inet_ntop(family, p, text, sizeof(text)))
		buf_puts(b, text);
}

static void put_time(struct buf *b, uint32_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;
	char text[16];

	if (gmtime_r(&t, &tm) && strftime(text, sizeof(text), "%Y%m%d%H%M%S", &tm))
		buf_puts(b, text);
}

static void put_types(struct buf *b, struct cursor *c)
{
	const char *sep = "";

	while (cursor_left(c)) {
		uint8_t window = cursor_u8(c), n = cursor_u8(c);
		const uint8_t *p = cursor_bytes(c, n);

		for (unsigned int i = 0; p && i < n * 8u; i++) {
			if (!(p[i / 8] & 0x80 >> i % 8))
				continue;
			buf_puts(b, sep);
			dns_type_text(b, (uint16_t)(window << 8 | i));
			sep = " ";
		}
	}
}

#define KEY_MANDATORY 0
#define KEY_ALPN 1
#define KEY_PORT 3
#define KEY_IPV4 4
#define KEY_ECH 5
#define KEY_IPV6 6

static void put_key(struct buf *b, uint16_t key)
{
	static const char *const names[] = {"mandatory", "alpn", "no-default-alpn", "port",
					    "ipv4hint",	 "ech",	 "ipv6hint",	    "dohpath"};

	if (key < sizeof(names) / sizeof(names[0]))
		buf_puts(b, names[key]);
	else
		buf_printf(b, "key%u", key);
}

/* One protocol of a list: commas and backslashes of its own are escaped twice (RFC 9460 appendix A.1). */
static void put_alpn(struct buf *b, struct cursor *c)
{
	uint8_t n = cursor_u8(c);
	const uint8_t *p = cursor_bytes(c, n);

	for (size_t i = 0; p && i < n; i++) {
		if (p[i] == ',' || p[i] == '\\')
			buf_puts(b, "\\\\");
		put_escaped(b, p + i, 1);
	}
}

static void put_list_item(struct buf *b, uint16_t key, struct cursor *c)
{
	if (key == KEY_MANDATORY)
		put_key(b, cursor_u16(c));
	else if (key == KEY_ALPN)
		put_alpn(b, c);
	else
		put_address(b, key == KEY_IPV4 ? AF_INET : AF_INET6, c);
}

static void put_param(struct buf *b, uint16_t key, struct cursor *c)
{
	const char *quote = key == KEY_ALPN ? "\"" : "", *sep = "";
	size_t n = cursor_left(c);

	put_key(b, key);
	if (!n)
		return;
	buf_putc(b, '=');
	switch (key) {
	case KEY_PORT:
		buf_printf(b, "%u", cursor_u16(c));
		break;
	case KEY_ECH:
		put_base64(b, cursor_bytes(c, n), n);
		break;
	case KEY_MANDATORY:
	case KEY_ALPN:
	case KEY_IPV4:
	case KEY_IPV6:
		buf_puts(b, quote);
		while (cursor_left(c)) {
			buf_puts(b, sep);
			put_list_item(b, key, c);
			sep = ",";
		}
		buf_puts(b, quote);
		break;
	default:
		put_quoted(b, cursor_bytes(c, n), n);
		break;
	}
}

static void put_params(struct buf *b, struct cursor *c)
{
	const char *sep = "";

	while (cursor_left(c)) {
		uint16_t key = cursor_u16(c), n = cursor_u16(c);
		struct cursor value = cursor_sub(c, n);

		buf_puts(b, sep);
		put_param(b, key, &value);
		c->failed |= value.failed || cursor_left(&value);
		sep = " ";
	}
}

static void put_strings(struct buf *b, struct cursor *c)
{
	const char *sep = "";

	do {
		uint8_t n = cursor_u8(c);
		const uint8_t *p = cursor_bytes(c, n);

		buf_puts(b, sep);
		if (p)
			put_quoted(b, p, n);
		sep = " ";
	} while (cursor_left(c));
}

/* A field of octets: those of a length that stands before them, or all the rest. */
static void put_octets(struct buf *b, enum field f, struct cursor *c)
{
	bool counted = f == F_STRING || f == F_WORD || f == F_SALT || f == F_HASH;
	size_t n = counted ? cursor_u8(c) : cursor_left(c);
	const uint8_t *p = cursor_bytes(c, n);

	if (!p)
		return;
	if (f == F_STRING || f == F_REST)
		put_quoted(b, p, n);
	else if (f == F_WORD)
		put_escaped(b, p, n);
	else if (f == F_BASE64)
		put_base64(b, p, n);
	else if (f == F_HASH)
		put_digits(b, p, n, 5, "0123456789ABCDEFGHIJKLMNOPQRSTUV");
	else if (f == F_SALT && !n)
		buf_putc(b, '-');
	else
		put_hex(b, p, n);
}

static void put_name(struct buf *b, struct cursor *c)
{
	struct dns_name name;

	if (dns_name_read(c, &name))
		dns_name_text(b, &name, true);
}

static void put_field(struct buf *b, enum field f, struct cursor *c)
{
	switch (f) {
	case F_IPV4:
		put_address(b, AF_INET, c);
		break;
	case F_IPV6:
		put_address(b, AF_INET6, c);
		break;
	case F_NAME:
		put_name(b, c);
		break;
	case F_U8:
		buf_printf(b, "%u", cursor_u8(c));
		break;
	case F_U16:
		buf_printf(b, "%u", cursor_u16(c));
		break;
	case F_U32:
		buf_printf(b, "%u", cursor_u32(c));
		break;
	case F_TYPE:
		dns_type_text(b, cursor_u16(c));
		break;
	case F_TIME:
		put_time(b, cursor_u32(c));
		break;
	case F_STRINGS:
		put_strings(b, c);
		break;
	case F_TYPES:
		put_types(b, c);
		break;
	case F_PARAMS:
		put_params(b, c);
		break;
	default:
		put_octets(b, f, c);
		break;
	}
}

/* False when the data is not what the type says. */
static bool put_fields(struct buf *b, const char *fields, struct cursor *c)
{
	const char *sep = "";

	for (; *fields; fields++) {
		bool may_be_empty = *fields == F_TYPES || *fields == F_PARAMS;

		if (may_be_empty && !cursor_left(c))
			continue;
		buf_puts(b, sep);
		put_field(b, (enum field) * fields, c);
		sep = " ";
	}
	return cursor_ok(c) && !cursor_left(c);
}

void dns_rdata_text(struct buf *b, struct cursor c, uint16_t type, size_t n)
{
	const struct type_row *r = row_of(type);
	const uint8_t *p = c.pos;
	size_t before = b->n;
	struct cursor data = c;

	if (!cursor_skip(&c, n))
		return;
	data.end = data.pos + n; /* what comes before stays in reach of pointers */
	if (r && r->fields && put_fields(b, r->fields, &data))
		return;
	if (!buf_ok(b))
		return;
	b->n = before;
	buf_printf(b, "\\# %zu%s", n, n ? " " : "");
	put_hex(b, p, n);
}

#define OPTION_NSID 3
#define OPTION_SUBNET 8
#define OPTION_COOKIE 10
#define OPTION_KEEPALIVE 11
#define OPTION_PADDING 12
#define OPTION_ERROR 15

/* RFC 7871 section 6: family, prefix lengths, and the address without its trailing zero octets. */
static void put_subnet(struct buf *b, struct cursor *c)
{
	uint16_t family = cursor_u16(c);
	uint8_t source = cursor_u8(c), scope = cursor_u8(c), address[16] = {0};
	size_t n = cursor_left(c), room = family == 1 ? 4 : family == 2 ? 16 : 0;
	struct cursor whole = cursor_init(address, sizeof(address));

	if (!cursor_ok(c) || n > room) {
		c->failed = true;
		return;
	}
	if (n)
		memcpy(address, cursor_bytes(c, n), n);
	if (room)
		put_address(b, family == 1 ? AF_INET : AF_INET6, &whole);
	buf_printf(b, "/%u/%u", source, scope);
}

void dns_option_text(struct buf *b, uint16_t code, struct cursor data)
{
	struct cursor c = data;
	size_t n = cursor_left(&c);

	switch (code) {
	case OPTION_SUBNET:
		buf_puts(b, "client-subnet ");
		put_subnet(b, &c);
		if (cursor_ok(&c))
			return;
		buf_puts(b, "\\#");
		break;
	case OPTION_COOKIE:
		buf_puts(b, "cookie");
		break;
	case OPTION_NSID:
		buf_puts(b, "nsid");
		break;
	case OPTION_KEEPALIVE: /* RFC 7828: tenths of a second; a client asks without one */
		buf_puts(b, "tcp-keepalive");
		if (n == 2)
			buf_printf(b, " %ums", cursor_u16(&c) * 100u);
		return;
	case OPTION_PADDING: /* RFC 7830 */
		buf_printf(b, "padding %zu", n);
		return;
	case OPTION_ERROR: /* RFC 8914 section 2 */
		buf_printf(b, "error %u", cursor_u16(&c));
		n = cursor_left(&c);
		if (n) {
			buf_putc(b, ' ');
			put_quoted(b, cursor_bytes(&c, n), n);
		}
		return;
	default:
		buf_printf(b, "option%u", code);
		break;
	}
	if (n)
		buf_putc(b, ' ');
	put_hex(b, data.pos, n);
}
