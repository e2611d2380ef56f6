/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/targets_who.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* /proc may tell of a later image already, or of the same with arguments that were cut in the record. */
static bool same_image(const struct identity *known, const struct identity *now)
{
	struct str had = known->v[ID_CMDLINE], has = now->v[ID_CMDLINE];

	return !had.n || (has.n >= had.n && memcmp(has.p, had.p, had.n) == 0);
}

/* Takes what /proc says over what was known, but not of another image what the kernel told of this one. */
static void prefer(struct identity *id, const struct identity *now)
{
	bool same = same_image(id, now);

	for (int f = 0; f < ID_FIELDS; f++)
		if (now->v[f].n && (same || (f != ID_COMM && f != ID_EXE && f != ID_CMDLINE)))
			identity_set(id, f, now->v[f].p, now->v[f].n);
}

struct identity *targets_identify(const struct targets *ts, struct proc_key key,
				  const struct identity *known)
{
	struct identity *id = identity_new(key), *now = identity_new(key);
	uint64_t start_ns;

	if (!id || !now)
		goto out;
	if (known)
		identity_fill_up(id, known);
	identity_fill(now, &ts->identity);
	/* The id may be another process's by now, and then all that was read is. */
	if (identity_start_time(key.tgid, &start_ns) < 0 || start_ns != key.start_ns)
		goto out;
	prefer(id, now);
out:
	identity_unref(now);
	return id;
}

static void set_number(struct identity *id, enum identity_field f, uint32_t v)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", v);

	identity_set(id, f, text, (size_t)n);
}

/* Its parent, and whose child that is. */
static void set_ancestors(struct identity *id, const struct target *parent)
{
	const struct identity *p = parent->identity;
	struct str list = p->v[ID_ANCESTORS], one;
	char text[64];
	int n = snprintf(text, sizeof(text), "%.*s[%u]", (int)p->v[ID_COMM].n, p->v[ID_COMM].p,
			 parent->key.tgid);

	identity_set(id, ID_ANCESTORS, "", 0);
	if (n > 0 && (size_t)n < sizeof(text))
		identity_add(id, ID_ANCESTORS, text, (size_t)n);
	for (int i = 1; i < ANCESTORS_MAX && identity_next(&list, &one); i++)
		identity_add(id, ID_ANCESTORS, one.p, one.n);
}

/* A child is what its parent is, but for what it is called by. */
struct identity *targets_identify_forked(const struct targets *ts, struct proc_key key,
					 const struct target *parent)
{
	struct identity *known = parent && parent->identity ? identity_new(key) : NULL, *id;

	if (known) {
		identity_fill_up(known, parent->identity);
		identity_set(known, ID_NS_PID, "", 0);
		set_number(known, ID_PARENT_PID, parent->key.tgid);
		if (ts->identity.ancestors)
			set_ancestors(known, parent);
	}
	id = targets_identify(ts, key, known);
	identity_unref(known);
	return id;
}

/* What an EV_EXEC itself says of the new image. */
static void take_exec_facts(struct identity *id, const struct ev_exec *e)
{
	size_t args = e->args_len;

	while (args && e->args[args - 1] == '\0')
		args--;
	identity_set(id, ID_CMDLINE, e->args, args);
	if (e->exe[0] == '/')
		identity_set(id, ID_EXE, e->exe, strlen(e->exe));
	set_number(id, ID_PARENT_PID, e->parent_tgid);
	set_number(id, ID_USER_ID, e->uid);
	if (e->inner_pid && e->inner_pid != e->proc.hdr.tgid)
		set_number(id, ID_NS_PID, e->inner_pid);
}

/* Who else is in that control group knows its container; NULL: nobody. */
static const struct identity *neighbour(const struct targets *ts, const struct target *but,
					uint64_t cgroup_id)
{
	for (const struct target *t = ts->live; t; t = t->hh.next)
		if (t != but && t->identity && t->identity->v[ID_CGROUP_ID].n &&
		    strtoull(t->identity->v[ID_CGROUP_ID].p, NULL, 10) == cgroup_id)
			return t->identity;
	return NULL;
}

/* What execve(2) leaves as it is, and of a neighbour what belongs to the group. */
static void keep_across_exec(struct identity *id, const struct identity *before,
			     const struct identity *beside)
{
	static const struct {
		enum identity_field field;
		bool shared;
	} rows[] = {
		{ID_PARENT_PID, false},	    {ID_ANCESTORS, false},	  {ID_USER_ID, false},
		{ID_USER_NAME, false},	    {ID_NS_PID, false},		  {ID_PID_NS, false},
		{ID_NET_NS, false},	    {ID_MNT_NS, false},		  {ID_CGROUP, true},
		{ID_CGROUP_ID, true},	    {ID_CONTAINER_ID, true},	  {ID_CONTAINER_NAME, true},
		{ID_CONTAINER_IMAGE, true}, {ID_CONTAINER_RUNTIME, true}, {ID_K8S_NAMESPACE, true},
		{ID_K8S_POD, true},	    {ID_K8S_POD_UID, true},	  {ID_K8S_CONTAINER, true},
		{ID_K8S_NODE, true},	    {ID_CONTAINER_LABELS, true},  {ID_POD_LABELS, true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum identity_field f = rows[i].field;
		const struct identity *from = before && before->v[f].n ? before
					      : rows[i].shared	       ? beside
								       : NULL;

		if (from && !id->v[f].p && from->v[f].n)
			identity_set(id, f, from->v[f].p, from->v[f].n);
	}
}

struct identity *targets_identify_exec(const struct targets *ts, const struct target *t,
				       const struct ev_proc *e)
{
	struct identity *known = identity_new(t->key), *id;

	if (!known)
		return NULL;
	identity_set(known, ID_COMM, e->comm, sizeof(e->comm));
	if (e->hdr.len > sizeof(*e))
		take_exec_facts(known, (const struct ev_exec *)e);
	keep_across_exec(known, t->identity, neighbour(ts, t, e->hdr.cgroup_id));
	/* The note may be of this image, of the one before or, when records come late, of a later one. */
	if (t->next_identity && t->next_noted_ns > e->hdr.ts_ns) {
		prefer(known, t->next_identity);
		return known;
	}
	id = targets_identify(ts, t->key, known);
	identity_unref(known);
	return id;
}

/* By the last digits of their ids; one that meets another there makes it be looked at again. */
#define THREAD_NAMES 64
#define THREAD_NAME_NS 1000000000ull /* a thread may be renamed: it is looked at again then */

struct thread_names {
	struct {
		uint32_t tid;
		char comm[EV_COMM_BYTES];
		uint64_t looked_ns;
	} v[THREAD_NAMES];
};

void target_note_thread(struct targets *ts, struct target *t, uint32_t tid, uint64_t now_ns)
{
	char path[48], comm[EV_COMM_BYTES + 1];
	struct ev_thread *ev;
	size_t at = tid % THREAD_NAMES;
	int n;

	if (!t->threads)
		t->threads = calloc(1, sizeof(*t->threads));
	if (!t->threads ||
	    (t->threads->v[at].tid == tid && now_ns - t->threads->v[at].looked_ns < THREAD_NAME_NS))
		return;
	snprintf(path, sizeof(path), "task/%u/comm", tid);
	n = identity_read(t->key.tgid, path, comm, sizeof(comm));
	if (n > 0 && comm[n - 1] == '\n')
		comm[--n] = '\0';
	if (n > 0 && (t->threads->v[at].tid != tid ||
		      strncmp(t->threads->v[at].comm, comm, EV_COMM_BYTES) != 0)) {
		ev = inject_new(ts->inject, EV_THREAD, sizeof(*ev), t->key);
		if (ev) {
			ev->hdr.tid = tid;
			memcpy(ev->comm, comm,
			       (size_t)n < EV_COMM_BYTES ? (size_t)n : EV_COMM_BYTES);
		}
		memcpy(t->threads->v[at].comm, comm, EV_COMM_BYTES);
	}
	t->threads->v[at].tid = tid;
	t->threads->v[at].looked_ns = now_ns;
}
