/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The live source: places the probes, drains the ring, and puts in front of each record what is needed to
 * understand it (identities, clock, ends of contexts), so that a recording of its output stands for itself.
 *
 * Phases: RUNNING until stop() or the last target ends; DRAINING what the ring still holds; ENDING the
 * account of every process that is left; ENDED.
 */
#include "capture/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "capture/bpf_load.h"
#include "capture/bpf_ring.h"
#include "capture/inject.h"
#include "capture/spawn.h"
#include "capture/targets.h"
#include "capture/tls_libs.h"
#include "core/log.h"

#define DRAIN_MS 10		/* records come without a wake-up: look this often */
#define TICK_NS 50000000ull	/* of record time while nothing else tells it */
#define RESCAN_NS 1000000000ull /* mappings of the targets */
#define WATCH_NS 2000000000ull	/* processes that came unseen */
#define CLOCK_STEP_NS 1000000	/* a change of CLOCK_REALTIME worth a record */

enum phase {
	PHASE_RUNNING,
	PHASE_DRAINING,
	PHASE_ENDING,
	PHASE_ENDED,
};

struct live {
	struct bpf_side *bpf;
	struct bpf_ring *ring;
	struct targets targets;
	struct inject inject;
	const struct watch_rule *watch;
	size_t watch_count;
	struct spawn *spawn; /* NULL without a command */
	bool command_runs, tree, plain;
	int epoll;
	enum phase phase;
	const struct ev_hdr *held; /* of the ring, handed out after what was injected for it */
	uint64_t tick_ns, rescan_ns, watch_ns;
	int64_t real_offset_ns;
	struct source_stats stats;
};

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/*
 * A process of the command's tree stands still. At fork it maps what its parent maps; at execve only the
 * executable and the dynamic linker are there, so what these will load is probed as well.
 */
static void command_stopped(void *arg, uint32_t pid, bool exec)
{
	struct live *l = arg;
	struct target *t;
	int err;

	if (l->phase != PHASE_RUNNING)
		return;
	err = targets_add(&l->targets, pid, &t);
	if (err && err != -EEXIST)
		return;
	t->stands_still = l->tree;
	if (t->fresh_exec) {
		t->fresh_exec = false; /* the command itself: done in open() */
		return;
	}
	if (err == -EEXIST && exec)
		target_note_exec(&l->targets, t);
	if (exec)
		discovery_clear(&t->found);
	target_arm(&l->targets, t, exec);
}

static const struct spawn_ops command_ops = {.stopped = command_stopped};

static int start_command(struct live *l, const struct source_cfg *cfg)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = 1};
	struct target *t;
	int err;

	l->tree = cfg->command_tree;
	if (l->tree)
		l->targets.proc_flags |= PROC_FOLLOW;
	err = spawn_start(&l->spawn, cfg->command, cfg->command_tree, &command_ops, l);
	if (err) {
		log_error("%s: %s", cfg->command[0], strerror(-err));
		return err;
	}
	l->command_runs = true;
	l->targets.proc_flags |= PROC_BORN; /* it stands at its execve */
	err = targets_add(&l->targets, spawn_pid(l->spawn), &t);
	l->targets.proc_flags &= ~PROC_BORN;
	if (err)
		return err;
	t->fresh_exec = true;
	inject_exec(&l->inject, t->identity);
	target_arm(&l->targets, t, true);
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, spawn_fd(l->spawn), &ev) < 0)
		return -errno;
	return 0;
}

static void tell_no_library(const struct live *l, const struct target *t)
{
	const struct identity *id = t->identity;
	const char *comm = id && id->v[ID_COMM].p ? id->v[ID_COMM].p : "process";

	log_warn("no TLS library in %s[%u]%s%s%s", comm, t->key.tgid,
		 t->found.note_count ? ": " : "", t->found.note_count ? t->found.notes[0] : "",
		 target_may_load_tls(t) ? "; it may load one: waiting for that"
		 : l->plain		? "; only its plain sockets are seen"
					: "");
}

static int add_pid(struct live *l, uint32_t pid)
{
	struct target *t;
	int err;

	if (pid == (uint32_t)getpid()) {
		log_error("process %u is this program: it does not trace itself", pid);
		return -EINVAL;
	}
	err = targets_add(&l->targets, pid, &t);
	if (err == -EEXIST)
		return 0;
	if (err == -ESRCH)
		log_error("no such process: %u", pid);
	else if (err)
		log_error("process %u: %s", pid, strerror(-err));
	return err;
}

/*
 * Probes for every target there is. A program that maps no TLS library and imports no dlopen will never have
 * one: nothing is placed in it. Returns how many targets can ever show something.
 */
static size_t arm_all(struct live *l)
{
	size_t useful = 0;

	for (struct target *t = l->targets.live; t; t = t->hh.next) {
		target_arm(&l->targets, t, false);
		if (t->sites || t->found.count) {
			target_arm(&l->targets, t, true);
			useful++;
			continue;
		}
		/* Else one of many, most of which have none. */
		if (!l->watch_count && !(l->plain && l->command_runs))
			tell_no_library(l, t);
		if (!target_may_load_tls(t)) {
			useful += l->plain;
			continue;
		}
		target_arm(&l->targets, t, true);
		useful++;
	}
	return useful;
}

/* From now on the kernel side takes whatever else begins in the control group of a process that fits. */
static void watch_its_group(struct live *l, const struct target *t)
{
	uint64_t id = t->identity ? watch_cgroup_id(l->watch, l->watch_count, t->identity) : 0;

	if (id)
		bpf_watch_cgroup(l->bpf, id);
}

static void add_watched(void *arg, uint32_t pid)
{
	struct live *l = arg;
	struct target *t;

	if (targets_add(&l->targets, pid, &t) == 0)
		watch_its_group(l, t);
}

/* The same for processes that came unseen: while records were lost, or before their parent was traced. */
static void arm_watched(void *arg, uint32_t pid)
{
	struct live *l = arg;
	struct target *t;

	if (targets_add(&l->targets, pid, &t))
		return;
	watch_its_group(l, t);
	target_arm(&l->targets, t, true);
}

static int open_targets(struct live *l, const struct source_cfg *cfg)
{
	const char *trouble = NULL;
	size_t sites = 0;
	int err = 0;

	l->plain = cfg->plain;
	if (l->plain)
		l->targets.proc_flags |= PROC_PLAIN;
	l->watch = cfg->watch;
	l->watch_count = cfg->watch_count;
	for (size_t i = 0; i < l->watch_count; i++)
		if (l->watch[i].kind == WATCH_UID)
			bpf_watch_uid(l->bpf, l->watch[i].uid);
	l->targets.identity = cfg->identity;
	l->targets.file_wide = cfg->follow || cfg->watch_count;
	l->targets.no_return_probes = cfg->no_return_probes;
	if (l->targets.file_wide)
		l->targets.proc_flags |= PROC_FOLLOW;
	for (size_t i = 0; i < cfg->pid_count && !err; i++)
		err = add_pid(l, cfg->pids[i]);
	if (err)
		return err;
	if (l->watch_count)
		watch_scan(l->watch, l->watch_count, &l->targets.identity, add_watched, l);
	if (l->targets.file_wide)
		targets_add_descendants(&l->targets);
	if (!arm_all(l) && !cfg->command && !l->targets.file_wide) {
		log_error("nothing to trace: no target has a TLS library");
		return -ENOENT;
	}
	for (struct target *t = l->targets.live; t; t = t->hh.next) {
		sites += t->found.count;
		if (t->trouble)
			trouble = t->trouble;
	}
	if (sites && trouble && !attacher_site_count(l->targets.attacher)) {
		log_error("no probe could be placed: %s", trouble);
		return -ENOENT;
	}
	return cfg->command ? start_command(l, cfg) : 0;
}

static int put_clock(struct live *l)
{
	uint64_t mono = clock_ns(CLOCK_MONOTONIC), real = clock_ns(CLOCK_REALTIME);
	int64_t offset = (int64_t)(real - mono), step = offset - l->real_offset_ns;

	if (step < CLOCK_STEP_NS && step > -CLOCK_STEP_NS)
		return 0;
	l->real_offset_ns = offset;
	return inject_clock(&l->inject, mono, real);
}

/* What every recording begins with. */
static int put_preamble(struct live *l)
{
	int err = put_clock(l);

	for (unsigned int i = 0; tls_libs[i].name && !err; i++)
		err = inject_lib(&l->inject, i, tls_libs[i].name);
	if (!err && l->targets.given && l->targets.given->count)
		err = inject_lib(&l->inject, TLS_LIB_GIVEN, tls_lib_name(TLS_LIB_GIVEN));
	return err;
}

/*
 * Woken by the edge only: the ring has data most of the time, and looking at every record as it comes would
 * cost the traced program the processor.
 */
static int open_ring(struct live *l, unsigned int ring_mb)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.fd = 0};
	int err = bpf_ring_open(&l->ring, bpf_ring_fd(l->bpf), (size_t)ring_mb << 20);

	if (err)
		return err;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, bpf_ring_fd(l->bpf), &ev) < 0)
		return -errno;
	return 0;
}

static void live_close(void *self)
{
	struct live *l = self;

	if (!l)
		return;
	targets_close(&l->targets);
	spawn_free(l->spawn);
	inject_free(&l->inject);
	bpf_ring_close(l->ring);
	bpf_unload(l->bpf);
	if (l->epoll >= 0)
		close(l->epoll);
	free(l);
}

static int live_open(void **self, const struct source_cfg *cfg)
{
	struct bpf_load_cfg load = {.ring_mb = cfg->ring_mb ? cfg->ring_mb : RING_MB_DEFAULT,
				    .snap_bytes = cfg->snap_bytes,
				    .probes = cfg->probes,
				    .backend = cfg->backend,
				    .plain_sites = cfg->plain_sites,
				    .plain = cfg->plain,
				    .watch_execs = cfg->watch_count > 0,
				    .watch_bits = watch_bits(cfg->watch, cfg->watch_count),
				    .judge_streams = cfg->judge_streams,
				    .ends = cfg->ends};
	struct live *l = calloc(1, sizeof(*l));
	int err;

	if (!l)
		return -ENOMEM;
	l->epoll = -1;
	l->targets.given = cfg->given;
	err = bpf_load(&l->bpf, &load);
	if (err)
		goto out;
	err = open_ring(l, load.ring_mb);
	if (!err)
		err = targets_open(&l->targets, l->bpf, &l->inject);
	if (!err)
		err = put_preamble(l);
	if (err)
		log_error("cannot set up the capture: %s", strerror(-err));
	else
		err = open_targets(l, cfg);
	if (err)
		goto out;
	l->tick_ns = l->rescan_ns = clock_ns(CLOCK_MONOTONIC);
	*self = l;
	return 0;
out:
	live_close(l);
	return err;
}

static void saw_fork(struct live *l, const struct ev_proc *e)
{
	struct proc_key child = {.tgid = e->child_tgid, .start_ns = e->child_start_ns};
	struct target *t;

	if (targets_add_forked(&l->targets, child, targets_find(&l->targets, e->hdr.tgid), &t) ||
	    !l->targets.file_wide)
		return;
	/* Its parent's probes are there for it; this is for the report, and for what it maps besides. */
	target_arm(&l->targets, t, false);
}

static void saw_exec(struct live *l, const struct ev_proc *e)
{
	struct target *t = targets_find(&l->targets, e->hdr.tgid);

	if (!t)
		return;
	target_execed(&l->targets, t, e);
	if (t->stands_still)
		return;
	discovery_clear(&t->found);
	target_arm(&l->targets, t, true);
}

static bool is_known(const struct live *l, const struct ev_hdr *ev)
{
	const struct target *t = targets_find(&l->targets, ev->tgid);

	return t && t->key.start_ns == ev->start_ns;
}

/* What must come before a record of the ring. */
static void prepare(struct live *l, const struct ev_hdr *ev)
{
	struct proc_key key = {.tgid = ev->tgid, .start_ns = ev->start_ns};
	struct target *t;

	if (ev->type != EV_SOCK_CLOSE && ev->type != EV_CONN_END && ev->type != EV_EXIT &&
	    !is_known(l, ev))
		targets_add_forked(&l->targets, key, NULL, &t); /* its EV_FORK was lost */
	switch (ev->type) {
	case EV_DATA:
		t = targets_find(&l->targets, ev->tgid);
		if (t)
			target_note_thread(&l->targets, t, ev->tid, ev->ts_ns);
		break;
	case EV_FORK:
		saw_fork(l, (const struct ev_proc *)ev);
		break;
	case EV_EXEC:
		saw_exec(l, (const struct ev_proc *)ev);
		break;
	case EV_EXIT:
		t = targets_find(&l->targets, ev->tgid);
		if (t)
			target_end(&l->targets, t, ev->ts_ns);
		break;
	default:
		break;
	}
}

/* An execve of a process that is not traced: from now on it is, when it is watched for. */
static bool is_watched_for(struct live *l, const struct ev_hdr *ev)
{
	struct target *t;
	int err;

	if (ev->type != EV_EXEC || !l->watch_count || is_known(l, ev) || ev->flags & EV_EXEC_TAKEN)
		return true;
	if (l->phase != PHASE_RUNNING ||
	    !watch_fits_pid(l->watch, l->watch_count, &l->targets.identity, ev->tgid))
		return false;
	err = targets_add(&l->targets, ev->tgid, &t);
	if (!err) {
		watch_its_group(l, t);
		targets_add_descendants(&l->targets);
	}
	return !err;
}

/* The next good record of the ring, prepared and held; false when there is none. */
static bool hold_next(struct live *l)
{
	const void *rec;
	size_t n;

	while (!l->held && bpf_ring_next(l->ring, &rec, &n) == 1) {
		if (!ev_check(rec, n)) {
			l->stats.bad_records++;
			continue;
		}
		if (!is_watched_for(l, rec))
			continue;
		l->held = rec;
		prepare(l, l->held);
	}
	return l->held != NULL;
}

static int hand_out(struct live *l, const struct ev_hdr **ev)
{
	if (inject_next(&l->inject, ev) == 1) {
		l->stats.records++;
		return 1;
	}
	if (!l->held)
		return 0;
	*ev = l->held;
	l->held = NULL;
	l->stats.records++;
	return 1;
}

/*
 * Only while the ring is empty: record time must not run ahead of records that are still in it.
 */
static void tick(struct live *l)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct proc_key none = {0};

	if (now - l->tick_ns < TICK_NS)
		return;
	l->tick_ns = now;
	put_clock(l);
	inject_new(&l->inject, EV_TICK, sizeof(struct ev_hdr), none);
	if (now - l->rescan_ns < RESCAN_NS)
		return;
	l->rescan_ns = now;
	bpf_sweep(l->bpf);
	targets_reconcile(&l->targets, now);
	if (l->watch_count && now - l->watch_ns >= WATCH_NS) {
		watch_scan(l->watch, l->watch_count, &l->targets.identity, arm_watched, l);
		l->watch_ns = now;
	}
	for (struct target *t = l->targets.live; t; t = t->hh.next)
		target_rearm_if_changed(&l->targets, t);
}

static void begin_draining(struct live *l)
{
	bpf_pause(l->bpf);
	targets_detach(&l->targets);
	bpf_sweep(l->bpf);
	l->phase = PHASE_DRAINING;
}

/* The ring is empty and nothing fills it any more. */
static void account_for_all(struct live *l)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	struct target *t, *next;

	targets_reconcile(&l->targets, now);
	HASH_ITER (hh, l->targets.live, t, next)
		target_end(&l->targets, t, now);
	l->phase = PHASE_ENDING;
}

static void poll_command(struct live *l)
{
	if (l->spawn && spawn_poll(l->spawn) == 0)
		l->command_runs = false;
}

/* What is to be done when the ring is empty. */
static void on_empty(struct live *l)
{
	switch (l->phase) {
	case PHASE_RUNNING:
		if (!l->targets.live && !l->command_runs && !l->watch_count)
			begin_draining(l);
		else
			tick(l);
		break;
	case PHASE_DRAINING:
		account_for_all(l);
		break;
	case PHASE_ENDING:
		l->phase = PHASE_ENDED;
		break;
	case PHASE_ENDED:
		break;
	}
}

static int live_next(void *self, const struct ev_hdr **ev, int timeout_ms)
{
	struct live *l = self;
	uint64_t until = clock_ns(CLOCK_MONOTONIC) + (uint64_t)timeout_ms * 1000000u;
	struct epoll_event events[2];
	uint64_t now;
	int wait_ms;

	for (;;) {
		if (hand_out(l, ev) || (hold_next(l) && hand_out(l, ev)))
			return 1;
		if (l->phase == PHASE_ENDED)
			return -EPIPE;
		poll_command(l);
		on_empty(l);
		if (l->inject.head || l->phase != PHASE_RUNNING)
			continue;
		now = clock_ns(CLOCK_MONOTONIC);
		if (now >= until)
			return 0;
		wait_ms = (int)((until - now) / 1000000 + 1);
		if (wait_ms > DRAIN_MS)
			wait_ms = DRAIN_MS;
		if (epoll_wait(l->epoll, events, 2, wait_ms) < 0)
			return errno == EINTR ? -EINTR : -errno;
	}
}

static int live_stop(void *self)
{
	struct live *l = self;

	if (l->phase == PHASE_RUNNING)
		begin_draining(l);
	return 0;
}

static int live_refuse(void *self, uint64_t sock, bool all)
{
	struct live *l = self;

	return bpf_refuse(l->bpf, sock, all ? REFUSED_ALL : REFUSED_PLAIN);
}

static int live_stats(void *self, struct source_stats *st)
{
	struct live *l = self;
	struct proc_state state;

	*st = l->stats;
	st->lost_events = l->targets.lost_events;
	for (const struct target *t = l->targets.live; t; t = t->hh.next)
		if (bpf_proc_get(l->bpf, t->key.tgid, &state) == 0)
			st->lost_events += state.n.lost_events;
	return 0;
}

static int live_command_status(void *self)
{
	struct live *l = self;

	return l->spawn ? spawn_status(l->spawn) : -1;
}

static int live_describe(void *self, char *out, size_t n)
{
	struct live *l = self;

	targets_describe(&l->targets, out, n);
	return 0;
}

static int live_report(void *self, FILE *out)
{
	struct live *l = self;

	targets_report(&l->targets, out);
	return 0;
}

static void live_why(void *self, const struct proc_key *proc, char *out, size_t n)
{
	struct live *l = self;

	targets_why(&l->targets, proc, out, n);
}

const struct source_ops source_bpf = {
	.name = "bpf",
	.open = live_open,
	.next = live_next,
	.stop = live_stop,
	.refuse = live_refuse,
	.stats = live_stats,
	.command_status = live_command_status,
	.describe = live_describe,
	.report = live_report,
	.why = live_why,
	.close = live_close,
};
