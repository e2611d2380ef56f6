/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The queue of records made in user space, and how each kind is made. */
#include "capture/inject.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

struct injected {
	struct injected *prev, *next;
	struct ev_hdr ev; /* the record goes on behind it */
};

void *inject_new(struct inject *q, enum ev_type type, size_t len, struct proc_key proc)
{
	struct injected *i = calloc(1, sizeof(*i) - sizeof(i->ev) + len);
	struct timespec ts;

	if (!i)
		return NULL;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	i->ev.ts_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	i->ev.start_ns = proc.start_ns;
	i->ev.tgid = i->ev.tid = proc.tgid;
	i->ev.type = type;
	i->ev.len = (uint32_t)len;
	DL_APPEND(q->head, i);
	return &i->ev;
}

int inject_next(struct inject *q, const struct ev_hdr **ev)
{
	free(q->out);
	q->out = q->head;
	if (!q->out)
		return 0;
	DL_DELETE(q->head, q->out);
	*ev = &q->out->ev;
	return 1;
}

void inject_free(struct inject *q)
{
	const struct ev_hdr *ev;

	while (inject_next(q, &ev))
		;
}

int inject_identity(struct inject *q, const struct identity *id)
{
	struct buf pairs = {.limit = EV_RECORD_MAX_BYTES - sizeof(struct ev_identity)};
	struct ev_identity *e;
	int err = identity_encode(id, &pairs);

	if (!err) {
		e = inject_new(q, EV_IDENTITY, sizeof(*e) + pairs.n, id->key);
		if (e && pairs.n)
			memcpy(e->pairs, pairs.p, pairs.n);
		err = e ? 0 : -ENOMEM;
	}
	buf_free(&pairs);
	return err;
}

int inject_exec(struct inject *q, const struct identity *id)
{
	struct ev_proc *e = id ? inject_new(q, EV_EXEC, sizeof(*e), id->key) : NULL;

	if (!e)
		return -ENOMEM;
	if (id->v[ID_COMM].p)
		memcpy(e->comm, id->v[ID_COMM].p, strnlen(id->v[ID_COMM].p, sizeof(e->comm) - 1));
	return 0;
}

int inject_lib(struct inject *q, unsigned int lib, const char *name)
{
	size_t n = strlen(name) + 1;
	struct ev_lib *e =
		inject_new(q, EV_LIB, offsetof(struct ev_lib, name) + n, (struct proc_key){0});

	if (!e)
		return -ENOMEM;
	e->lib = (uint8_t)lib;
	memcpy(e->name, name, n);
	return 0;
}

int inject_clock(struct inject *q, uint64_t mono_ns, uint64_t real_ns)
{
	struct ev_clock *e = inject_new(q, EV_CLOCK, sizeof(*e), (struct proc_key){0});

	if (!e)
		return -ENOMEM;
	e->mono_ns = mono_ns;
	e->real_ns = real_ns;
	return 0;
}

int inject_conn_end(struct inject *q, struct proc_key proc, const struct conn_key *key,
		    const struct conn_state *conn)
{
	struct ev_conn_end *e = inject_new(q, EV_CONN_END, sizeof(*e), proc);

	if (!e)
		return -ENOMEM;
	e->conn = key->ctx;
	e->gen = conn->at.gen;
	for (int d = 0; d < 2; d++) {
		e->off[d] = conn->at.off[d];
		e->lost[d] = conn->at.lost[d];
	}
	return 0;
}

int inject_counters(struct inject *q, struct proc_key proc, const struct proc_state *state)
{
	const struct proc_counts *n = &state->n;
	struct ev_counters *e = inject_new(q, EV_COUNTERS, sizeof(*e), proc);

	if (!e)
		return -ENOMEM;
	if (state->flags & PROC_DOUBTED)
		e->hdr.flags |= EV_COUNTERS_DOUBTED;
	for (int d = 0; d < 2; d++) {
		e->calls[d] = n->calls[d];
		e->generated_bytes[d] = n->generated_bytes[d];
		e->captured_bytes[d] = n->captured_bytes[d];
		e->filtered_bytes[d] = n->filtered_bytes[d];
	}
	memcpy(e->lost_bytes, n->lost_bytes, sizeof(e->lost_bytes));
	e->lost_events = n->lost_events;
	return 0;
}
