/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of traced processes: coming, changing, going. What people read of it is in targets_report.c. */
#include "capture/targets.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

#include "capture/ld_paths.h"
#include "capture/returns.h"
#include "capture/targets_who.h"

#define DESCENDANT_PASSES 8 /* over /proc, until no new child appears */

static uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int targets_open(struct targets *ts, struct bpf_side *bpf, struct inject *inject)
{
	ts->bpf = bpf;
	ts->inject = inject;
	ts->cache = discover_cache_new();
	ts->attacher = attacher_new(bpf_progs(bpf));
	return ts->cache && ts->attacher ? 0 : -ENOMEM;
}

static void target_free(struct target *t)
{
	identity_unref(t->identity);
	identity_unref(t->next_identity);
	discovery_clear(&t->found);
	free(t->trouble);
	free(t->threads);
	free(t);
}

void targets_detach(struct targets *ts)
{
	attacher_stop(ts->attacher);
	ts->detached = true;
}

void targets_close(struct targets *ts)
{
	struct target *t, *next;

	attacher_free(ts->attacher);
	ts->attacher = NULL;
	HASH_ITER (hh, ts->live, t, next) {
		HASH_DEL(ts->live, t);
		target_free(t);
	}
	DL_FOREACH_SAFE(ts->ended, t, next)
	target_free(t);
	ts->ended = NULL;
	discover_cache_free(ts->cache);
	ts->cache = NULL;
}

struct target *targets_find(const struct targets *ts, uint32_t pid)
{
	struct target *t;

	HASH_FIND(hh, ts->live, &pid, sizeof(pid), t);
	return t;
}

static void set_identity(struct targets *ts, struct target *t, struct identity *id)
{
	identity_unref(t->identity);
	t->identity = id;
	if (id)
		inject_identity(ts->inject, id);
}

static struct target *target_new(struct targets *ts, struct proc_key key)
{
	struct target *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->key = key;
	t->found.cache = ts->cache;
	t->found.given = ts->given;
	HASH_ADD(hh, ts->live, key.tgid, sizeof(t->key.tgid), t);
	return t;
}

/* The kernel side may have been faster, at the fork, and have counted already. */
static int put_proc(struct targets *ts, struct proc_key key)
{
	struct proc_state state;

	if (bpf_proc_get(ts->bpf, key.tgid, &state) == 0 && state.start_ns == key.start_ns)
		return 0;
	state = (struct proc_state){
		.start_ns = key.start_ns, .epoch = monotonic_ns(), .flags = ts->proc_flags};
	return bpf_proc_put(ts->bpf, key.tgid, &state);
}

int targets_add(struct targets *ts, uint32_t pid, struct target **out)
{
	struct proc_key key = {.tgid = pid};
	struct target *t = targets_find(ts, pid);
	int err;

	*out = t;
	if (t)
		return -EEXIST;
	if (pid == (uint32_t)getpid())
		return -EPERM;
	err = identity_start_time(pid, &key.start_ns);
	if (err)
		return err;
	err = put_proc(ts, key);
	if (err)
		return err == -E2BIG ? -ENOSPC : err;
	t = target_new(ts, key);
	if (!t)
		return -ENOMEM;
	*out = t;
	set_identity(ts, t, targets_identify(ts, key, NULL));
	return 0;
}

int targets_add_forked(struct targets *ts, struct proc_key key, const struct target *parent,
		       struct target **out)
{
	struct target *t = targets_find(ts, key.tgid);

	*out = t;
	if (t && t->key.start_ns == key.start_ns)
		return -EEXIST;
	if (t) /* its end was not told */
		target_end(ts, t, monotonic_ns());
	t = target_new(ts, key);
	*out = t;
	if (!t)
		return -ENOMEM;
	t->identity = targets_identify_forked(ts, key, parent);
	if (t->identity)
		inject_identity(ts->inject, t->identity);
	return 0;
}

static uint32_t parent_of(uint32_t pid)
{
	char path[64], line[128];
	unsigned int ppid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "PPid: %u", &ppid) == 1)
			break;
	fclose(f);
	return ppid;
}

static size_t add_children(struct targets *ts)
{
	DIR *d = opendir("/proc");
	struct target *t;
	struct dirent *e;
	size_t added = 0;

	while (d && (e = readdir(d))) {
		unsigned long pid =
			isdigit((unsigned char)e->d_name[0]) ? strtoul(e->d_name, NULL, 10) : 0;

		if (pid && !targets_find(ts, (uint32_t)pid) &&
		    targets_find(ts, parent_of((uint32_t)pid)) &&
		    targets_add(ts, (uint32_t)pid, &t) == 0)
			added++;
	}
	if (d)
		closedir(d);
	return added;
}

/* Parents come first, so children that are born meanwhile are the kernel side's. */
void targets_add_descendants(struct targets *ts)
{
	for (int pass = 0; pass < DESCENDANT_PASSES; pass++)
		if (!add_children(ts))
			break;
}

/* Changes when a file is mapped with execute permission or such a mapping goes. */
static uint64_t sum_maps(uint32_t pid)
{
	uint64_t sum = 14695981039346656037ull; /* FNV-1a */
	char path[64], *line = NULL;
	size_t cap = 0;
	ssize_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while ((n = getline(&line, &cap, f)) > 0) {
		const char *perms = memchr(line, ' ', (size_t)n);

		if (!perms || line + n < perms + 4 || perms[3] != 'x')
			continue;
		for (ssize_t i = 0; i < n; i++)
			sum = (sum ^ (uint8_t)line[i]) * 1099511628211ull;
	}
	free(line);
	fclose(f);
	return sum;
}

static void set_trouble(struct target *t, const struct tls_file *f, const char *what, int err)
{
	char *text;

	if (asprintf(&text, "%s: %s: %s", f->shown_path, what, strerror(-err)) < 0)
		return;
	free(t->trouble);
	t->trouble = text;
}

/* In files that others map, too, all get what one of them needs. */
static struct attach_for attach_for(struct targets *ts, struct target *t)
{
	struct returns_facts facts = {.switches_stacks =
					      t->found.switches_stacks || ts->no_return_probes,
				      .kernel = returns_kernel()};

	t->spared = returns_refused(&facts);
	if (!ts->file_wide)
		return (struct attach_for){t->key.tgid, t->spared, facts.switches_stacks};
	ts->wide.no_return_probes |= t->spared != NULL;
	ts->wide.switches_stacks |= facts.switches_stacks;
	return ts->wide;
}

size_t target_arm(struct targets *ts, struct target *t, bool linkable)
{
	uint32_t pid = t->key.tgid;
	size_t before = t->sites;
	struct attach_for who;
	const char *what;
	int n;

	if (ts->detached)
		return 0;
	t->maps_sum = sum_maps(pid);
	discover_process(pid, &t->found);
	if (linkable)
		discover_linkable(pid, &t->found);
	who = attach_for(ts, t);
	for (size_t i = 0; i < t->found.count; i++) {
		const struct tls_file *f = &t->found.files[i];

		n = attacher_add(ts->attacher, f, &who, &what);
		if (n >= 0)
			t->sites += (size_t)n;
		else if (n != -ESRCH) /* it is gone, and that is told elsewhere */
			set_trouble(t, f, what, n);
		tls_file_release(&t->found.files[i]);
	}
	return t->sites - before;
}

void target_rearm_if_changed(struct targets *ts, struct target *t)
{
	if (!ts->detached && sum_maps(t->key.tgid) != t->maps_sum)
		target_arm(ts, t, false);
}

static bool is_mapped(uint32_t pid, const struct tls_file *f)
{
	char path[64], *line = NULL;
	unsigned long ino;
	bool found = false;
	size_t cap = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	maps = fopen(path, "re");
	while (maps && !found && getline(&line, &cap, maps) > 0)
		found = sscanf(line, "%*s %*s %*s %*s %lu", &ino) == 1 && ino == f->ino;
	free(line);
	if (maps)
		fclose(maps);
	return found;
}

bool target_has_tls(const struct target *t)
{
	for (size_t i = 0; i < t->found.count; i++)
		if (is_mapped(t->key.tgid, &t->found.files[i]))
			return true;
	return false;
}

static int take_none(void *arg, int fd, const char *open_path, const char *shown_path)
{
	(void)arg, (void)fd, (void)open_path, (void)shown_path;
	return 0;
}

bool target_may_load_tls(const struct target *t)
{
	bool opens;

	return ld_each_needed(t->key.tgid, take_none, NULL, &opens) == 0 && opens;
}

void target_note_exec(const struct targets *ts, struct target *t)
{
	identity_unref(t->next_identity);
	t->next_identity = targets_identify(ts, t->key, NULL);
	t->next_noted_ns = monotonic_ns();
}

struct ending {
	struct inject *inject;
	struct proc_key proc;
};

static void end_conn(void *arg, const struct conn_key *key, const struct conn_state *conn)
{
	const struct ending *e = arg;

	if (conn->at.off[0] || conn->at.off[1] || conn->flags & CONN_ANNOUNCED)
		inject_conn_end(e->inject, e->proc, key, conn);
}

static void end_conns(struct targets *ts, const struct target *t, uint64_t before)
{
	struct ending e = {ts->inject, t->key};

	bpf_goroutines_drop(ts->bpf, t->key.tgid, before);
	bpf_conns_take(ts->bpf, t->key.tgid, before, end_conn, &e);
}

void target_execed(struct targets *ts, struct target *t, const struct ev_proc *e)
{
	end_conns(ts, t, e->hdr.ts_ns - 1);
	set_identity(ts, t, targets_identify_exec(ts, t, e));
}

/* Keeps what the report needs; of very many ended processes only a number remains. */
static void keep_ended(struct targets *ts, struct target *t)
{
	HASH_DEL(ts->live, t);
	if (ts->ended_count < TARGETS_ENDED_MAX) {
		DL_APPEND(ts->ended, t);
		ts->ended_count++;
		return;
	}
	ts->ended_dropped++;
	target_free(t);
}

void targets_reconcile(struct targets *ts, uint64_t now_ns)
{
	struct target *t, *next;
	struct proc_state state;
	struct proc_key key;
	uint32_t tgid = 0;

	for (int i = 0; i < PROCS_MAX && bpf_proc_next(ts->bpf, &tgid) == 0; i++) {
		if (targets_find(ts, tgid) || bpf_proc_get(ts->bpf, tgid, &state) < 0)
			continue;
		key = (struct proc_key){.tgid = tgid, .start_ns = state.start_ns};
		targets_add_forked(ts, key, NULL, &t);
	}
	HASH_ITER (hh, ts->live, t, next)
		if (bpf_proc_get(ts->bpf, t->key.tgid, &state) < 0 || state.flags & PROC_EXITED)
			target_end(ts, t, now_ns);
}

void target_end(struct targets *ts, struct target *t, uint64_t now_ns)
{
	struct proc_state state;

	end_conns(ts, t, now_ns);
	if (bpf_proc_get(ts->bpf, t->key.tgid, &state) == 0 && state.start_ns == t->key.start_ns) {
		inject_counters(ts->inject, t->key, &state);
		ts->lost_events += state.n.lost_events;
		bpf_proc_delete(ts->bpf, t->key.tgid);
	}
	if (!ts->file_wide)
		attacher_drop_pid(ts->attacher, t->key.tgid);
	keep_ended(ts, t);
}
