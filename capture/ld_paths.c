/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dynamic linker's search, as ld.so(8) describes it, done from outside and inside the root of
 * the process. It predicts; what a process maps in the end is told by its maps.
 */
#include "capture/ld_paths.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/elf.h"
#include "capture/read_file.h"
#include "core/cursor.h"

#define CACHE_MAX_BYTES (16u << 20)
#define ENVIRON_MAX_BYTES (4u << 20)
#define DIR_ENTRIES_MAX 65536 /* looked at in one directory */
#define CACHE_ENTRIES_MAX 262144
#define SEARCH_PATH_MAX 8192 /* bytes of one RPATH or LD_LIBRARY_PATH */

static const char *const default_dirs[] = {
#if defined(__x86_64__)
	"/lib/x86_64-linux-gnu",
	"/usr/lib/x86_64-linux-gnu",
#elif defined(__aarch64__)
	"/lib/aarch64-linux-gnu",
	"/usr/lib/aarch64-linux-gnu",
#endif
	"/lib64",
	"/usr/lib64",
	"/lib",
	"/usr/lib",
	"/usr/local/lib",
	NULL,
};

/* One process's view. */
struct ld {
	uint32_t pid;
	int root;	  /* owned: its root directory */
	struct buf cache; /* its /etc/ld.so.cache, empty when it has none */
	struct buf env;	  /* NUL-separated, NUL-terminated */
	char exe[PATH_MAX];
	ld_found_fn *fn;
	void *arg;
};

/* The search paths that an object carries; empty strings where it has none. */
struct object_paths {
	char rpath[SEARCH_PATH_MAX], runpath[SEARCH_PATH_MAX];
};

/* Names still to be looked up, and those already done: a list that only grows. */
struct names {
	char **v; /* owned: paths of objects, or sonames */
	size_t count;
};

static int open_in_root(const struct ld *ld, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, ld->root, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Opens regular files only: the name may stand for a device or a FIFO. */
static int open_regular_in_root(const struct ld *ld, const char *path)
{
	char self[64];
	struct stat st;
	int fd, at = open_in_root(ld, path, O_PATH);

	if (at < 0)
		return at;
	if (fstat(at, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(at);
		return -ENOEXEC;
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", at);
	fd = open(self, O_RDONLY | O_CLOEXEC);
	fd = fd < 0 ? -errno : fd;
	close(at);
	return fd;
}

static void ld_close(struct ld *ld)
{
	if (ld->root >= 0)
		close(ld->root);
	buf_free(&ld->cache);
	buf_free(&ld->env);
}

static int ld_open(struct ld *ld, uint32_t pid, ld_found_fn *fn, void *arg)
{
	char path[64];
	ssize_t n;
	int fd;

	*ld = (struct ld){.pid = pid, .fn = fn, .arg = arg};
	ld->cache.limit = CACHE_MAX_BYTES;
	ld->env.limit = ENVIRON_MAX_BYTES;
	snprintf(path, sizeof(path), "/proc/%u/root", pid);
	ld->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ld->root < 0)
		return errno == ENOENT ? -ESRCH : -errno;

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	n = readlink(path, ld->exe, sizeof(ld->exe) - 1);
	ld->exe[n < 0 ? 0 : n] = '\0';

	fd = open_regular_in_root(ld, "/etc/ld.so.cache");
	if (fd >= 0) {
		if (read_file(fd, &ld->cache) < 0)
			buf_clear(&ld->cache);
		close(fd);
	}
	snprintf(path, sizeof(path), "/proc/%u/environ", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (read_file(fd, &ld->env) < 0)
			buf_clear(&ld->env);
		close(fd);
	}
	return buf_putc(&ld->env, '\0');
}

static const char *env_value(const struct ld *ld, const char *name)
{
	const char *p = (const char *)ld->env.p, *end = p + ld->env.n;
	size_t len = strlen(name);

	for (; p < end; p += strlen(p) + 1)
		if (strncmp(p, name, len) == 0 && p[len] == '=')
			return p + len + 1;
	return NULL;
}

static bool same_file(const char *path, const struct stat *want)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_dev == want->st_dev && st.st_ino == want->st_ino;
}

/*
 * Hands an open library out under a path that opens this very file from our own root. The path of
 * the descriptor has no links left; it counts from the root of the process's mount namespace, which
 * may or may not be ours, or the process's own when it was changed.
 */
static int hand_out(const struct ld *ld, int fd)
{
	char self[64], real[PATH_MAX], there[PATH_MAX + 64];
	struct stat st;
	ssize_t n;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	n = readlink(self, real, sizeof(real) - 1);
	if (n < 0 || fstat(fd, &st) < 0)
		return 0;
	real[n] = '\0';
	/* The plain path first: it outlives the process. */
	if (same_file(real, &st))
		return ld->fn(ld->arg, fd, real, real);
	snprintf(there, sizeof(there), "/proc/%u/root%s", ld->pid, real);
	return same_file(there, &st) ? ld->fn(ld->arg, fd, there, real) : 0;
}

static int visit(const struct ld *ld, const char *path)
{
	int rc, fd = open_regular_in_root(ld, path);

	if (fd < 0)
		return fd == -ENOMEM ? fd : 0;
	rc = hand_out(ld, fd);
	close(fd);
	return rc;
}

static bool has_prefix(const char *name, const char *const *prefixes)
{
	for (; *prefixes; prefixes++)
		if (strncmp(name, *prefixes, strlen(*prefixes)) == 0)
			return true;
	return false;
}

/*
 * Positions at the entries of an ld.so.cache: an optional "ld.so-1.7.0" part (16 octets and 12 an
 * entry, aligned to 8), then "glibc-ld.so.cache1.1". String offsets count from the beginning of the
 * latter.
 */
static bool cache_entries(const struct ld *ld, struct cursor *entries, struct cursor *strings,
			  uint32_t *count)
{
	static const char old[] = "ld.so-1.7.0", new[] = "glibc-ld.so.cache1.1";
	struct cursor c = cursor_init(ld->cache.p, ld->cache.n);
	const uint8_t *p;
	size_t at = 0;

	if (ld->cache.n >= 16 && memcmp(ld->cache.p, old, sizeof(old) - 1) == 0) {
		cursor_skip(&c, 12);
		at = (16 + 12 * (size_t)cursor_u32le(&c) + 7) & ~(size_t)7;
		cursor_seek(&c, at);
	}
	*strings = cursor_sub(&c, cursor_left(&c));
	*entries = *strings;
	p = cursor_bytes(entries, sizeof(new) - 1);
	if (!p || memcmp(p, new, sizeof(new) - 1) != 0)
		return false;
	*count = cursor_u32le(entries);
	cursor_skip(entries, 24); /* length of strings, flags, extension offset, unused */
	return cursor_ok(entries) && *count <= CACHE_ENTRIES_MAX;
}

static const char *cache_string(struct cursor c, uint32_t at)
{
	if (!cursor_seek(&c, at) || !memchr(c.pos, 0, cursor_left(&c)))
		return NULL;
	return (const char *)c.pos;
}

/* Calls visit for each library of the cache that is named `exact`, or begins with a prefix. */
static int each_cached(const struct ld *ld, const char *const *prefixes)
{
	struct cursor entries, strings;
	uint32_t count;
	int rc = 0;

	if (!cache_entries(ld, &entries, &strings, &count))
		return 0;
	for (uint32_t i = 0; i < count && rc == 0; i++) {
		const char *name, *path;

		cursor_skip(&entries, 4);
		name = cache_string(strings, cursor_u32le(&entries));
		path = cache_string(strings, cursor_u32le(&entries));
		cursor_skip(&entries, 12);
		if (!cursor_ok(&entries))
			break;
		if (name && path && has_prefix(name, prefixes))
			rc = visit(ld, path);
	}
	return rc;
}

static int open_cached(const struct ld *ld, const char *soname)
{
	struct cursor entries, strings;
	uint32_t count;

	if (!cache_entries(ld, &entries, &strings, &count))
		return -ENOENT;
	for (uint32_t i = 0; i < count; i++) {
		const char *name, *path;
		int fd;

		cursor_skip(&entries, 4);
		name = cache_string(strings, cursor_u32le(&entries));
		path = cache_string(strings, cursor_u32le(&entries));
		cursor_skip(&entries, 12);
		if (!cursor_ok(&entries))
			break;
		if (name && path && strcmp(name, soname) == 0 &&
		    (fd = open_regular_in_root(ld, path)) >= 0)
			return fd;
	}
	return -ENOENT;
}

static int each_in_dir(const struct ld *ld, const char *dir, const char *const *prefixes)
{
	int rc = 0, fd = open_in_root(ld, dir, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char path[PATH_MAX];
	struct dirent *ent;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	for (int i = 0; i < DIR_ENTRIES_MAX && rc == 0 && (ent = readdir(d)); i++)
		if (has_prefix(ent->d_name, prefixes) &&
		    snprintf(path, sizeof(path), "%s/%s", dir, ent->d_name) < (int)sizeof(path))
			rc = visit(ld, path);
	closedir(d);
	return rc;
}

/*
 * One element of a search path with $ORIGIN replaced; false when it is empty, relative or too long.
 */
static bool expand_dir(const char *from, size_t n, const char *object, char *out, size_t size)
{
	static const char *const origins[] = {"$ORIGIN", "${ORIGIN}"};
	const char *slash = strrchr(object, '/');
	size_t skip = 0;
	int len;

	for (size_t i = 0; i < 2; i++)
		if (n >= strlen(origins[i]) && memcmp(from, origins[i], strlen(origins[i])) == 0)
			skip = strlen(origins[i]);
	if (n == 0 || (skip == 0 && from[0] != '/'))
		return false;
	len = snprintf(out, size, "%.*s%.*s", skip && slash ? (int)(slash - object) : 0, object,
		       (int)(n - skip), from + skip);
	return len > 0 && (size_t)len < size;
}

/*
 * Steps through a search path; *list moves on, false at its end. Elements that say nothing are left
 * out.
 */
static bool next_dir(const char **list, const char *object, char *dir, size_t size)
{
	while (*list && **list) {
		size_t n = strcspn(*list, ":;");
		const char *from = *list;

		*list += n + ((*list)[n] != '\0');
		if (expand_dir(from, n, object, dir, size))
			return true;
	}
	return false;
}

static int each_on_path(const struct ld *ld, const char *list, const char *object,
			const char *const *prefixes)
{
	char dir[PATH_MAX];
	int rc = 0;

	while (rc == 0 && next_dir(&list, object, dir, sizeof(dir)))
		rc = each_in_dir(ld, dir, prefixes);
	return rc;
}

static int copy_path(void *to, const char *s)
{
	snprintf(to, SEARCH_PATH_MAX, "%s", s);
	return 0;
}

static void read_paths(struct elf_file *e, struct object_paths *p)
{
	p->rpath[0] = p->runpath[0] = '\0';
	elf_each_dynamic(e, DT_RPATH, copy_path, p->rpath);
	elf_each_dynamic(e, DT_RUNPATH, copy_path, p->runpath);
	if (p->runpath[0])
		p->rpath[0] = '\0'; /* ld.so ignores DT_RPATH beside DT_RUNPATH */
}

static int open_exe(const struct ld *ld, struct elf_file **e)
{
	char path[64];
	int rc, fd;

	snprintf(path, sizeof(path), "/proc/%u/exe", ld->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = elf_open(e, fd);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

static int each_on_own_paths(const struct ld *ld, const char *const *prefixes)
{
	struct object_paths p;
	struct elf_file *e;
	int rc, fd = open_exe(ld, &e);

	if (fd >= 0) {
		read_paths(e, &p);
		elf_close(e);
		close(fd);
		rc = each_on_path(ld, p.rpath, ld->exe, prefixes);
		rc = rc ? rc : each_on_path(ld, p.runpath, ld->exe, prefixes);
		if (rc)
			return rc;
	}
	return each_on_path(ld, env_value(ld, "LD_LIBRARY_PATH"), ld->exe, prefixes);
}

int ld_each_named(uint32_t pid, const char *const *prefixes, ld_found_fn *fn, void *arg)
{
	struct ld ld;
	int rc = ld_open(&ld, pid, fn, arg);

	if (rc == 0 && ld.cache.n)
		rc = each_cached(&ld, prefixes);
	for (size_t i = 0; rc == 0 && ld.cache.n == 0 && default_dirs[i]; i++)
		rc = each_in_dir(&ld, default_dirs[i], prefixes);
	if (rc == 0)
		rc = each_on_own_paths(&ld, prefixes);
	ld_close(&ld);
	return rc;
}

static int open_on_path(const struct ld *ld, const char *list, const char *object,
			const char *soname)
{
	char dir[PATH_MAX], path[PATH_MAX];
	int fd;

	while (next_dir(&list, object, dir, sizeof(dir)))
		if (snprintf(path, sizeof(path), "%s/%s", dir, soname) < (int)sizeof(path) &&
		    (fd = open_regular_in_root(ld, path)) >= 0)
			return fd;
	return -ENOENT;
}

static int open_default(const struct ld *ld, const char *soname)
{
	char path[PATH_MAX];
	int fd = -ENOENT;

	for (size_t i = 0; default_dirs[i] && fd < 0; i++)
		if (snprintf(path, sizeof(path), "%s/%s", default_dirs[i], soname) <
		    (int)sizeof(path))
			fd = open_regular_in_root(ld, path);
	return fd;
}

/* What one object asks for. */
struct wanted {
	const struct ld *ld;
	struct names *done;
	struct names *queue;
	const char *object; /* path of the one that needs it */
	const struct object_paths *own, *exe;
	bool opens; /* one of them imports dlopen */
};

static int open_needed(const struct wanted *w, const char *soname)
{
	const struct ld *ld = w->ld;
	int fd;

	if (strchr(soname, '/'))
		return open_regular_in_root(ld, soname);
	fd = open_on_path(ld, w->own->rpath, w->object, soname);
	if (fd < 0)
		fd = open_on_path(ld, w->exe->rpath, ld->exe, soname);
	if (fd < 0)
		fd = open_on_path(ld, env_value(ld, "LD_LIBRARY_PATH"), ld->exe, soname);
	if (fd < 0)
		fd = open_on_path(ld, w->own->runpath, w->object, soname);
	if (fd < 0)
		fd = open_cached(ld, soname);
	return fd < 0 ? open_default(ld, soname) : fd;
}

/* 1: added, 0: already there or too many, -ENOMEM. */
static int names_add(struct names *n, const char *name)
{
	char **grown;

	for (size_t i = 0; i < n->count; i++)
		if (strcmp(n->v[i], name) == 0)
			return 0;
	if (n->count >= LD_LIBRARIES_MAX)
		return 0;
	grown = realloc(n->v, (n->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	n->v = grown;
	n->v[n->count] = strdup(name);
	return n->v[n->count] ? (n->count++, 1) : -ENOMEM;
}

static void names_free(struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->v[i]);
	free(n->v);
}

static int queue_file(const struct wanted *w, int fd)
{
	char self[64], real[PATH_MAX];
	ssize_t n;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	n = readlink(self, real, sizeof(real) - 1);
	if (n < 0)
		return 0;
	real[n] = '\0';
	return names_add(w->queue, real) < 0 ? -ENOMEM : 0;
}

static int take_needed(void *arg, const char *soname)
{
	struct wanted *w = arg;
	int fd, rc = names_add(w->done, soname);

	if (rc <= 0)
		return rc;
	fd = open_needed(w, soname);
	if (fd < 0)
		return 0;
	rc = hand_out(w->ld, fd);
	if (rc == 0)
		rc = queue_file(w, fd);
	close(fd);
	return rc;
}

/* The preloaded ones come first: they may stand in for a library of the same name. */
static int take_preloaded(struct wanted *w)
{
	const char *list = env_value(w->ld, "LD_PRELOAD");
	char name[PATH_MAX];
	int rc = 0;

	while (rc == 0 && list && *list) {
		size_t n = strcspn(list, " :\t\n");

		if (n && n < sizeof(name)) {
			memcpy(name, list, n);
			name[n] = '\0';
			rc = take_needed(w, name);
		}
		list += n + (list[n] != '\0');
	}
	return rc;
}

/* What one object needs, and whether it can ask for more. */
static int take_needs_of(struct wanted *w, struct elf_file *e)
{
	static const char *const openers[] = {"dlopen", "dlmopen", NULL};

	w->opens = w->opens || elf_imports(e, openers);
	return elf_each_dynamic(e, DT_NEEDED, take_needed, w);
}

/* A library that was queued: its own paths, its own needs. */
static int take_object(struct wanted *w, const char *path)
{
	struct object_paths own;
	struct elf_file *e;
	int rc = 0, fd = open_regular_in_root(w->ld, path);

	if (fd < 0)
		return 0;
	if (elf_open(&e, fd) == 0) {
		read_paths(e, &own);
		w->object = path;
		w->own = &own;
		rc = take_needs_of(w, e);
		elf_close(e);
	}
	close(fd);
	return rc;
}

int ld_each_needed(uint32_t pid, ld_found_fn *fn, void *arg, bool *opens)
{
	struct names done = {0}, queue = {0};
	struct object_paths exe_paths;
	struct elf_file *e = NULL;
	struct wanted w;
	struct ld ld;
	int fd = -1, rc = ld_open(&ld, pid, fn, arg);

	*opens = true;
	if (rc < 0)
		goto out;
	fd = open_exe(&ld, &e);
	if (fd < 0)
		goto out; /* no ELF executable: nothing is needed */
	read_paths(e, &exe_paths);
	w = (struct wanted){&ld, &done, &queue, ld.exe, &exe_paths, &exe_paths, false};
	if (elf_has_interpreter(e))
		rc = take_preloaded(&w);
	if (rc == 0)
		rc = take_needs_of(&w, e);
	elf_close(e);
	close(fd);
	for (size_t i = 0; rc == 0 && i < queue.count; i++)
		rc = take_object(&w, queue.v[i]);
	*opens = w.opens;
out:
	names_free(&done);
	names_free(&queue);
	ld_close(&ld);
	return rc;
}
