/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lenient reader of header sections: what servers accept and llhttp refuses. Each reading is the one
 * that RFC 9112 allows a recipient, and each names itself in head.ambiguity, because the two ends of the
 * connection may read the same bytes differently (request smuggling lives there):
 *
 *  bare LF              ends a line (section 2.2, MAY)
 *  bare CR              counts as a space (section 2.2: replace with SP)
 *  obs-fold             is spaces inside the value (section 5.2)
 *  space before colon   is not part of the name (section 5.1)
 *  space before fields  the line is ignored (section 2.2)
 *  start line           parts may be apart by any white space; a target may hold spaces (section 3)
 *  HTTP/1.2 to 1.9      is HTTP/1.1 (RFC 9110 section 2.5)
 *  unknown method, odd octets, lines without colon: kept as they are
 *
 * What is wrong with Content-Length and Transfer-Encoding is told by http1_head_field() and
 * http1_framing(). Whatever has no start line at all is refused here too.
 */
#include "parsers/http1_head.h"

#include <errno.h>
#include <llhttp.h>

#define BIT(ambiguity) (1u << AMBIGUOUS_##ambiguity)

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 9110 section 5.6.2 */
static bool token_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	       (c > 0x20 && c < 0x7f && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!token_char((unsigned char)s.p[i]))
			return false;
	return s.n > 0;
}

/* Steps over white space; says whether it was one SP. */
static bool skip_blanks(struct str *s)
{
	size_t n = 0;
	bool single;

	while (n < s->n && blank(s->p[n]))
		n++;
	single = n == 1 && s->p[0] == ' ';
	s->p += n;
	s->n -= n;
	return single;
}

static struct str take_word(struct str *s)
{
	struct str word = {s->p, 0};

	while (word.n < s->n && !blank(s->p[word.n]))
		word.n++;
	s->p += word.n;
	s->n -= word.n;
	return word;
}

static struct str trim_end(struct str s)
{
	while (s.n && blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/*
 * The next line without its end; bare CRs in it become spaces. False when none is left. `cut` is set when
 * the section ends inside of it.
 */
static bool next_line(struct http1_head *h, struct str *rest, struct str *line)
{
	char *p = (char *)rest->p, *lf, *cr;
	size_t n;

	if (!rest->n)
		return false;
	lf = memchr(p, '\n', rest->n);
	h->cut = !lf;
	n = lf ? (size_t)(lf - p) : rest->n;
	*rest = (struct str){p + n + !!lf, rest->n - n - !!lf};
	if (n && p[n - 1] == '\r')
		n--;
	else if (lf)
		h->ambiguity |= BIT(BARE_LF);
	for (size_t i = 0; (cr = memchr(p + i, '\r', n - i)); i = (size_t)(cr - p) + 1) {
		*cr = ' ';
		h->ambiguity |= BIT(BARE_CR);
	}
	*line = (struct str){p, n};
	return true;
}

static int read_version(struct http1_head *h, struct str v)
{
	if (v.n != 8 || memcmp(v.p, "HTTP/1.", 7) != 0 || v.p[7] < '0' || v.p[7] > '9')
		return -EBADMSG;
	h->minor = (uint8_t)(v.p[7] - '0');
	if (h->minor > 1) {
		h->minor = 1;
		h->ambiguity |= BIT(VERSION);
	}
	return 0;
}

static bool known_method(struct str method)
{
#define NAME(number, name, string) {#string, sizeof(#string) - 1},
	static const struct str names[] = {HTTP_METHOD_MAP(NAME)};
#undef NAME

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (str_eq(method, names[i]))
			return true;
	return false;
}

/* One of the forms of RFC 9112 section 3.2, of octets that a URI may have. */
static bool target_is_plain(const struct http1_head *h)
{
	struct str t = h->target;

	for (size_t i = 0; i < t.n; i++)
		if ((unsigned char)t.p[i] <= ' ' || (unsigned char)t.p[i] >= 0x7f)
			return false;
	return t.n && (t.p[0] == '/' || str_eq(t, STR("*")) || memmem(t.p, t.n, "://", 3) ||
		       str_eq(h->method, STR("CONNECT")));
}

static struct str last_word(struct str s)
{
	size_t i = s.n;

	while (i && !blank(s.p[i - 1]))
		i--;
	return (struct str){s.p + i, s.n - i};
}

/* method SP request-target SP HTTP-version; the target is what lies between the outer two. */
static int read_request_line(struct http1_head *h, struct str line)
{
	struct str rest = trim_end(line), version;
	bool plain = rest.n == line.n;

	h->method = take_word(&rest);
	plain &= skip_blanks(&rest);
	version = last_word(rest);
	if (!is_token(h->method) || read_version(h, version))
		return -EBADMSG;
	h->target = trim_end((struct str){rest.p, rest.n - version.n});
	plain &= rest.n - version.n == h->target.n + 1;
	if (!plain)
		h->ambiguity |= BIT(START_LINE_SPACE);
	if (!known_method(h->method))
		h->ambiguity |= BIT(METHOD);
	if (!target_is_plain(h))
		h->ambiguity |= BIT(TARGET);
	return h->target.n ? 0 : -EBADMSG;
}

/* HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 section 4) */
static int read_status_line(struct http1_head *h, struct str line)
{
	struct str rest = line, version = take_word(&rest), code;
	bool plain = skip_blanks(&rest);

	code = take_word(&rest);
	if (read_version(h, version) || code.n != 3)
		return -EBADMSG;
	h->status = 0;
	for (size_t i = 0; i < code.n; i++) {
		if (code.p[i] < '0' || code.p[i] > '9')
			return -EBADMSG;
		h->status = h->status * 10 + (unsigned int)(code.p[i] - '0');
	}
	h->status_text = code;
	if (!plain)
		h->ambiguity |= BIT(START_LINE_SPACE);
	return h->status >= 100 ? 0 : -EBADMSG;
}

/* Joins a folded line to the value before it, in place. */
static struct str unfold(struct str value, struct str line)
{
	char *gap = (char *)value.p + value.n;

	memset(gap, ' ', (size_t)(line.p - gap));
	return (struct str){value.p, (size_t)(line.p + line.n - value.p)};
}

static void split_field(struct http1_head *h, struct str line, struct str *name, struct str *value)
{
	const char *colon = memchr(line.p, ':', line.n);
	size_t n = colon ? (size_t)(colon - line.p) : line.n;

	*name = trim_end((struct str){line.p, n});
	*value = colon ? (struct str){colon + 1, line.n - n - 1} : (struct str){line.p + n, 0};
	if (colon && name->n != n)
		h->ambiguity |= BIT(SPACE_COLON);
	if (!colon || !name->n)
		h->ambiguity |= BIT(FIELD_LINE);
	else if (!is_token(*name))
		h->ambiguity |= BIT(FIELD_CHARS);
}

static void end_field(struct http1_head *h, struct str name, struct str value, bool trailer)
{
	if (!name.p)
		return;
	for (size_t i = 0; i < value.n; i++)
		if ((value.p[i] >= 0 && value.p[i] < ' ' && value.p[i] != '\t') ||
		    value.p[i] == 0x7f)
			h->ambiguity |= BIT(FIELD_CHARS);
	if (trailer)
		http1_head_trailer(h, name, value);
	else
		http1_head_field(h, name, value);
}

static void read_fields(struct http1_head *h, struct str rest, bool trailer)
{
	struct str line, name = STR_NONE, value = STR_NONE;
	unsigned int before = h->ambiguity;

	while (next_line(h, &rest, &line) && line.n) {
		if (!h->cut)
			before = h->ambiguity;
		if (!blank(line.p[0])) {
			end_field(h, name, value, trailer);
			split_field(h, line, &name, &value);
		} else if (name.p) {
			h->ambiguity |= BIT(OBS_FOLD);
			value = unfold(value, line);
		} else {
			h->ambiguity |= BIT(LEADING_SPACE);
		}
	}
	/* A field that is cut off says nothing, neither about framing nor about its form. */
	end_field(h, name, value, trailer || h->cut);
	if (h->cut)
		h->ambiguity = before;
}

int http1_head_read_lenient(struct http1_head *h, struct arena *a, struct str section,
			    uint32_t lines)
{
	struct str line;
	int err;

	*h = (struct http1_head){.cap = lines + 1}; /* one more that is cut off */
	h->headers = arena_alloc(a, h->cap * sizeof(*h->headers));
	if (!h->headers)
		return -ENOMEM;
	if (!next_line(h, &section, &line) || h->cut)
		return -EBADMSG;
	h->request = line.n < 5 || memcmp(line.p, "HTTP/", 5) != 0;
	err = h->request ? read_request_line(h, line) : read_status_line(h, line);
	if (err)
		return err;
	read_fields(h, section, false);
	return 0;
}

int http1_trailers_read(struct http1_head *h, struct arena *a, struct str section, uint32_t lines)
{
	struct header *grown;

	h->cap = h->count + lines + 1;
	grown = arena_alloc(a, h->cap * sizeof(*grown));
	if (!grown) {
		h->cap = h->count;
		return -ENOMEM;
	}
	if (h->count)
		memcpy(grown, h->headers, h->count * sizeof(*grown));
	h->headers = grown;
	read_fields(h, section, true);
	return 0;
}
