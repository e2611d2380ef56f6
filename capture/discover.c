/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which files a process maps, and what each of them holds. A file is opened through its mapping
 * (/proc/PID/map_files), which works for deleted and replaced files and in other mount namespaces.
 */
#include "capture/discover.h"

#include <elf.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "capture/elf.h"
#include "capture/elf_debug.h"
#include "capture/go_program.h"
#include "capture/ld_paths.h"
#include "capture/mappings.h"
#include "capture/resolve.h"
#include "capture/returns.h"
#include "capture/tls_libs.h"

#define NOTES_MAX 256	/* of one discovery */
#define CACHE_MAX 16384 /* files remembered */

/* Who a file is, and what would tell that it was rewritten in place. */
struct file_key {
	uint64_t dev, ino, mtime_ns, size;
};

struct known_file {
	struct file_key key;
	int rc;		       /* of inspect(): 0 with `found`, -ENOENT, -ENOEXEC ... */
	struct tls_file found; /* without paths */
	char *why;    /* owned or NULL: what is worth saying of a program without TLS functions */
	bool why_any; /* and of any other file that is mapped */
	bool switches_stacks; /* returns_switch() */
	UT_hash_handle hh;    /* in order of first sight */
};

struct discover_cache {
	struct known_file *files;
};

static void known_file_free(struct known_file *k)
{
	tls_file_clear(&k->found);
	free(k->why);
	free(k);
}

struct discover_cache *discover_cache_new(void)
{
	return calloc(1, sizeof(struct discover_cache));
}

void discover_cache_free(struct discover_cache *c)
{
	struct known_file *k, *tmp;

	if (!c)
		return;
	HASH_ITER (hh, c->files, k, tmp) {
		HASH_DEL(c->files, k);
		known_file_free(k);
	}
	free(c);
}

/* File names are anybody's bytes; what people read on a terminal must not control it. */
static char *printable(const char *path)
{
	char *s = strdup(path);

	for (char *p = s; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return s;
}

static void __attribute__((format(printf, 2, 3))) note(struct discovery *d, const char *fmt, ...)
{
	char **grown, *text = NULL;
	va_list ap;
	int n;

	if (d->note_count >= NOTES_MAX)
		return;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	for (size_t i = 0; i < d->note_count; i++) {
		if (strcmp(d->notes[i], text) == 0) {
			free(text);
			return;
		}
	}
	grown = realloc(d->notes, (d->note_count + 1) * sizeof(*grown));
	if (!grown) {
		free(text);
		return;
	}
	d->notes = grown;
	d->notes[d->note_count++] = text;
}

static int is_library(void *arg, const char *needed)
{
	const struct tls_lib *const *lib = arg;

	for (const char *const *prefix = (*lib)->sonames; *prefix; prefix++)
		if (strncmp(needed, *prefix, strlen(*prefix)) == 0)
			return 1;
	return 0;
}

/*
 * The version that a library compiled into the file left in it; owned, or NULL. A program that needs
 * the shared library may hold the same text from its header, as nginx does.
 */
static char *linked_in(struct elf_file *e, const struct tls_lib *lib)
{
	if (!lib->version_mark || lib->auxiliary ||
	    elf_each_dynamic(e, DT_NEEDED, is_library, &lib) > 0)
		return NULL;
	return resolve_version(e, lib);
}

/* Why a program that maps no TLS functions of its own may still speak TLS. */
static char *explain(struct elf_file *e)
{
	for (unsigned int lib = 0; tls_libs[lib].name; lib++) {
		char *why = NULL, *version = linked_in(e, &tls_libs[lib]);

		if (version && asprintf(&why, "%s seems to be linked in, but %s", version,
					elf_has_section(e, ".symtab")
						? "without the functions that are known of it"
						: "without symbols") < 0)
			why = NULL;
		free(version);
		if (why)
			return why;
	}
	if (go_is_program(e))
		return go_explain(e);
	if (!elf_has_interpreter(e) && !elf_has_symbols(e))
		return strdup("static executable without symbols: TLS functions cannot be found");
	return NULL;
}

static int any_name(void *arg, const char *name)
{
	(void)arg, (void)name;
	return 1;
}

/* Debug symbols are worth a search in programs, and in what has a TLS library linked in. */
static bool is_worth_a_search(struct elf_file *e)
{
	if (elf_each_dynamic(e, DT_SONAME, any_name, NULL) == 0)
		return true;
	for (unsigned int lib = 0; tls_libs[lib].name; lib++) {
		char *version = linked_in(e, &tls_libs[lib]);

		free(version);
		if (version)
			return true;
	}
	return false;
}

static int match_rows(struct elf_file *e, struct tls_file *found)
{
	int rc = -ENOENT;

	for (unsigned int lib = 0; tls_libs[lib].name && rc == -ENOENT; lib++)
		rc = resolve_sites(e, lib, found);
	return rc;
}

/* Without symbols: the first row that has its shape in the file. */
static int match_shapes(struct elf_file *e, struct known_file *k)
{
	int rc = -ENOENT;

	for (unsigned int lib = 0; tls_libs[lib].name && rc == -ENOENT && !k->why; lib++) {
		const char *name, *why = NULL;

		rc = resolve_shapes(e, lib, &k->found, &name, &why);
		k->why_any |= why != NULL;
		if (why && asprintf(&k->why,
				    "%s is linked in without symbols, and its functions were not "
				    "found: %s",
				    name, why) < 0)
			k->why = NULL;
	}
	return rc;
}

/* Reads a file once: the first row that matches it, or why none does. */
static void inspect(int fd, const struct debug_search *s, struct known_file *k)
{
	struct elf_file *e;

	k->rc = elf_open(&e, fd);
	if (k->rc < 0)
		return;
	k->rc = match_rows(e, &k->found);
	if (k->rc == -ENOENT && is_worth_a_search(e) && elf_debug_attach(e, s) == 0)
		k->rc = match_rows(e, &k->found);
	if (k->rc == -ENOENT)
		k->rc = match_shapes(e, k);
	if (k->rc == -ENOENT && !k->why) {
		k->why = explain(e);
		k->why_any = go_is_program(e);
	}
	k->switches_stacks = returns_switch(e);
	elf_close(e);
}

static struct file_key key_of(const struct stat *st)
{
	return (struct file_key){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.mtime_ns =
			(uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec,
		.size = (uint64_t)st->st_size,
	};
}

/* What is known of an open file. With a cache it belongs to the cache, else to the caller. */
static struct known_file *known(const struct discovery *d, int fd, const struct stat *st,
				const char *shown_path)
{
	struct debug_search s = {.root = d->root, .path = shown_path};
	struct discover_cache *c = d->cache;
	struct file_key key = key_of(st);
	struct known_file *k = NULL;

	if (c)
		HASH_FIND(hh, c->files, &key, sizeof(key), k);
	if (k)
		return k;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->key = key;
	if (d->given) {
		s.files = d->given->debug_files;
		s.file_count = d->given->debug_file_count;
	}
	inspect(fd, &s, k);
	if (!c)
		return k;
	if (HASH_COUNT(c->files) >= CACHE_MAX) {
		struct known_file *oldest = c->files;

		HASH_DEL(c->files, oldest);
		known_file_free(oldest);
	}
	HASH_ADD(hh, c->files, key, sizeof(k->key), k);
	return k;
}

static void *copy_of(const void *p, size_t n)
{
	void *c = malloc(n ? n : 1);

	return c && n ? memcpy(c, p, n) : c;
}

static int copy_file(struct tls_file *to, const struct tls_file *from, const char *open_path,
		     const char *shown_path)
{
	*to = *from;
	to->open_path = strdup(open_path);
	to->shown_path = printable(shown_path);
	to->version = from->version ? strdup(from->version) : NULL;
	to->build_id = from->build_id ? strdup(from->build_id) : NULL;
	to->sites = copy_of(from->sites, from->site_count * sizeof(*from->sites));
	to->missing = copy_of(from->missing, from->missing_count * sizeof(*from->missing));
	if (to->open_path && to->shown_path && to->sites && to->missing &&
	    (!from->version || to->version) && (!from->build_id || to->build_id))
		return 0;
	tls_file_clear(to);
	return -ENOMEM;
}

static int add_file(struct discovery *d, const struct tls_file *found, const struct stat *st,
		    const char *open_path, const char *shown_path)
{
	struct tls_file *f;

	for (size_t i = 0; i < d->count; i++)
		if (d->files[i].dev == st->st_dev && d->files[i].ino == st->st_ino)
			return 0;
	if (d->count == d->cap) {
		size_t cap = d->cap ? 2 * d->cap : 8;
		struct tls_file *grown = realloc(d->files, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		d->files = grown;
		d->cap = cap;
	}
	f = &d->files[d->count];
	if (copy_file(f, found, open_path, shown_path) < 0)
		return -ENOMEM;
	f->dev = st->st_dev;
	f->ino = st->st_ino;
	d->count++;
	return 0;
}

/* A file with functions of the command line, whether or not a row matches it besides. */
static int add_given(struct discovery *d, int fd, const struct known_file *k, const struct stat *st,
		     const char *open_path, const char *shown_path)
{
	struct tls_file none = {.lib = TLS_LIB_GIVEN, .found_by = "--probe"};
	size_t before = d->count;
	struct tls_file *f;
	/* What was found by shape is likely, what is given is certain. */
	bool certain = k->rc == 0 && !tls_file_is_likely(&k->found);
	int rc = add_file(d, certain ? &k->found : &none, st, open_path, shown_path);

	if (rc < 0 || d->count == before)
		return rc;
	f = &d->files[before];
	rc = given_add_sites(d->given, fd, d->root, st, shown_path, f);
	for (size_t i = certain ? k->found.missing_count : 0; i < f->missing_count; i++)
		note(d, "%s: no function %s in it", f->shown_path, f->missing[i]);
	if (rc == 0 && f->site_count)
		return 0;
	tls_file_clear(f);
	d->count--;
	return rc ? rc : -ENOENT;
}

struct reason {
	char *text;  /* owned or NULL */
	bool of_any; /* worth saying of libraries, too */
};

/*
 * One open file. `why`, when given, receives what is worth saying of a program without TLS
 * functions.
 */
static int discover_fd(struct discovery *d, int fd, const char *open_path, const char *shown_path,
		       struct reason *why)
{
	size_t before = d->count;
	struct known_file *k;
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	k = known(d, fd, &st, shown_path);
	if (!k)
		return -ENOMEM;
	rc = k->rc;
	d->switches_stacks |= k->switches_stacks;
	if (rc <= 0 && rc != -ENOEXEC && given_matches(d->given, &st, shown_path))
		rc = add_given(d, fd, k, &st, open_path, shown_path);
	else if (rc == 0)
		rc = add_file(d, &k->found, &st, open_path, shown_path);
	else if (why && k->why)
		*why = (struct reason){strdup(k->why), k->why_any};
	if (d->count > before)
		d->files[before].fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (!d->cache)
		known_file_free(k);
	return rc;
}

/*
 * Opens a regular file for reading and nothing else: opening a device or a FIFO may have effects.
 */
static int open_regular(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

int discover_file(const char *open_path, const char *shown_path, struct discovery *d)
{
	struct reason why = {0};
	char *shown;
	int rc, fd = open_regular(open_path);

	rc = fd < 0 ? fd : discover_fd(d, fd, open_path, shown_path, &why);
	shown = rc == 0 ? NULL : printable(shown_path);
	if (rc == -ENOEXEC && shown)
		note(d, "%s is not an ELF file of this machine", shown);
	else if (rc == -ENOENT && fd >= 0 && shown)
		note(d, "%s: %s", shown, why.text ? why.text : "no TLS functions in this file");
	else if (shown)
		note(d, "%s: %s", shown, strerror(-rc));
	free(shown);
	free(why.text);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int open_if_same(const char *path, unsigned long ino)
{
	struct stat st;
	int fd = open_regular(path);

	if (fd < 0 || (fstat(fd, &st) == 0 && st.st_ino == ino))
		return fd;
	close(fd);
	return -ENOENT;
}

/* Undoes what maps does to newlines; a file that really has these four characters is tried before. */
static void unescape(char *path)
{
	char *to = path;

	while (*path) {
		bool newline = strncmp(path, "\\012", 4) == 0;

		*to++ = newline ? '\n' : *path;
		path += newline ? 4 : 1;
	}
	*to = '\0';
}

/*
 * Without the right to open mappings (CAP_CHECKPOINT_RESTORE): by name, in the root of the process or
 * in ours, where the name still is that file.
 */
static int open_by_name(uint32_t pid, const struct mapping *m, char *path, size_t size)
{
	for (int i = 0; i < 4; i++) {
		char root[32] = "";
		int fd;

		if (i % 2 == 0)
			snprintf(root, sizeof(root), "/proc/%u/root", pid);
		if (snprintf(path, size, "%s%s", root, m->path) >= (int)size)
			return -ENAMETOOLONG;
		if (i >= 2)
			unescape(path + strlen(root));
		fd = open_if_same(path, m->ino);
		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

static int open_mapping(uint32_t pid, const struct mapping *m, char *path, size_t size)
{
	int fd, rc;

	snprintf(path, size, "/proc/%u/map_files/%lx-%lx", pid, m->start, m->end);
	rc = open_regular(path);
	if (rc >= 0 || rc == -ENOEXEC)
		return rc;
	fd = open_by_name(pid, m, path, size);
	return fd < 0 ? rc : fd;
}

static bool is_executable_of(uint32_t pid, int fd)
{
	struct stat exe, st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	return stat(path, &exe) == 0 && fstat(fd, &st) == 0 && exe.st_dev == st.st_dev &&
	       exe.st_ino == st.st_ino;
}

static int discover_mapping(uint32_t pid, const struct mapping *m, struct discovery *d)
{
	char open_path[PATH_MAX + 64], *shown;
	struct reason why = {0};
	int rc, fd = open_mapping(pid, m, open_path, sizeof(open_path));

	rc = fd < 0 ? fd : discover_fd(d, fd, open_path, m->path, &why);
	shown = rc < 0 ? printable(m->path) : NULL;
	if (shown && fd < 0 && fd != -ENOEXEC)
		note(d, "%s: cannot be opened: %s", shown, strerror(-fd));
	else if (shown && why.text && (why.of_any || is_executable_of(pid, fd)))
		note(d, "%s: %s", shown, why.text);
	free(shown);
	free(why.text);
	if (fd >= 0)
		close(fd);
	/* A file that cannot be read or makes no sense is a note, not the end. */
	return rc == -ENOMEM ? rc : 0;
}

/* Files that only help others are nothing by themselves. */
static void drop_lone_auxiliaries(struct discovery *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (!tls_libs[d->files[i].lib].auxiliary)
			return;
	for (size_t i = 0; i < d->count; i++)
		tls_file_clear(&d->files[i]);
	d->count = 0;
}

int discover_process(uint32_t pid, struct discovery *d)
{
	struct mappings m = {0};
	int rc = mappings_read(pid, &m);

	snprintf(d->root, sizeof(d->root), "/proc/%u/root", pid);
	for (size_t i = 0; rc == 0 && i < m.count; i++)
		rc = discover_mapping(pid, &m.v[i], d);
	mappings_free(&m);
	drop_lone_auxiliaries(d);
	return rc;
}

static int take_candidate(void *arg, int fd, const char *open_path, const char *shown_path)
{
	int rc = discover_fd(arg, fd, open_path, shown_path, NULL);

	return rc == -ENOMEM ? rc : 0;
}

/* A file that the command line names and that this process may come to map. */
static int take_given(uint32_t pid, const char *path, struct discovery *d)
{
	char open_path[PATH_MAX + 64];
	int fd, rc;

	if (snprintf(open_path, sizeof(open_path), "/proc/%u/root%s", pid, path) >=
	    (int)sizeof(open_path))
		return 0;
	fd = open_regular(open_path);
	if (fd < 0)
		return 0;
	rc = take_candidate(d, fd, open_path, path);
	close(fd);
	return rc;
}

int discover_linkable(uint32_t pid, struct discovery *d)
{
	bool opens;
	int rc;

	snprintf(d->root, sizeof(d->root), "/proc/%u/root", pid);
	rc = ld_each_needed(pid, take_candidate, d, &opens);
	for (size_t i = 0; d->given && i < d->given->count && rc == 0; i++)
		rc = take_given(pid, d->given->v[i].path, d);
	for (unsigned int lib = 0; opens && tls_libs[lib].name && rc == 0; lib++)
		rc = ld_each_named(pid, tls_libs[lib].sonames, take_candidate, d);
	return rc;
}

void discovery_clear(struct discovery *d)
{
	struct discovery kept = {.cache = d->cache, .given = d->given};

	for (size_t i = 0; i < d->count; i++)
		tls_file_clear(&d->files[i]);
	for (size_t i = 0; i < d->note_count; i++)
		free(d->notes[i]);
	free(d->files);
	free(d->notes);
	*d = kept;
}
