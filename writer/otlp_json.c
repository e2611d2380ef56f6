/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OTLP in JSON, a LogsData a line, as the OpenTelemetry Collector's otlpjsonfile receiver takes it. A transaction
 * is a log record: its fields are attributes, those of its process are the resource's.
 *
 * The mapping is that of Protobuf (64-bit integers as strings, names in lowerCamelCase, enums as numbers):
 * opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding".
 */
#include "writer/writer.h"

#include <errno.h>
#include <stdlib.h>

#include "core/attr_names.h"
#include "core/version.h"
#include "select/fields.h"
#include "select/human.h"
#include "select/json_emit.h"
#include "writer/json_value.h"

#define LINE_KEEP_BYTES (1u << 20)	 /* room that is kept for the next line */
#define LINE_MAX_BYTES ((size_t)1 << 30) /* more than an arena of escaped bytes can fill */

struct otlp {
	struct out *out;
	bool unbuffered;
	struct field_ref refs[FIELDS_MAX];
	size_t count;
	struct field field;
	struct buf line, text;
	struct buf resources; /* attributes of every resource, each with a comma before it */
	uint64_t told;	      /* of the lines that the output lost, by those it has */
};

static void put_any(struct buf *b, const struct attr *a);

static void put_string(struct buf *b, struct str s)
{
	json_puts(b, STR("{\"stringValue\":"));
	json_quoted(b, s);
	buf_putc(b, '}');
}

/* `,{"key":"name","value":` to be closed by the caller. */
static void put_key(struct buf *b, struct str name)
{
	json_puts(b, STR(",{\"key\":"));
	json_quoted(b, name);
	json_puts(b, STR(",\"value\":"));
}

static void put_pair(struct buf *b, struct str name, const struct attr *a)
{
	put_key(b, name);
	put_any(b, a);
	buf_putc(b, '}');
}

static void put_pair_string(struct buf *b, struct str name, struct str value)
{
	put_pair(b, name, &(struct attr){.type = ATTR_STR, .str = value});
}

/* The first pair has a comma too many: it becomes what opens the list. */
static void put_open(struct buf *b, size_t at, uint8_t opening)
{
	if (buf_ok(b) && b->n > at)
		b->p[at] = opening;
	else
		buf_putc(b, opening);
}

static void put_true(struct buf *b, struct str name)
{
	put_pair(b, name, &(struct attr){.type = ATTR_BOOL, .flag = true});
}

/* With the names of the JSON writer; what is not known is absent, not empty. */
static void put_header(struct buf *b, const struct header *h)
{
	bool unknown = !h->name.p, value = h->value.p || (!unknown && !h->oversize);
	size_t at;

	json_puts(b, STR("{\"kvlistValue\":{\"values\":"));
	at = b->n;
	if (!unknown)
		put_pair_string(b, STR("name"), h->name);
	if (value)
		put_pair_string(b, STR("value"), h->value);
	if (unknown)
		put_pair_string(b, STR("unknown"),
				value || h->oversize ? STR("name") : STR("both"));
	if (unknown && !value && !h->oversize)
		put_pair(b, STR("ref"), &(struct attr){.type = ATTR_INT, .num = h->ref});
	if (h->never_indexed)
		put_true(b, STR("never_indexed"));
	if (h->oversize)
		put_true(b, STR("oversize"));
	if (h->trailer)
		put_true(b, STR("trailer"));
	put_open(b, at, '[');
	json_puts(b, STR("]}}"));
}

static void put_array(struct buf *b, const struct attr *a)
{
	json_puts(b, STR("{\"arrayValue\":{\"values\":["));
	for (uint32_t i = 0; i < a->count; i++) {
		if (i)
			buf_putc(b, ',');
		if (a->type == ATTR_STRS)
			put_string(b, a->strs[i]);
		else
			put_header(b, &a->headers[i]);
	}
	json_puts(b, STR("]}}"));
}

/* AnyValue of opentelemetry/proto/common/v1/common.proto. */
static void put_any(struct buf *b, const struct attr *a)
{
	switch (a->type) {
	case ATTR_STR:
	case ATTR_JSON: /* a document of its own: as text */
		put_string(b, a->str);
		break;
	case ATTR_INT:
		json_puts(b, STR("{\"intValue\":\""));
		json_int(b, a->num);
		json_puts(b, STR("\"}"));
		break;
	case ATTR_BOOL:
		json_puts(b, a->flag ? STR("{\"boolValue\":true}") : STR("{\"boolValue\":false}"));
		break;
	case ATTR_STRS:
	case ATTR_HEADERS:
		put_array(b, a);
		break;
	case ATTR_BYTES:
		json_puts(b, STR("{\"bytesValue\":"));
		json_base64(b, a->str);
		buf_putc(b, '}');
		break;
	}
}

/* The envelope's fields of the process, or all others; the time and the line for people have places of their own. */
static void put_fields(struct otlp *o, const struct txn *t, bool of_process)
{
	for (size_t i = 0; i < o->count; i++) {
		if ((o->refs[i].scope == FIELD_OF_PROCESS) != of_process)
			continue;
		if (!strcmp(o->refs[i].name, "@timestamp") || !strcmp(o->refs[i].name, "message"))
			continue;
		if (field_get(&o->refs[i], t, &o->field))
			put_pair(&o->line, str_from(o->refs[i].name), &o->field.v);
	}
}

static void put_attrs(struct otlp *o, const struct txn *t)
{
	for (uint32_t i = 0; i < t->attr_count; i++)
		if (!attr_absent(&t->attrs[i]))
			put_pair(&o->line, str_from(t->attrs[i].name), &t->attrs[i]);
}

static void put_resource(struct otlp *o, const struct txn *t)
{
	struct buf *b = &o->line;
	size_t at;

	json_puts(b, STR("{\"resourceLogs\":[{\"resource\":{\"attributes\":"));
	at = b->n;
	put_fields(o, t, true);
	json_puts(b, (struct str){(const char *)o->resources.p, o->resources.n});
	put_open(b, at, '[');
	json_puts(b, STR("]},\"scopeLogs\":[{\"scope\":{\"name\":\"tlslens\",\"version\":"
			 "\"" TLSLENS_VERSION "\"},\"logRecords\":["));
}

static void put_time(struct buf *b, struct str name, uint64_t record_ns, const struct txn *t)
{
	int64_t ns = (int64_t)(record_ns + (uint64_t)t->clock_offset_ns);

	json_puts(b, name);
	json_int(b, ns < 0 ? 0 : ns);
	buf_putc(b, '"');
}

/* SeverityNumber of opentelemetry/proto/logs/v1/logs.proto. */
static void put_severity(struct buf *b, enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_CLIENT_ERROR:
		json_puts(b, STR(",\"severityNumber\":13,\"severityText\":\"WARN\""));
		break;
	case OUTCOME_SERVER_ERROR:
	case OUTCOME_ABORTED:
		json_puts(b, STR(",\"severityNumber\":17,\"severityText\":\"ERROR\""));
		break;
	default:
		json_puts(b, STR(",\"severityNumber\":9,\"severityText\":\"INFO\""));
		break;
	}
}

static void put_dropped(struct otlp *o)
{
	uint64_t lost = out_lost(o->out);

	if (lost != o->told)
		put_pair(&o->line, STR(JSON_DROPPED),
			 &(struct attr){.type = ATTR_INT, .num = (int64_t)(lost - o->told)});
}

static void put_record(struct otlp *o, const struct txn *t)
{
	struct buf *b = &o->line;
	size_t at;

	put_time(b, STR("{\"timeUnixNano\":\""), t->start_ns, t);
	put_time(b, STR(",\"observedTimeUnixNano\":\""), t->end_ns, t);
	put_severity(b, t->outcome);
	buf_clear(&o->text);
	human_message(&o->text, t);
	json_puts(b, STR(",\"body\":"));
	put_string(b, (struct str){(const char *)o->text.p, o->text.n});
	json_puts(b, STR(",\"attributes\":"));
	at = b->n;
	put_fields(o, t, false);
	put_attrs(o, t);
	put_dropped(o);
	put_open(b, at, '[');
	json_puts(b, STR("]}]}]}]}\n"));
}

static int otlp_txn(void *self, const struct txn *t)
{
	struct otlp *o = self;
	struct buf *b = &o->line;
	uint64_t lost = out_lost(o->out);
	int err;

	buf_clear(b);
	put_resource(o, t);
	put_record(o, t);
	err = b->err ? b->err : o->text.err;
	if (!err)
		err = out_put(o->out, b->p, b->n);
	if (out_lost(o->out) == lost)
		o->told = lost;
	if (b->cap > LINE_KEEP_BYTES)
		buf_free(b);
	return !err && o->unbuffered ? out_flush(o->out) : err;
}

static int otlp_flush(void *self)
{
	struct otlp *o = self;

	return out_flush(o->out);
}

static void otlp_free(struct otlp *o)
{
	field_free(&o->field);
	buf_free(&o->line);
	buf_free(&o->text);
	buf_free(&o->resources);
	free(o);
}

static int otlp_close(void *self)
{
	struct otlp *o = self;
	int err = out_close(o->out);

	otlp_free(o);
	return err;
}

static int otlp_open(void **self, struct out *out, const struct writer_cfg *cfg)
{
	struct otlp *o = calloc(1, sizeof(*o));
	size_t lead;
	int err;

	if (!o)
		return -ENOMEM;
	o->out = out;
	o->unbuffered = cfg->unbuffered;
	o->line.limit = LINE_MAX_BYTES;
	o->count = fields_list(o->refs, &lead);
	for (size_t i = 0; i < cfg->resource_count; i++)
		put_pair_string(&o->resources, cfg->resources[i].name, cfg->resources[i].value);
	err = o->resources.err;
	if (err)
		otlp_free(o);
	else
		*self = o;
	return err;
}

const struct writer_ops writer_otlp_json = {
	.name = "otlp-json",
	.wants_txns = true,
	.open = otlp_open,
	.txn = otlp_txn,
	.flush = otlp_flush,
	.close = otlp_close,
};
