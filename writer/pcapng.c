/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pcapng row: the byte stream of every connection as packets that Wireshark dissects without
 * key or setting, an interface for every process. Decides what is written; how is in
 * pcapng_stream.c (packets of a connection), pcapng_paths.c (addresses), pcapng_tls.c,
 * pcapng_frames.c and pcapng_blocks.c (octets). Does not sort packets by time.
 */
#define HASH_NONFATAL_OOM 1
#include "writer/writer.h"

#include "capture/packet_filter.h"
#include "core/log.h"
#include "core/proto.h"
#include "core/version.h"
#include "identity/identity.h"
#include "writer/pcapng_comment.h"
#include "writer/pcapng_who.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <utlist.h>

#define PCAPNG_STREAMS_MAX 65536u /* live connections; the one idle longest is closed in the file */
#define PCAPNG_IFACES_MAX 65536u  /* processes; later ones share the last interface */
#define PCAPNG_PAD_MAX (16u << 20) /* a longer gap is not padded: the connection starts anew */

struct iface {
	struct proc_key key; /* padding zeroed: it is hashed */
	struct pcapng_stats stats;
	bool described; /* in this file */
	UT_hash_handle hh;
};

struct pcapng {
	struct out *out;
	struct writer_cfg cfg;
	struct iface *ifaces;	/* by key */
	uint32_t described;	/* interfaces in this file */
	struct stream *streams; /* by seq */
	struct stream *idle;	/* the same, the one idle longest first */
	struct path_table paths;
	struct packet_filter *filter; /* owned, or NULL */
	struct buf text, name;	      /* scratch: a comment or description, a name */
	uint64_t evicted;
};

static int put_scratch(struct pcapng *w, struct buf *block)
{
	int err = block->err ? block->err : out_put_kept(w->out, block->p, block->n);

	buf_free(block);
	return err;
}

static struct str text_of(const struct buf *b)
{
	return (struct str){(const char *)b->p, b->n};
}

static int write_section(struct pcapng *w)
{
	struct buf block = {0};

	buf_clear(&w->text);
	buf_printf(&w->text,
		   "tlslens: %s framing is synthetic, the application data is what the process "
		   "sent and received; secrets are %s",
		   w->cfg.tcp_framing ? "TCP" : "TCP and TLS",
		   w->cfg.redacted ? "masked" : "NOT masked");
	if (!buf_ok(&w->text))
		return w->text.err;
	pcapng_put_section(&block, STR("tlslens " TLSLENS_VERSION), text_of(&w->text));
	return put_scratch(w, &block);
}

static int write_interface(struct pcapng *w, const struct identity *id, bool others)
{
	struct buf block = {0};

	buf_clear(&w->name);
	buf_clear(&w->text);
	if (others) {
		buf_puts(&w->name, "others");
		buf_puts(&w->text, "processes beyond the limit of interfaces (synthetic framing)");
	} else {
		pcapng_put_iface_name(&w->name, id);
		pcapng_put_iface_description(&w->text, id);
	}
	if (!buf_ok(&w->name) || !buf_ok(&w->text))
		return -ENOMEM;
	pcapng_put_interface(&block, text_of(&w->name), text_of(&w->text));
	return put_scratch(w, &block);
}

/* Describes the interface in this file, before its first packet there. */
static int describe(struct pcapng *w, struct iface *f, const struct identity *id)
{
	bool others = f->key.tgid == UINT32_MAX;
	int err = f->described ? 0 : write_interface(w, id, others);

	if (err || f->described)
		return err;
	f->described = true;
	f->stats = (struct pcapng_stats){.iface = w->described++};
	return 0;
}

/* The interface of a process. */
static int iface_of(struct pcapng *w, const struct identity *id, struct iface **found)
{
	bool others = HASH_COUNT(w->ifaces) + 1 >= PCAPNG_IFACES_MAX;
	struct proc_key key;
	struct iface *f;

	memset(&key, 0, sizeof(key));
	if (id) {
		key.tgid = id->key.tgid;
		key.start_ns = id->key.start_ns;
	}
	HASH_FIND(hh, w->ifaces, &key, sizeof(key), f);
	if (!f && others) {
		memset(&key, 0xff, sizeof(key));
		HASH_FIND(hh, w->ifaces, &key, sizeof(key), f);
	}
	if (!f) {
		f = calloc(1, sizeof(*f));
		if (!f)
			return -ENOMEM;
		memcpy(&f->key, &key, sizeof(key));
		HASH_ADD(hh, w->ifaces, key, sizeof(f->key), f);
		if (!f->hh.tbl) {
			free(f);
			return -ENOMEM;
		}
	}
	*found = f;
	return describe(w, f, id);
}

static void stream_forget(struct pcapng *w, struct stream *s)
{
	pcapng_path_release(&w->paths, &s->node);
	HASH_DELETE(hh, w->streams, s);
	DL_DELETE(w->idle, s);
	free(s);
}

/* Closes, in the file only, the connection that was silent longest. */
static int evict(struct pcapng *w, const struct chunk *now)
{
	static const char why[] = "too many live connections: closed here, may go on below";
	struct stream_event ev = {
		.out = w->out, .filter = w->filter, .chunk = now, .comment = str_from(why)};
	struct stream *s = w->idle;
	int err = s->open ? pcapng_stream_close(s, &ev) : 0;

	w->evicted++;
	stream_forget(w, s);
	return err;
}

/*
 * Ports that Wireshark 4 gives to its HTTP dissector, which takes all that comes and never leaves
 * TLS to the TLS dissector. Plain framing shows HTTP there, the NULL cipher shows nothing.
 */
static bool is_http_port(uint16_t port)
{
	static const uint16_t ports[] = {80,   631,  1900, 2710, 2869, 3128,
					 3132, 3689, 5985, 8080, 8088, 11371};

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (ports[i] == port)
			return true;
	return false;
}

static enum framing framing_of(const struct pcapng *w, const struct conn *conn,
			       const struct frame_path *path)
{
	uint16_t a = path->end[DIR_WRITE].port, b = path->end[DIR_READ].port;

	if (conn->transport == TRANSPORT_UDP)
		return FRAMING_UDP;
	if (conn->plain || w->cfg.tcp_framing || is_http_port(a < b ? a : b))
		return FRAMING_TCP;
	return FRAMING_NULL_CIPHER;
}

static int stream_new(struct pcapng *w, const struct chunk *c, struct stream **made)
{
	const struct conn *conn = c->conn;
	struct stream *s;
	struct iface *f;
	int err;

	if (HASH_COUNT(w->streams) >= PCAPNG_STREAMS_MAX) {
		err = evict(w, c);
		if (err)
			return err;
	}
	err = iface_of(w, conn->proc, &f);
	if (err)
		return err;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->seq = conn->seq;
	s->iface = f;
	s->stats = &f->stats;
	s->pid = conn->proc ? conn->proc->key.tgid : 0;
	err = pcapng_path_claim(&w->paths, &s->node, conn, &s->path, &s->client);
	if (err < 0)
		goto out;
	s->path_kind = (enum path_kind)err;
	s->framing = framing_of(w, conn, &s->path);
	HASH_ADD(hh, w->streams, seq, sizeof(s->seq), s);
	if (!s->hh.tbl) {
		pcapng_path_release(&w->paths, &s->node);
		err = -ENOMEM;
		goto out;
	}
	DL_APPEND(w->idle, s);
	*made = s;
	return 0;
out:
	free(s);
	return err;
}

/* The connection's state, which is now the last to go; NULL when there is none and none to make. */
static int stream_of(struct pcapng *w, const struct chunk *c, bool make, struct stream **found)
{
	struct stream *s;
	int err = 0;

	HASH_FIND(hh, w->streams, &c->conn->seq, sizeof(c->conn->seq), s);
	if (!s && make) {
		err = stream_new(w, c, &s);
	} else if (s && make) {
		DL_DELETE(w->idle, s);
		DL_APPEND(w->idle, s);
		err = describe(w, s->iface, c->conn->proc);
	}
	if (err)
		return err;
	if (s && c->tid) /* an end is no thread's doing */
		s->tid = c->tid;
	*found = s;
	return 0;
}

static struct str alpn_of(const struct conn *conn)
{
	const struct proto_ops *proto;

	if (conn->alpn.n)
		return conn->alpn;
	proto = conn->proto ? proto_by_name(conn->proto) : NULL;
	return proto ? str_from(proto->alpn) : STR_NONE;
}

static struct stream_event event_of(struct pcapng *w, const struct chunk *c, struct str comment)
{
	return (struct stream_event){
		.out = w->out, .filter = w->filter, .chunk = c, .comment = comment};
}

/* Opens a connection that is not; the comment with the attribution goes with the SYN. */
static int ensure_open(struct pcapng *w, struct stream *s, const struct chunk *c)
{
	struct stream_event ev;

	if (s->open)
		return 0;
	pcapng_comment_begin(&w->text, s, c->conn, true);
	pcapng_comment_untold(&w->text, s);
	if (s->framing == FRAMING_TCP && !c->conn->plain && !w->cfg.tcp_framing)
		pcapng_comment_note(&w->text,
				    "TLS shown as plain TCP: this port means HTTP to Wireshark");
	if (s->continued)
		pcapng_comment_note(&w->text, "goes on from the file before");
	else if (s->epoch)
		pcapng_comment_note(&w->text, "continues a connection that lost bytes");
	s->continued = false;
	ev = event_of(w, c, pcapng_comment_end(&w->text));
	return pcapng_stream_open(s, &ev, alpn_of(c->conn));
}

static int write_datagram(struct pcapng *w, struct stream *s, const struct chunk *c)
{
	struct stream_event ev;

	buf_clear(&w->text);
	if (!s->open || s->dropped)
		pcapng_comment_begin(&w->text, s, c->conn, !s->open);
	pcapng_comment_untold(&w->text, s);
	if (s->dropped)
		pcapng_comment_note(&w->text, "datagrams were lost before this one");
	if (c->data.n > FRAME_UDP_PAYLOAD_MAX)
		pcapng_comment_note(&w->text, "cut: longer than a datagram can be");
	ev = event_of(w, c, pcapng_comment_end(&w->text));
	return pcapng_stream_data(s, &ev);
}

static int write_data(struct pcapng *w, struct stream *s, const struct chunk *c)
{
	struct stream_event ev = event_of(w, c, STR_NONE);
	int err;

	if (s->framing == FRAMING_UDP)
		return write_datagram(w, s, c);
	if (!c->data.n)
		return 0;
	err = ensure_open(w, s, c);
	return err ? err : pcapng_stream_data(s, &ev);
}

/*
 * What was lost is told with the next packet. Where a reader can go on by length, zeros stand for
 * it and bodies keep their size; where not, a new connection lets it dissect what comes later.
 */
static int write_gap(struct pcapng *w, struct stream *s, const struct chunk *c)
{
	bool pad = !c->resync_unsafe && c->gap_bytes && c->gap_bytes <= PCAPNG_PAD_MAX &&
		   s->framing != FRAMING_UDP;
	struct stream_event ev;
	int err;

	if (pad) {
		err = ensure_open(w, s, c);
		if (err)
			return err;
	}
	s->dropped++;
	s->stats->dropped++;
	if (!s->open || s->framing == FRAMING_UDP) {
		s->untold[c->dir] += c->gap_bytes;
		return 0;
	}
	pcapng_comment_begin(&w->text, s, c->conn, false);
	pcapng_comment_lost(&w->text, c->gap_bytes, c->dir);
	pcapng_comment_note(&w->text, pad ? "zeros stand for the lost bytes"
					  : "bytes are missing here: a new connection follows");
	ev = event_of(w, c, pcapng_comment_end(&w->text));
	return pad ? pcapng_stream_pad(s, &ev) : pcapng_stream_close(s, &ev);
}

static int write_close(struct pcapng *w, struct stream *s, const struct chunk *c)
{
	struct stream_event ev = event_of(w, c, STR_NONE);
	int err = s->open ? pcapng_stream_close(s, &ev) : 0;

	stream_forget(w, s);
	return err;
}

static int pcapng_chunk(void *self, const struct chunk *c)
{
	struct pcapng *w = self;
	bool make = c->kind != CHUNK_CLOSE;
	struct stream *s;
	int err = make ? out_begin(w->out)
		       : 0; /* first: what is described, and open, is so in a file */

	if (!err)
		err = stream_of(w, c, make, &s);
	if (err || !s)
		return err;
	if (c->kind == CHUNK_DATA)
		err = write_data(w, s, c);
	else if (c->kind == CHUNK_GAP)
		err = write_gap(w, s, c);
	else
		err = write_close(w, s, c);
	if (!err && w->cfg.unbuffered)
		err = out_flush(w->out);
	return err;
}

static int pcapng_flush(void *self)
{
	struct pcapng *w = self;

	return out_flush(w->out);
}

static int begin_file(void *arg)
{
	return write_section(arg);
}

/* Connections that live on are opened again in the next file, when they next say something. */
static int end_file(void *arg)
{
	struct pcapng *w = arg;
	struct buf block = {0};
	struct iface *f, *next;
	struct stream *s;

	HASH_ITER (hh, w->ifaces, f, next) {
		if (f->described)
			pcapng_put_stats(&block, &f->stats);
		f->described = false;
	}
	w->described = 0;
	DL_FOREACH (w->idle, s) {
		s->continued |= s->open;
		s->open = false;
	}
	return put_scratch(w, &block);
}

static void pcapng_free(struct pcapng *w)
{
	struct iface *f, *next;

	while (w->idle)
		stream_forget(w, w->idle);
	HASH_ITER (hh, w->ifaces, f, next) {
		HASH_DELETE(hh, w->ifaces, f);
		free(f);
	}
	packet_filter_free(w->filter);
	buf_free(&w->text);
	buf_free(&w->name);
	free(w);
}

static int pcapng_close(void *self)
{
	struct pcapng *w = self;
	int err = out_close(w->out);

	if (w->evicted)
		log_warn("pcapng: %" PRIu64 " live connections were closed early in the file, more "
			 "than %u at once",
			 w->evicted, PCAPNG_STREAMS_MAX);
	pcapng_free(w);
	return err;
}

static int pcapng_open(void **self, struct out *out, const struct writer_cfg *cfg)
{
	struct pcapng *w = calloc(1, sizeof(*w));
	struct out_frame frame = {begin_file, end_file, w};
	char why[128];
	int err = 0;

	if (!w)
		return -ENOMEM;
	w->out = out;
	w->cfg = *cfg;
	if (cfg->packet_filter)
		err = packet_filter_compile(&w->filter, cfg->packet_filter, LINKTYPE_ETHERNET, why,
					    sizeof(why));
	if (!err)
		err = out_set_frame(out, &frame);
	if (!err && cfg->unbuffered)
		err = out_flush(out);
	if (err) {
		out_set_frame(out, &(struct out_frame){0});
		pcapng_free(w);
		return err;
	}
	*self = w;
	return 0;
}

const struct writer_ops writer_pcapng = {
	.name = "pcapng",
	.wants_chunks = true,
	.open = pcapng_open,
	.chunk = pcapng_chunk,
	.flush = pcapng_flush,
	.close = pcapng_close,
};
