/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes seen, by (tgid, start time). One stays for the summary after it exited; connections hold
 * references to the identity they began with.
 */
#include "flow/internal.h"

#include <errno.h>
#include <stdlib.h>

static void proc_free(struct flow *f, struct flow_proc *p)
{
	HASH_DEL(f->procs, p);
	identity_unref(p->identity);
	free(p->threads);
	free(p);
}

/* The first seen of those without connections makes room. */
static void evict(struct flow *f)
{
	struct flow_proc *p, *tmp;

	HASH_ITER (hh, f->procs, p, tmp) {
		if (p->conns)
			continue;
		proc_free(f, p);
		f->stats.procs_evicted++;
		return;
	}
}

struct flow_proc *flow_proc_get(struct flow *f, const struct ev_hdr *h)
{
	struct proc_key key;
	struct flow_proc *p;

	memset(&key, 0, sizeof(key)); /* padding is hashed too */
	key.start_ns = h->start_ns;
	key.tgid = h->tgid;
	HASH_FIND(hh, f->procs, &key, sizeof(key), p);
	if (p)
		return p;
	if (HASH_COUNT(f->procs) >= FLOW_PROCS_MAX)
		evict(f);
	p = calloc(1, sizeof(*p));
	if (!p)
		goto nomem;
	p->key = key;
	p->lib = "";
	p->identity = identity_new(key);
	if (!p->identity)
		goto nomem;
	HASH_ADD(hh, f->procs, key, sizeof(p->key), p);
	if (!p->hh.tbl)
		goto nomem;
	return p;
nomem:
	if (p)
		identity_unref(p->identity);
	free(p);
	flow_fail(f, -ENOMEM);
	return NULL;
}

void flow_proc_identity(struct flow *f, const struct ev_identity *ev)
{
	struct flow_proc *p = flow_proc_get(f, &ev->hdr);
	struct identity *id = p ? identity_new(p->key) : NULL;

	if (!id)
		return;
	if (identity_decode(id, ev->pairs, ev->hdr.len - sizeof(*ev))) {
		identity_unref(id); /* what was known before is better than half of it */
		return;
	}
	identity_unref(p->identity);
	p->identity = id;
}

void flow_proc_thread(struct flow *f, const struct ev_thread *ev)
{
	struct flow_proc *p = flow_proc_get(f, &ev->hdr);
	struct flow_thread *t;

	if (p && !p->threads)
		p->threads = calloc(FLOW_THREADS, sizeof(*p->threads));
	if (!p || !p->threads)
		return;
	t = &p->threads[ev->hdr.tid % FLOW_THREADS];
	t->tid = ev->hdr.tid;
	memcpy(t->name, ev->comm, EV_COMM_BYTES);
}

struct str flow_proc_thread_name(const struct flow_proc *p, uint32_t tid)
{
	const struct flow_thread *t = p->threads ? &p->threads[tid % FLOW_THREADS] : NULL;

	if (t && tid && t->tid == tid)
		return str_from(t->name);
	/* Of the first thread it is the process's, too, if nobody was quick enough to ask. */
	return p->identity && tid && tid == p->identity->key.tgid ? p->identity->v[ID_COMM]
								  : STR_NONE;
}

void flow_proc_free_all(struct flow *f)
{
	struct flow_proc *p, *tmp;

	HASH_ITER (hh, f->procs, p, tmp) {
		proc_free(f, p);
	}
}
