/* SPDX-License-Identifier: GPL-2.0-or-later */
#define HASH_NONFATAL_OOM 1
#include "capture/pcapng_records.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <uthash.h>

#include "capture/frame_read.h"
#include "core/cursor.h"
#include "core/slice.h"
#include "identity/identity.h"

#define TLS_HEAD_BYTES 5
#define TLS_MAC_BYTES 16
#define TLS_HEADER_BYTES 5
#define TLS_HANDSHAKE 22
#define TLS_CLIENT_HELLO 1
#define TLS_APPLICATION_DATA 23
#define LIB_ROWS_MAX 32
#define LIB_NAME_BYTES 32
#define ID_BYTES 64 /* of a connection's identifier in a comment */
#define WORD_BYTES 4096

/* The two ends as the process sees them; padding zeroed: it is hashed. */
struct conn_key {
	uint8_t local[16], peer[16];
	uint16_t lport, rport;
	uint32_t pid, iface;
	uint8_t v6, udp;
};

struct conn_state {
	struct conn_key key;
	char id[ID_BYTES];
	uint64_t number; /* from 1 */
	uint64_t off[DIR_COUNT];
	uint32_t next_seq[DIR_COUNT];
	bool seq_known[DIR_COUNT];
	bool plain, from_start, has_sock;
	bool tls_records; /* the bytes are in records of the NULL cipher */
	bool wanted;	  /* the packet at hand fits the filter */
	bool silent;	  /* no packet of it fitted the filter so far: nothing was told of it */
	struct ev_sock sock;
	uint8_t lib;
	UT_hash_handle hh;
};

struct pcapng_records {
	const struct packet_filter *filter; /* borrowed */
	struct buf pids;		    /* uint32_t of each interface, by its name; 0: none */
	struct conn_state *conns;
	uint64_t numbers, calls;
	bool clock_told;
	uint64_t sections; /* interfaces of different sections are different processes */
	char libs[LIB_ROWS_MAX][LIB_NAME_BYTES];
	uint8_t lib_count;
	struct pcapng_skipped skipped;
};

struct pcapng_records *pcapng_records_new(const struct packet_filter *filter)
{
	struct pcapng_records *r = calloc(1, sizeof(*r));

	if (r)
		r->filter = filter;
	return r;
}

static void forget(struct pcapng_records *r, struct conn_state *c)
{
	HASH_DELETE(hh, r->conns, c);
	free(c);
}

void pcapng_records_free(struct pcapng_records *r)
{
	if (!r)
		return;
	while (r->conns)
		forget(r, r->conns);
	buf_free(&r->pids);
	free(r);
}

const struct pcapng_skipped *pcapng_records_skipped(const struct pcapng_records *r)
{
	return &r->skipped;
}

static struct ev_hdr head_of(const struct pcapng_records *r, const struct pcapng_block *b,
			     enum ev_type type, size_t n)
{
	return (struct ev_hdr){
		.ts_ns = b->ts_ns,
		.start_ns = r->sections << 32 | (b->iface + 1u),
		.tgid = b->pid,
		.tid = b->tid,
		.type = (uint16_t)type,
		.len = (uint32_t)n,
	};
}

/* A record of n octets, and what aligns the next one. */
static int put_record(struct buf *out, const void *record, size_t n)
{
	static const uint8_t zeros[8];

	buf_put(out, record, n);
	return buf_put(out, zeros, -n & 7);
}

/* Hands out the word behind "key=" of a comment or description. */
static bool find_word(struct str text, const char *key, struct str *word)
{
	size_t k = strlen(key);

	for (size_t i = 0; i + k < text.n; i++) {
		if ((i && text.p[i - 1] != ' ') || memcmp(text.p + i, key, k) != 0 ||
		    text.p[i + k] != '=')
			continue;
		word->p = text.p + i + k + 1;
		word->n = 0;
		while (word->p + word->n < text.p + text.n && word->p[word->n] != ' ')
			word->n++;
		return word->n > 0;
	}
	return false;
}

static bool has_note(struct str text, const char *note)
{
	return text.n && memmem(text.p, text.n, note, strlen(note)) != NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes the writer's \xNN. */
static size_t unescape(char *to, size_t cap, struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n && n < cap; i++) {
		if (i + 3 < s.n && s.p[i] == '\\' && s.p[i + 1] == 'x' &&
		    hex_digit(s.p[i + 2]) >= 0 && hex_digit(s.p[i + 3]) >= 0) {
			to[n++] = (char)(hex_digit(s.p[i + 2]) << 4 | hex_digit(s.p[i + 3]));
			i += 3;
		} else {
			to[n++] = s.p[i];
		}
	}
	return n;
}

static uint64_t number_of(struct str s)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && v < UINT64_MAX / 10 - 1;
	     i++)
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	return v;
}

static void put_pair(struct buf *b, enum identity_field f, struct str value)
{
	char text[WORD_BYTES];
	size_t n = unescape(text, sizeof(text), value);

	if (!n || memchr(text, '\0', n))
		return;
	buf_put(b, identity_fields[f].name, strlen(identity_fields[f].name) + 1);
	buf_put(b, text, n);
	buf_putc(b, '\0');
}

static void put_described(struct buf *b, struct str description)
{
	struct str word;
	const char *slash;

	if (find_word(description, "exe", &word))
		put_pair(b, ID_EXE, word);
	if (find_word(description, "container", &word))
		put_pair(b, ID_CONTAINER_NAME, word);
	if (find_word(description, "id", &word))
		put_pair(b, ID_CONTAINER_ID, word);
	if (!find_word(description, "pod", &word))
		return;
	slash = memchr(word.p, '/', word.n);
	if (slash) {
		put_pair(b, ID_K8S_NAMESPACE, (struct str){word.p, (size_t)(slash - word.p)});
		word.n -= (size_t)(slash + 1 - word.p);
		word.p = slash + 1;
	}
	put_pair(b, ID_K8S_POD, word);
}

/* "comm[pid]" or "comm[pid]@container": the last "[" that a number and "]" follow. */
static bool split_name(struct str name, struct str *comm, uint32_t *pid)
{
	for (size_t i = name.n; i-- > 0;) {
		size_t end = i + 1;

		if (name.p[i] != '[')
			continue;
		while (end < name.n && name.p[end] >= '0' && name.p[end] <= '9')
			end++;
		if (end == i + 1 || end == name.n || name.p[end] != ']')
			continue;
		*comm = (struct str){name.p, i};
		*pid = (uint32_t)number_of((struct str){name.p + i + 1, end - i - 1});
		return true;
	}
	return false;
}

static int put_identity(struct pcapng_records *r, const struct pcapng_block *b, struct buf *out)
{
	struct pcapng_block who = *b;
	struct buf record = {0};
	struct ev_hdr h = {0};
	struct str comm;
	bool named = split_name(b->name, &comm, &who.pid);
	int err = buf_put(&r->pids, &who.pid, sizeof(who.pid));

	if (!named || err)
		return err;
	buf_put(&record, &h, sizeof(h));
	if (!(comm.n == 1 && comm.p[0] == '?'))
		put_pair(&record, ID_COMM, comm);
	put_described(&record, b->description);
	h = head_of(r, &who, EV_IDENTITY, record.n);
	err = record.err;
	if (!err) {
		memcpy(record.p, &h, sizeof(h));
		err = put_record(out, record.p, record.n);
	}
	buf_free(&record);
	return err;
}

/* The times in the file are of the day, and so are those of the records: nothing to add. */
static int put_clock(struct pcapng_records *r, const struct pcapng_block *b, struct buf *out)
{
	struct ev_clock c = {.hdr = head_of(r, b, EV_CLOCK, sizeof(c))};

	c.hdr.tgid = 0;
	c.mono_ns = c.real_ns = b->ts_ns;
	r->clock_told = true;
	return put_record(out, &c, sizeof(c));
}

/* The row of a TLS library by its name; told with its first use. */
static int lib_of(struct pcapng_records *r, const struct pcapng_block *b, struct str name,
		  uint8_t *lib, struct buf *out)
{
	struct {
		struct ev_lib lib;
		char more[LIB_NAME_BYTES];
	} record;
	size_t n = offsetof(struct ev_lib, name) + name.n + 1;

	*lib = 0;
	for (uint8_t i = 0; i < r->lib_count; i++)
		if (str_eq(str_from(r->libs[i]), name))
			*lib = i + 1;
	if (*lib || r->lib_count == LIB_ROWS_MAX || name.n >= LIB_NAME_BYTES)
		return 0;
	memcpy(r->libs[r->lib_count++], name.p, name.n);
	*lib = r->lib_count;
	memset(&record, 0, sizeof(record));
	record.lib.hdr = head_of(r, b, EV_LIB, n);
	record.lib.lib = *lib;
	memcpy((char *)&record + offsetof(struct ev_lib, name), name.p, name.n);
	return put_record(out, &record, n);
}

/* "192.0.2.1:443" or "[2001:db8::1]:443" */
static bool read_addr(struct str word, bool *v6, uint8_t addr[16], uint16_t *port)
{
	const char *colon = memrchr(word.p, ':', word.n);
	char text[INET6_ADDRSTRLEN + 2] = "";
	size_t n = colon ? (size_t)(colon - word.p) : 0;

	if (!n || n >= sizeof(text))
		return false;
	memcpy(text, word.p, n);
	*port = (uint16_t)number_of((struct str){colon + 1, word.n - n - 1});
	*v6 = text[0] == '[' && text[n - 1] == ']';
	if (*v6)
		text[n - 1] = '\0';
	memset(addr, 0, 16);
	return inet_pton(*v6 ? AF_INET6 : AF_INET, text + *v6, addr) == 1;
}

/* The socket that the comment of the first packet tells of; false: it is not known. */
static bool make_sock(struct pcapng_records *r, const struct pcapng_block *b, struct conn_state *c)
{
	struct ev_sock s = {.hdr = head_of(r, b, EV_SOCK, sizeof(s)), .fd = -1};
	struct str side = STR_NONE, local, peer;
	bool v6 = c->key.v6, peer_v6;

	s.conn = c->plain ? 0 : c->number;
	s.hdr.flags = c->plain ? 0 : EV_SOCK_TLS;
	s.gen = s.conn;
	s.sock = c->number;
	s.type = c->key.udp ? SOCK_DGRAM : SOCK_STREAM;
	s.protocol = c->key.udp ? IPPROTO_UDP : IPPROTO_TCP;
	s.lport = c->key.lport;
	s.rport = c->key.rport;
	memcpy(s.laddr, c->key.local, sizeof(s.laddr));
	memcpy(s.raddr, c->key.peer, sizeof(s.raddr));
	if (find_word(b->comment, "local", &local) && find_word(b->comment, "peer", &peer) &&
	    (!read_addr(local, &v6, s.laddr, &s.lport) ||
	     !read_addr(peer, &peer_v6, s.raddr, &s.rport) || v6 != peer_v6))
		return false; /* not as the writer writes it */
	s.family = v6 ? AF_INET6 : AF_INET;
	if (find_word(b->comment, "socket", &side))
		s.family = AF_UNIX;
	if (find_word(b->comment, "side", &side))
		s.accepted = str_eq(side, STR("server")) ? 1 : 2;
	c->sock = s;
	return true;
}

static struct conn_key key_of(const struct pcapng_block *b, const struct frame *f, enum dir dir)
{
	const struct endpoint *local = dir == DIR_WRITE ? &f->src : &f->dst;
	const struct endpoint *peer = dir == DIR_WRITE ? &f->dst : &f->src;
	struct conn_key k;

	memset(&k, 0, sizeof(k));
	memcpy(k.local, local->addr, sizeof(k.local));
	memcpy(k.peer, peer->addr, sizeof(k.peer));
	k.lport = local->port;
	k.rport = peer->port;
	k.pid = b->pid;
	k.iface = b->iface;
	k.v6 = f->v6;
	k.udp = f->udp;
	return k;
}

/* What the comment of the first packet says of the connection. */
static int conn_begin(struct pcapng_records *r, const struct pcapng_block *b, struct conn_state *c,
		      struct str id, struct buf *out)
{
	bool unix_sock, documentation;
	struct str word;
	int err = 0;

	memset(c->id, 0, sizeof(c->id));
	memcpy(c->id, id.p, id.n < ID_BYTES ? id.n : ID_BYTES - 1);
	c->number = ++r->numbers;
	memset(c->off, 0, sizeof(c->off));
	c->plain = !find_word(b->comment, "lib", &word);
	if (!c->plain)
		err = lib_of(r, b, word, &c->lib, out);
	c->from_start = !find_word(b->comment, "joined", &word);
	unix_sock = find_word(b->comment, "socket", &word);
	documentation = has_note(b->comment, "documentation addresses stand for");
	c->has_sock = (unix_sock || !documentation) && make_sock(r, b, c);
	c->silent = true;
	return err;
}

/* A packet of the connection fits the filter. */
static int speak(struct conn_state *c, struct buf *out)
{
	bool first = c->silent;

	c->silent = false;
	return first && c->has_sock ? put_record(out, &c->sock, sizeof(c->sock)) : 0;
}

static int conn_end(struct pcapng_records *r, const struct pcapng_block *b, struct conn_state *c,
		    struct buf *out)
{
	struct ev_conn_end e = {.hdr = head_of(r, b, EV_CONN_END, sizeof(e))};
	struct ev_sock_close s = {.hdr = head_of(r, b, EV_SOCK_CLOSE, sizeof(s)),
				  .sock = c->number};
	int err;

	e.conn = e.gen = c->number;
	memcpy(e.off, c->off, sizeof(e.off));
	err = c->silent ? 0 : put_record(out, &e, sizeof(e));
	if (!err && c->has_sock && !c->silent)
		err = put_record(out, &s, sizeof(s));
	forget(r, c);
	return err;
}

/* Bytes that one call moved; p NULL: they were lost. */
static int put_data(struct pcapng_records *r, const struct pcapng_block *b, struct conn_state *c,
		    enum dir dir, const uint8_t *p, uint64_t n, struct buf *out)
{
	struct ev_data d = {.hdr = head_of(r, b, EV_DATA, sizeof(d)), .dir = (uint8_t)dir};
	uint64_t most = p ? EV_PART_MAX_BYTES : UINT32_MAX, at = 0;
	int err = 0;

	if (c->silent) {
		c->from_start = false;
		return 0;
	}
	d.conn = c->number;
	d.gen = c->plain ? 0 : c->number;
	d.sock = c->has_sock ? c->number : 0;
	d.lib = c->lib;
	d.call = ++r->calls;
	d.hdr.flags =
		(uint16_t)((c->plain ? EV_DATA_PLAIN
			    : d.sock ? EV_DATA_NESTED
				     : 0) |
			   (c->key.udp ? EV_DATA_DGRAM : 0) |
			   (c->from_start ? EV_DATA_FROM_START : 0) | (p ? 0 : EV_DATA_FAULT));
	do {
		d.want = (uint32_t)(n - at < most ? n - at : most);
		d.got = p ? d.want : 0;
		d.off = c->off[dir];
		d.hdr.len = (uint32_t)(offsetof(struct ev_data, buf) + d.got);
		buf_put(out, &d, offsetof(struct ev_data, buf));
		err = p ? put_record(out, p + at, d.got) : out->err;
		c->off[dir] += d.want;
		at += d.want;
		d.part++;
	} while (!err && at < n);
	return err;
}

/* The bytes within a segment: what records of application data hold, or all there is. */
static int put_payload(struct pcapng_records *r, const struct pcapng_block *b, struct conn_state *c,
		       enum dir dir, const struct frame *f, struct buf *out)
{
	bool lost = !c->wanted || has_note(b->comment, "(zeros stand for the lost bytes)");
	struct cursor cur = cursor_init(f->payload, f->n);
	struct cursor body;
	uint8_t type;
	size_t n;

	if (!c->tls_records)
		return put_data(r, b, c, dir, lost ? NULL : f->payload, f->n, out);
	while (cursor_left(&cur)) {
		type = cursor_u8(&cur);
		cursor_skip(&cur, 2);
		n = cursor_u16(&cur);
		body = cursor_sub(&cur, n);
		if (!cursor_ok(&cur) || (type == TLS_APPLICATION_DATA && n < TLS_MAC_BYTES)) {
			r->skipped.unread++;
			return 0;
		}
		if (type == TLS_APPLICATION_DATA &&
		    put_data(r, b, c, dir, lost ? NULL : body.pos, n - TLS_MAC_BYTES, out))
			return -ENOMEM;
	}
	return 0;
}

/* The client's hello has the name of the server in it; the server's is made up by the writer. */
static int put_hello(struct pcapng_records *r, const struct pcapng_block *b,
		     const struct conn_state *c, enum dir dir, const struct frame *f,
		     struct buf *out)
{
	struct ev_sock_io io = {.hdr = head_of(r, b, EV_SOCK_IO, sizeof(io) + f->n)};

	if (c->silent || !c->has_sock || f->n <= TLS_HEADER_BYTES ||
	    f->payload[TLS_HEADER_BYTES] != TLS_CLIENT_HELLO)
		return 0;
	io.hdr.flags = EV_SOCK_IO_HELLO;
	io.sock = c->number;
	io.want = io.got = (uint32_t)f->n;
	io.dir = (uint8_t)dir;
	buf_put(out, &io, sizeof(io));
	return put_record(out, f->payload, f->n);
}

/* "lost=N of=sent" of a comment; 0 when it does not know how many. */
static uint64_t lost_of(struct str comment, enum dir *dir)
{
	struct str n = STR_NONE, of = STR_NONE;

	if (!find_word(comment, "lost", &n))
		return 0;
	*dir = find_word(comment, "of", &of) && str_eq(of, STR("sent")) ? DIR_WRITE : DIR_READ;
	return number_of(n);
}

static int on_segment(struct pcapng_records *r, const struct pcapng_block *b, struct conn_state *c,
		      enum dir dir, const struct frame *f, struct buf *out)
{
	int32_t ahead = c->seq_known[dir] ? (int32_t)(f->seq - c->next_seq[dir]) : 0;
	int err = 0;

	if (ahead < 0) {
		r->skipped.again++;
		return 0;
	}
	if (ahead > 0)
		err = put_data(r, b, c, dir, NULL, (uint32_t)ahead, out);
	c->seq_known[dir] = true;
	c->next_seq[dir] = f->seq + (uint32_t)f->want + !!(f->flags & (FRAME_SYN | FRAME_FIN));
	if (!f->n || err)
		return err;
	if (f->payload[0] == TLS_HANDSHAKE && !c->plain) {
		c->tls_records = true;
		err = put_hello(r, b, c, dir, f, out);
	}
	return err ? err : put_payload(r, b, c, dir, f, out);
}

/* The connection ends, or bytes are missing in it and it goes on with another SYN. */
static int on_fin(struct pcapng_records *r, const struct pcapng_block *b, struct conn_state *c,
		  struct buf *out)
{
	enum dir dir = DIR_READ;
	uint64_t lost = lost_of(b->comment, &dir);

	memset(c->seq_known, 0, sizeof(c->seq_known));
	if (!has_note(b->comment, "(bytes are missing here"))
		return b->comment.n ? 0 : conn_end(r, b, c, out);
	return lost ? put_data(r, b, c, dir, NULL, lost, out) : 0;
}

static int conn_of(struct pcapng_records *r, const struct pcapng_block *b,
		   const struct conn_key *key, struct conn_state **found, struct buf *out)
{
	struct conn_state *c;
	struct str id = STR_NONE;

	HASH_FIND(hh, r->conns, key, sizeof(*key), c);
	*found = c;
	find_word(b->comment, "conn", &id);
	if (!id.n || (c && str_eq(str_from(c->id), id)))
		return 0;
	if (!c && HASH_COUNT(r->conns) == PCAPNG_RECORDS_CONNS_MAX) {
		r->skipped.beyond++;
		return 0;
	}
	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return -ENOMEM;
		c->key = *key;
		HASH_ADD(hh, r->conns, key, sizeof(c->key), c);
		if (!c->hh.tbl) {
			free(c);
			return -ENOMEM;
		}
	}
	*found = c;
	return conn_begin(r, b, c, id, out);
}

static int on_packet(struct pcapng_records *r, const struct pcapng_block *b, struct buf *out)
{
	enum dir dir = b->direction == PCAPNG_OUTBOUND ? DIR_WRITE : DIR_READ;
	struct conn_state *c;
	struct conn_key key;
	struct frame f;
	int err;

	if (!b->direction || frame_read(&f, b->linktype, b->frame, b->captured) != FRAME_OK ||
	    f.n != f.want) {
		r->skipped.unread++;
		return 0;
	}
	key = key_of(b, &f, dir);
	err = conn_of(r, b, &key, &c, out);
	if (err)
		return err;
	if (!c) {
		/* the answer to a FIN, and what acknowledges that */
		r->skipped.unknown += f.n > 0;
		return 0;
	}
	c->wanted = packet_filter_match(r->filter, b->frame, b->captured, b->len);
	err = c->wanted ? speak(c, out) : 0;
	if (err)
		return err;
	if (f.udp)
		return put_data(r, b, c, dir, c->wanted ? f.payload : NULL, f.n, out);
	if (f.flags & FRAME_SYN) {
		c->seq_known[dir] = false;
		c->tls_records = false;
	}
	err = on_segment(r, b, c, dir, &f, out);
	return !err && f.flags & FRAME_FIN ? on_fin(r, b, c, out) : err;
}

/* Programs that save a file again may drop the option with the pid, never the name of the interface. */
static struct pcapng_block with_pid(const struct pcapng_records *r, const struct pcapng_block *b)
{
	struct pcapng_block with = *b;

	if (!b->pid && b->iface < r->pids.n / sizeof(with.pid))
		memcpy(&with.pid, r->pids.p + b->iface * sizeof(with.pid), sizeof(with.pid));
	return with;
}

int pcapng_records_put(struct pcapng_records *r, const struct pcapng_block *b, struct buf *out)
{
	struct pcapng_block with;
	int err = 0;

	switch (b->kind) {
	case PCAPNG_SECTION:
		r->sections++;
		while (r->conns)
			forget(r, r->conns);
		buf_clear(&r->pids);
		return 0;
	case PCAPNG_INTERFACE:
		return put_identity(r, b, out);
	case PCAPNG_PACKET:
		if (!r->clock_told)
			err = put_clock(r, b, out);
		with = with_pid(r, b);
		return err ? err : on_packet(r, &with, out);
	}
	return 0;
}
