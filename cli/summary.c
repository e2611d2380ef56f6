/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/summary.h"

#include <inttypes.h>

#include "core/slice.h"
#include "identity/identity.h"
#include "select/human.h"

#define REASON_BYTES 512

/* By enum ev_lost. */
static const char *const lost_names[EV_LOST_CAUSES] = {
	[EV_LOST_RING] = "ring full",	  [EV_LOST_FAULT] = "page not readable",
	[EV_LOST_SNAP] = "beyond --snap", [EV_LOST_NOCOPY] = "never in a buffer",
	[EV_LOST_TABLE] = "table full",	  [EV_LOST_BUSY] = "scratch busy",
};

/* By enum limit_kind, behind the number of times that it was met. */
static const char *const limit_names[LIMIT_KINDS] = {
	[LIMIT_HEADER_BYTES] = "header sections longer than are kept",
	[LIMIT_HEADERS] = "header sections of more fields than are kept",
	[LIMIT_INTERIM] = "exchanges of more 1xx responses than are listed",
	[LIMIT_REQUESTS] = "requests given up because too many waited for a response",
	[LIMIT_STREAMS] = "streams given up because too many were open",
	[LIMIT_CONTINUATIONS] = "header blocks in more CONTINUATION frames than are read",
	[LIMIT_KEPT_BYTES] = "exchanges cut because the connection held too much",
	[LIMIT_HPACK_TABLE] = "HPACK tables larger than are kept",
	[LIMIT_HPACK_STRING] = "header fields longer than are decoded",
	[LIMIT_FRAME_BYTES] = "frames longer than their receiver allows",
	[LIMIT_SEARCH] = "times no frame boundary was found in what is looked through",
};

static uint64_t both(const __u64 v[DIR_COUNT])
{
	return v[DIR_WRITE] + v[DIR_READ];
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void put_name(FILE *out, const struct identity *id)
{
	struct buf b = {0};

	if (!id->key.tgid) { /* packets of anybody */
		fputs("packets", out);
		return;
	}
	human_text(&b, id->v[ID_COMM]);
	buf_printf(&b, "[%u]", (unsigned int)id->key.tgid);
	if (buf_ok(&b))
		fwrite(b.p, 1, b.n, out);
	buf_free(&b);
}

static void put_lost(FILE *out, const struct ev_counters *c, uint64_t lost)
{
	const char *before = " (";

	fprintf(out, " + lost %" PRIu64, lost);
	for (int i = 0; i < EV_LOST_CAUSES; i++) {
		if (!c->lost_bytes[i])
			continue;
		fprintf(out, "%s%s %" PRIu64, before, lost_names[i], (uint64_t)c->lost_bytes[i]);
		before = ", ";
	}
	if (lost)
		fputc(')', out);
}

/* What each stage says of itself must add up; when it does not, that is said and not smoothed over. */
static void put_balance(FILE *out, const struct ev_counters *c)
{
	uint64_t captured = both(c->captured_bytes), filtered = both(c->filtered_bytes);
	uint64_t generated = both(c->generated_bytes), lost = 0;

	for (int i = 0; i < EV_LOST_CAUSES; i++)
		lost += c->lost_bytes[i];
	fprintf(out, "    captured %" PRIu64, captured);
	put_lost(out, c, lost);
	fprintf(out, " + filtered %" PRIu64 " = generated %" PRIu64 " bytes\n", filtered,
		generated);
	if (captured + lost + filtered != generated)
		fprintf(out, "    THIS DOES NOT ADD UP, by %" PRId64 ": please report it\n",
			(int64_t)(generated - captured - lost - filtered));
	if (c->hdr.flags & EV_COUNTERS_DOUBTED)
		fputs("    filtered are calls of functions found by code shape, too: no TLS record "
		      "on "
		      "a socket went with them\n",
		      out);
	if (c->lost_events)
		fprintf(out, "    lost %" PRIu64 " other records (sockets, ends of connections)\n",
			(uint64_t)c->lost_events);
}

void summary_proc(FILE *out, const struct flow_proc_stats *p, bool packets)
{
	fputs("  ", out);
	put_name(out, p->proc);
	if (p->proc->key.tgid)
		fprintf(out, " %s", p->lib && *p->lib ? p->lib : "-");
	fprintf(out, ": %" PRIu64 " connection%s, ", p->conns, plural(p->conns));
	if (!packets)
		fprintf(out, "%" PRIu64 " calls out, %" PRIu64 " in, ",
			(uint64_t)p->counters.calls[DIR_WRITE],
			(uint64_t)p->counters.calls[DIR_READ]);
	fprintf(out, "%" PRIu64 " bytes out, %" PRIu64 " in, %" PRIu64 " transaction%s\n",
		p->bytes[DIR_WRITE], p->bytes[DIR_READ], p->txns, plural(p->txns));
	if (packets)
		return;
	if (p->counters.hdr.type == EV_COUNTERS)
		put_balance(out, &p->counters);
	else
		fputs("    the kernel side's counters are missing from the file\n", out);
}

static bool is_unread(const struct flow_proc_stats *p, const struct summary_totals *t)
{
	bool left_out = t->copied_less && both(p->counters.filtered_bytes);

	return p->tls_socks && !p->tls_conns && !left_out;
}

void summary_unread(FILE *out, const struct flow_proc_stats *p, const struct summary_totals *t)
{
	char why[REASON_BYTES] = "";

	if (!is_unread(p, t))
		return;
	fputs("  ", out);
	put_name(out, p->proc);
	fprintf(out, ": TLS on %" PRIu64 " of its sockets, but no plaintext", p->tls_socks);
	if (t->why)
		t->why(t->why_source, &p->proc->key, why, sizeof(why));
	fprintf(out, "%s%s (see tlslens doctor)\n", *why ? ": " : "", why);
}

const char *summary_reason(const struct summary_totals *t)
{
	if (t->txns || t->interrupted)
		return NULL;
	if (t->packets && !t->flow.conns)
		return "no protocol known here is in the packets";
	if (t->doubted && !t->flow.conns)
		return "functions found by code shape were called, but not seen to speak TLS: "
		       "nothing of them was copied";
	if (t->unread && !t->flow.conns)
		return "TLS was seen on sockets only, no call of a TLS library (reasons above)";
	if (!t->calls && !t->flow.conns)
		return "no TLS call was seen: none was made meanwhile, or through a function that "
		       "was not found (see tlslens doctor)";
	if (!t->flow.bytes && t->filtered_bytes)
		return "all bytes were of connections that do not fit --filter, or that are of "
		       "no use; none were copied";
	if (!t->flow.bytes)
		return "TLS calls were seen, but all their bytes were lost (causes above)";
	if (t->flow.unparsed_bytes)
		return "bytes were seen, but in no protocol known here (-o pcapng shows them)";
	return t->flow.txns || t->flow.refused
		       ? "nothing that was seen fits --filter, --sample or --count"
		       : "no message came to its end";
}

struct walk {
	FILE *out;
	struct summary_totals *t;
};

static void one_proc(const struct flow_proc_stats *p, void *arg)
{
	struct walk *w = arg;

	w->t->calls += both(p->counters.calls);
	w->t->doubted |= p->counters.hdr.flags & EV_COUNTERS_DOUBTED;
	w->t->generated_bytes += both(p->counters.generated_bytes);
	w->t->filtered_bytes += both(p->counters.filtered_bytes);
	if (p->conns || both(p->counters.calls))
		summary_proc(w->out, p, w->t->packets);
	summary_unread(w->out, p, w->t);
	w->t->unread |= is_unread(p, w->t);
}

/* Rare things: said only when they happened. */
static void put_if(FILE *out, uint64_t n, const char *what)
{
	if (n)
		fprintf(out, "  %" PRIu64 " %s\n", n, what);
}

static void put_unread(FILE *out, const struct flow_unread *u, const char *what)
{
	if (u->socks)
		fprintf(out, "  %" PRIu64 " connection%s not read, %" PRIu64 " bytes: %s\n",
			u->socks, plural(u->socks), u->bytes, what);
}

void summary_write(FILE *out, const struct flow *flow, struct summary_totals *t)
{
	struct walk walk = {out, t};
	const char *reason;

	flow_stats(flow, &t->flow);
	fprintf(out, "tlslens: %" PRIu64 " transaction%s, %" PRIu64 " connection%s\n", t->txns,
		plural(t->txns), t->flow.conns, plural(t->flow.conns));
	flow_each_proc(flow, one_proc, &walk);
	put_if(out, t->flow.gap_bytes, "bytes missing from the streams");
	put_if(out, t->flow.unparsed_bytes, "bytes in no protocol known here");
	if (t->packets) {
		put_unread(out, &t->flow.unread_tls, "TLS");
		put_unread(out, &t->flow.unread_unknown, "no protocol known here");
	}
	put_if(out, t->flow.resyncs, "times a stream was picked up again behind a loss");
	put_if(out, t->flow.stale,
	       "records dropped: their bytes were there before, or came too late");
	put_if(out, t->flow.conns_evicted, "connections given up for want of room");
	put_if(out, t->flow.names_evicted, "looked-up names forgotten for want of room");
	put_if(out, t->flow.hellos_dropped, "hellos of TLS not read to their end for want of room");
	for (int i = 0; i < LIMIT_KINDS; i++)
		put_if(out, t->flow.limits[i], limit_names[i]);
	put_if(out, t->source.bad_records, "records refused as damaged");
	reason = summary_reason(t);
	if (reason)
		fprintf(out, "tlslens: nothing to show: %s\n", reason);
}
