/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links and perf events. A link of many sites costs one grace period to take away where a perf event costs
 * one each, so whatever is closed is closed by a few threads at once: the traced program and its tracer
 * never wait for a process that is gone.
 */
#include "capture/attach.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uthash.h>

#include "bpf/cookie.h"
#include "capture/tls_libs.h"

#define CLOSERS \
	64 /* threads, as many as there is to close: each waits for the kernel, not for a CPU */

#define ATTACH_TYPE_UPROBE_MULTI 48
#define ATTACH_TYPE_UPROBE_SESSION 57
#define UPROBE_MULTI_RETURN 1 /* BPF_F_UPROBE_MULTI_RETURN */

/* What bpf(BPF_LINK_CREATE) takes for uprobe_multi; the headers of the build may be older. */
struct uprobe_multi_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t count, multi_flags, pid, pad;
};
/* The kernel refuses more than it knows unless it is zero, and uprobe_multi ends before the padding. */
#define UPROBE_MULTI_ATTR_BYTES offsetof(struct uprobe_multi_attr, pad)

struct placed_key {
	dev_t dev;
	ino_t ino;
	uint64_t pid;
};

/* One file in one process, or in all. */
struct placed {
	struct placed_key key;
	int *fds; /* owned; links and perf events, in the order they were placed */
	size_t fd_count, fd_cap;
	size_t sites;
	bool no_return_probes, switches_stacks;
	UT_hash_handle hh;
};

/* Descriptors to be closed, shared with the threads that do it. */
struct closing {
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t thread[CLOSERS];
	size_t threads;
	int *fds; /* owned */
	size_t count, cap;
	bool last; /* nothing will be added: threads end when it is empty */
};

struct attacher {
	struct attach_progs progs;
	struct placed *placed;
	struct closing closing;
	int perf_type; /* of the uprobe PMU, read when first needed */
	int perf_retbit;
};

const char *attach_kind_name(enum attach_kind k)
{
	switch (k) {
	case ATTACH_SESSION:
		return "session";
	case ATTACH_MULTI:
		return "multi";
	case ATTACH_PERF:
		return "perf";
	}
	return "?";
}

struct attacher *attacher_new(const struct attach_progs *progs)
{
	struct attacher *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->progs = *progs;
	a->perf_type = a->perf_retbit = -1;
	pthread_mutex_init(&a->closing.lock, NULL);
	pthread_cond_init(&a->closing.more, NULL);
	return a;
}

static void *closer(void *arg)
{
	struct closing *c = arg;
	int fd;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		while (!c->count && !c->last)
			pthread_cond_wait(&c->more, &c->lock);
		if (!c->count)
			break;
		fd = c->fds[--c->count];
		pthread_mutex_unlock(&c->lock);
		close(fd);
		pthread_mutex_lock(&c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* Starts threads up to n. They take no signals: those belong to whoever runs the loop. */
static void closers_start(struct closing *c, size_t n)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (c->threads < n && c->threads < CLOSERS &&
	       pthread_create(&c->thread[c->threads], NULL, closer, c) == 0)
		c->threads++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Hands descriptors over to be closed; without memory or threads they are closed here. */
static void closing_add(struct closing *c, const int *fds, size_t n)
{
	size_t need;
	int *p;

	closers_start(c, 1);
	pthread_mutex_lock(&c->lock);
	need = c->count + n;
	if (need > c->cap) {
		p = realloc(c->fds, need * 2 * sizeof(*p));
		if (p) {
			c->fds = p;
			c->cap = need * 2;
		}
	}
	if (c->threads && need <= c->cap) {
		/* Taken from the end, so entries, which were placed last, go before returns. */
		for (size_t i = 0; i < n; i++)
			c->fds[c->count++] = fds[i];
		n = 0;
	}
	pthread_cond_broadcast(&c->more);
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

/* Everything handed over is closed when this returns; more threads help where the kernel lets them. */
static void closers_join(struct closing *c)
{
	size_t left;

	pthread_mutex_lock(&c->lock);
	c->last = true;
	left = c->count;
	pthread_cond_broadcast(&c->more);
	pthread_mutex_unlock(&c->lock);
	closers_start(c, left);
	for (size_t i = 0; i < c->threads; i++)
		pthread_join(c->thread[i], NULL);
	c->threads = 0;
	c->last = false;
	while (c->count) /* no thread could be started */
		close(c->fds[--c->count]);
}

static int fds_push(struct placed *p, int fd)
{
	size_t cap = p->fd_cap ? p->fd_cap * 2 : 4;
	int *fds;

	if (p->fd_count == p->fd_cap) {
		fds = realloc(p->fds, cap * sizeof(*fds));
		if (!fds) {
			close(fd);
			return -ENOMEM;
		}
		p->fds = fds;
		p->fd_cap = cap;
	}
	p->fds[p->fd_count++] = fd;
	return 0;
}

static void placed_free(struct placed *p)
{
	if (!p)
		return;
	free(p->fds);
	free(p);
}

/* Which programs a breakpoint needs. */
enum which {
	WITH_RETURN = 1 << 0, /* and a return probe from there */
	WITHOUT_RETURN = 1 << 1,
	GO_ABI = 1 << 2,
};

/* One breakpoint. */
struct point {
	uint64_t offset, cookie;
	enum which which;
};

struct points {
	struct point *v; /* owned */
	size_t count;
};

static bool is_go(const struct site *s)
{
	return tls_lib_abi(COOKIE_LIB(s->cookie)) == ABI_GO;
}

/* How the sites of a file are placed. */
struct manner {
	bool plain, no_return_probes;
	uint64_t cookie; /* more bits of it */
};

/* Whether its return is seen by probes on places inside: always where a return probe would do harm. */
static bool is_inside(const struct site *s, const struct manner *m)
{
	if (is_go(s))
		return true;
	if (m->no_return_probes)
		return s->role == SITE_SESSION && s->plan.kind == PLAN_INSIDE;
	return !m->plain && site_cost(s) == SITE_CHEAP_INSIDE;
}

/* A function whose return would be seen by a return probe only. */
static bool is_left_out(const struct site *s, const struct manner *m)
{
	return m->no_return_probes && s->role == SITE_SESSION && !is_inside(s, m);
}

static void add_point(struct points *ps, const struct site *s, const struct manner *m,
		      const struct site_place *at, bool at_return)
{
	ps->v[ps->count++] = (struct point){
		.offset = s->offset + at->offset,
		.cookie = s->cookie | m->cookie | COOKIE_INSIDE(at->sp_bytes, at_return),
		.which = is_go(s) ? GO_ABI : WITHOUT_RETURN,
	};
}

/*
 * Returns come before entries: an entry whose return nobody sees would leave a call open that hides others.
 */
static int points_of(struct points *ps, const struct tls_file *f, const struct manner *m)
{
	static const struct site_place first;
	size_t most = 1;

	for (size_t i = 0; i < f->site_count; i++)
		most += 1 + f->sites[i].plan.return_count;
	*ps = (struct points){.v = calloc(most, sizeof(*ps->v))};
	if (!ps->v)
		return -ENOMEM;
	for (size_t i = 0; i < f->site_count; i++) {
		const struct site *s = &f->sites[i];

		for (size_t k = 0; is_inside(s, m) && k < s->plan.return_count; k++)
			add_point(ps, s, m, &s->plan.returns[k], true);
	}
	for (size_t i = 0; i < f->site_count; i++) {
		const struct site *s = &f->sites[i];

		if (is_inside(s, m))
			add_point(ps, s, m, m->plain ? &first : &s->plan.entry, false);
		else if (!is_left_out(s, m))
			ps->v[ps->count++] = (struct point){
				.offset = s->offset,
				.cookie = s->cookie | m->cookie,
				.which = s->role == SITE_SESSION ? WITH_RETURN : WITHOUT_RETURN,
			};
	}
	return 0;
}

/*
 * Every page to be probed is brought into the page cache first: the kernel reads it while it holds locks,
 * and some complain when it is not there.
 */
static int read_pages(const struct tls_file *f, const struct points *ps)
{
	char room[TLS_FILE_PATH_BYTES];
	int fd = open(tls_file_path(f, room), O_RDONLY | O_CLOEXEC);
	int err = 0;
	char c;

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < ps->count && !err; i++) {
		ssize_t n = pread(fd, &c, 1, (off_t)ps->v[i].offset);

		if (n != 1)
			err = n < 0 ? -errno : -ENXIO;
	}
	close(fd);
	return err;
}

/* One link for all points of the given kinds. */
static int place_multi(struct placed *p, const char *path, const struct points *ps, int prog_fd,
		       uint32_t type, uint32_t flags, unsigned int which)
{
	struct uprobe_multi_attr attr = {.prog_fd = (uint32_t)prog_fd, .attach_type = type};
	unsigned long *offsets = calloc(ps->count + 1, sizeof(*offsets));
	uint64_t *cookies = calloc(ps->count + 1, sizeof(*cookies));
	uint32_t n = 0;
	int fd, err = -ENOMEM;

	if (!offsets || !cookies)
		goto out;
	for (size_t i = 0; i < ps->count; i++) {
		if (!(which & ps->v[i].which))
			continue;
		offsets[n] = ps->v[i].offset;
		cookies[n++] = ps->v[i].cookie;
	}
	err = 0;
	if (!n)
		goto out;
	attr.path = (uintptr_t)path;
	attr.offsets = (uintptr_t)offsets;
	attr.cookies = (uintptr_t)cookies;
	attr.count = n;
	attr.multi_flags = flags;
	attr.pid = (uint32_t)p->key.pid;
	fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, UPROBE_MULTI_ATTR_BYTES);
	if (fd < 0) {
		err = -errno;
		goto out;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	err = fds_push(p, fd);
out:
	free(cookies);
	free(offsets);
	return err;
}

static int read_number(const char *path, const char *fmt)
{
	FILE *f = fopen(path, "re");
	int v = -1;

	if (!f)
		return -errno;
	if (fscanf(f, fmt, &v) != 1)
		v = -EINVAL;
	fclose(f);
	return v;
}

static int perf_find(struct attacher *a)
{
	if (a->perf_type >= 0)
		return 0;
	a->perf_type = read_number("/sys/bus/event_source/devices/uprobe/type", "%d");
	a->perf_retbit =
		read_number("/sys/bus/event_source/devices/uprobe/format/retprobe", "config:%d");
	if (a->perf_type < 0)
		return a->perf_type;
	return a->perf_retbit < 0 ? a->perf_retbit : 0;
}

static int place_perf_one(struct attacher *a, struct placed *p, const char *path,
			  const struct point *at, int prog_fd, bool ret)
{
	struct perf_event_attr attr = {.type = (uint32_t)a->perf_type, .size = sizeof(attr)};
	LIBBPF_OPTS(bpf_link_create_opts, opts, .perf_event.bpf_cookie = at->cookie);
	int fd, link, err;

	attr.config = ret ? 1ull << a->perf_retbit : 0;
	attr.uprobe_path = (uintptr_t)path;
	attr.probe_offset = at->offset;
	fd = (int)syscall(SYS_perf_event_open, &attr, p->key.pid ? (pid_t)p->key.pid : -1,
			  p->key.pid ? -1 : 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	link = bpf_link_create(prog_fd, fd, BPF_PERF_EVENT, &opts);
	if (link < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	if (ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0) {
		err = -errno;
		close(link);
		close(fd);
		return err;
	}
	err = fds_push(p, link);
	if (err) {
		close(fd);
		return err;
	}
	return fds_push(p, fd);
}

static int place_perf(struct attacher *a, struct placed *p, const char *path,
		      const struct points *ps)
{
	int err = perf_find(a);

	for (size_t i = 0; i < ps->count && !err; i++)
		if (ps->v[i].which == WITH_RETURN)
			err = place_perf_one(a, p, path, &ps->v[i], a->progs.return_fd, true);
	for (size_t i = 0; i < ps->count && !err; i++)
		err = place_perf_one(a, p, path, &ps->v[i],
				     ps->v[i].which == GO_ABI ? a->progs.go_fd : a->progs.entry_fd,
				     false);
	return err;
}

static int place(struct attacher *a, struct placed *p, const char *path, const struct points *ps,
		 const char **what)
{
	const struct attach_progs *g = &a->progs;
	int err = 0;

	if (g->kind != ATTACH_PERF) {
		*what = "uprobe_multi link of Go functions";
		err = place_multi(p, path, ps, g->go_fd, ATTACH_TYPE_UPROBE_MULTI, 0, GO_ABI);
	}
	if (err)
		return err;
	switch (g->kind) {
	case ATTACH_SESSION:
		*what = "session link";
		err = place_multi(p, path, ps, g->session_fd, ATTACH_TYPE_UPROBE_SESSION, 0,
				  WITH_RETURN);
		if (err)
			return err;
		*what = "uprobe_multi link";
		return place_multi(p, path, ps, g->entry_fd, ATTACH_TYPE_UPROBE_MULTI, 0,
				   WITHOUT_RETURN);
	case ATTACH_MULTI:
		*what = "uprobe_multi link of returns";
		err = place_multi(p, path, ps, g->return_fd, ATTACH_TYPE_UPROBE_MULTI,
				  UPROBE_MULTI_RETURN, WITH_RETURN);
		if (err)
			return err;
		*what = "uprobe_multi link of entries";
		return place_multi(p, path, ps, g->entry_fd, ATTACH_TYPE_UPROBE_MULTI, 0,
				   WITH_RETURN | WITHOUT_RETURN);
	case ATTACH_PERF:
		*what = "perf event";
		return place_perf(a, p, path, ps);
	}
	return -EINVAL;
}

/* Returns how many breakpoints were placed. */
static int place_file(struct attacher *a, struct placed *p, const struct tls_file *f,
		      const char **what)
{
	const struct manner m = {
		.plain = a->progs.plain,
		.no_return_probes = p->no_return_probes,
		.cookie = p->switches_stacks ? COOKIE_STACKS : 0,
	};
	char room[TLS_FILE_PATH_BYTES];
	struct points ps;
	int err = points_of(&ps, f, &m);

	if (err)
		return err;
	*what = "reading the file";
	err = read_pages(f, &ps);
	if (!err)
		err = place(a, p, tls_file_path(f, room), &ps, what);
	free(ps.v);
	return err ? err : (int)ps.count;
}

static void drop(struct attacher *a, struct placed *p)
{
	closing_add(&a->closing, p->fds, p->fd_count);
	HASH_DEL(a->placed, p);
	placed_free(p);
}

int attacher_add(struct attacher *a, const struct tls_file *f, const struct attach_for *who,
		 const char **what)
{
	struct placed *p, *before;
	int n;

	*what = "memory";
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->key.dev = f->dev;
	p->key.ino = f->ino;
	p->key.pid = who->pid;
	p->no_return_probes = who->no_return_probes;
	p->switches_stacks = who->switches_stacks;
	HASH_FIND(hh, a->placed, &p->key, sizeof(p->key), before);
	if (before && before->no_return_probes >= p->no_return_probes &&
	    before->switches_stacks >= p->switches_stacks) {
		placed_free(p);
		return 0;
	}
	if (before)
		drop(a, before);
	n = place_file(a, p, f, what);
	if (n < 0) {
		closing_add(&a->closing, p->fds, p->fd_count);
		placed_free(p);
		return n;
	}
	p->sites = (size_t)n;
	HASH_ADD(hh, a->placed, key, sizeof(p->key), p);
	return n;
}

void attacher_drop_pid(struct attacher *a, uint32_t pid)
{
	struct placed *p, *next;

	HASH_ITER (hh, a->placed, p, next) {
		if (p->key.pid == pid && pid)
			drop(a, p);
	}
}

size_t attacher_site_count(const struct attacher *a)
{
	const struct placed *p;
	size_t n = 0;

	for (p = a->placed; p; p = p->hh.next)
		n += p->sites;
	return n;
}

void attacher_stop(struct attacher *a)
{
	struct placed *p, *next;

	HASH_ITER (hh, a->placed, p, next)
		drop(a, p);
	if (a->progs.kind != ATTACH_PERF)
		closers_join(&a->closing);
}

void attacher_free(struct attacher *a)
{
	if (!a)
		return;
	attacher_stop(a);
	closers_join(&a->closing);
	pthread_cond_destroy(&a->closing.more);
	pthread_mutex_destroy(&a->closing.lock);
	free(a->closing.fds);
	free(a);
}
