/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From processes to their TLS files: what this process maps (also deleted, replaced, oddly named,
 * from memory), and what a program that has just been exec'd is going to map.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/discover.h"
#include "capture/ld_paths.h"
#include "capture/spawn.h"
#include "core/buf.h"
#include "tests/unit/elf_builder.h"

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct place {
	char dir[256];
	char lib[512]; /* a private TLS library in it */
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	scratch_make(p->dir, sizeof(p->dir));
	snprintf(p->lib, sizeof(p->lib), "%s/libtls.so", p->dir);
	compile(p->dir, ARGS("-shared", "-fPIC", "@tls.c", "-o", "libtls.so"));
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	scratch_remove(p->dir);
	free(p);
	return 0;
}

static const struct tls_file *by_inode(const struct discovery *d, const struct stat *st)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->files[i].dev == st->st_dev && d->files[i].ino == st->st_ino)
			return &d->files[i];
	return NULL;
}

static const struct tls_file *by_name(const struct discovery *d, const char *part)
{
	for (size_t i = 0; i < d->count; i++)
		if (strstr(d->files[i].shown_path, part))
			return &d->files[i];
	return NULL;
}

static bool has_note(const struct discovery *d, const char *part)
{
	for (size_t i = 0; i < d->note_count; i++)
		if (strstr(d->notes[i], part))
			return true;
	return false;
}

/* The path of a discovered file opens that very file. */
static void assert_opens(const struct tls_file *f)
{
	struct stat st;
	int fd = open(f->open_path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_ino, f->ino);
	assert_int_equal(st.st_dev, f->dev);
	close(fd);
}

/*
 * Only root may open a mapping; others reach a file by its name, if it still has one, or are told.
 */
static bool may_open(const char *path, const struct stat *mapped)
{
	struct stat now;

	return geteuid() == 0 || (stat(path, &now) == 0 && now.st_dev == mapped->st_dev &&
				  now.st_ino == mapped->st_ino);
}

/*
 * Maps the library at a path, does something to the file, and expects it to be found all the same.
 */
static void expect_found(const char *path, void (*then)(const char *path))
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	struct discovery d = {0};
	const struct tls_file *f;
	struct stat st;

	assert_non_null(handle);
	assert_int_equal(stat(path, &st), 0);
	if (then)
		then(path);
	assert_int_equal(discover_process((uint32_t)getpid(), &d), 0);
	f = by_inode(&d, &st);
	if (!may_open(path, &st)) {
		assert_null(f);
		assert_true(has_note(&d, "cannot be opened: "));
	} else {
		assert_non_null(f);
		assert_true(f->site_count >= 2);
		assert_opens(f);
		for (const char *c = f->shown_path; *c; c++)
			assert_true((unsigned char)*c >= 0x20);
	}
	discovery_clear(&d);
	dlclose(handle);
}

static void a_mapped_library_is_found(void **state)
{
	struct place *p = *state;

	expect_found(p->lib, NULL);
}

static void delete_it(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

static void a_deleted_library_is_found(void **state)
{
	struct place *p = *state;

	expect_found(p->lib, delete_it);
}

/* As a package manager does: another file takes the name. */
static void replace_it(const char *path)
{
	char other[600];

	snprintf(other, sizeof(other), "%s.new", path);
	copy_to("/proc/self/exe", other);
	assert_int_equal(rename(other, path), 0);
}

static void a_replaced_library_is_found(void **state)
{
	struct place *p = *state;

	expect_found(p->lib, replace_it);
}

static void odd_names_are_no_trouble(void **state)
{
	static const char *const names[] = {"new\nline.so", "a b.so",	      "x (deleted)",
					    "\\012.so",	    "\033[31mred.so", "\303\244.so"};
	struct place *p = *state;
	char path[600];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, names[i]);
		copy_to(p->lib, path);
		expect_found(path, NULL);
		expect_found(path, delete_it);
	}
}

static void close_it(const char *path)
{
	assert_int_equal(close((int)strtol(strrchr(path, '/') + 1, NULL, 10)), 0);
}

static void a_library_in_memory_is_found(void **state)
{
	struct place *p = *state;
	int fd = memfd_create("libtls", MFD_CLOEXEC), in = open(p->lib, O_RDONLY | O_CLOEXEC);
	char path[64];
	struct stat st;

	assert_int_equal(fstat(in, &st), 0);
	assert_int_equal(sendfile(fd, in, NULL, (size_t)st.st_size), st.st_size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	expect_found(path, close_it);
	close(in);
}

static void each_file_once_and_cheaply(void **state)
{
	struct place *p = *state;
	struct discover_cache *cache = discover_cache_new();
	struct discovery d = {.cache = cache};
	void *handle = dlopen(p->lib, RTLD_NOW | RTLD_LOCAL);
	size_t count;

	assert_non_null(handle);
	assert_int_equal(discover_process((uint32_t)getpid(), &d), 0);
	count = d.count;
	assert_true(count >= 1);
	assert_int_equal(discover_process((uint32_t)getpid(), &d), 0);
	assert_int_equal(discover_file(p->lib, p->lib, &d), 0);
	assert_int_equal(d.count, count);
	discovery_clear(&d);
	assert_ptr_equal(d.cache, cache);
	assert_int_equal(d.count, 0);
	assert_int_equal(discover_process((uint32_t)getpid(), &d), 0);
	assert_int_equal(d.count, count);
	assert_non_null(by_name(&d, "libtls.so"));
	discovery_clear(&d);
	discover_cache_free(cache);
	dlclose(handle);
}

/* The cache must not answer for a file that was written anew in place. */
static void a_rewritten_file_is_read_again(void **state)
{
	struct place *p = *state;
	struct discover_cache *cache = discover_cache_new();
	struct discovery d = {.cache = cache};
	int fd;

	assert_int_equal(discover_file(p->lib, p->lib, &d), 0);
	discovery_clear(&d);
	fd = open(p->lib, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, "no ELF", 6), 6);
	close(fd);
	assert_int_equal(discover_file(p->lib, p->lib, &d), -ENOEXEC);
	discovery_clear(&d);
	discover_cache_free(cache);
}

static void refusals_say_why(void **state)
{
	struct place *p = *state;
	struct discovery d = {0};
	char path[600];

	assert_int_equal(discover_file("/etc/passwd", "/etc/passwd", &d), -ENOEXEC);
	assert_true(has_note(&d, "/etc/passwd is not an ELF file"));
	assert_int_equal(discover_file("/no/such", "/no/such", &d), -ENOENT);
	assert_true(has_note(&d, "/no/such: No such file"));
	assert_int_equal(discover_file("/dev/zero", "/dev/zero", &d), -ENOEXEC);
	snprintf(path, sizeof(path), "%s/fifo", p->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(discover_file(path, path, &d), -ENOEXEC);
	compile(p->dir, ARGS("-shared", "-fPIC", "-DVERSION=\"OpenSSL 3.1.4\"", "-DSSL_read=other",
			     "@tls.c", "-o", "stripped.so"));
	snprintf(path, sizeof(path), "%s/stripped.so", p->dir);
	assert_int_equal(discover_file(path, "odd\nname", &d), -ENOENT);
	assert_true(has_note(&d, "odd?name: OpenSSL 3.1.4 seems to be linked in"));
	discovery_clear(&d);
}

/* The header of the shared library leaves its version in programs, too. */
static void what_needs_the_library_does_not_hold_it(void **state)
{
	struct place *p = *state;
	struct discovery d = {0};
	char path[600];

	compile(p->dir, ARGS("-shared", "-fPIC", "@tls.c", "-o", "libssl.so"));
	compile(p->dir, ARGS("-shared", "-fPIC", "-DVERSION=\"OpenSSL 3.1.4\"", "-DSSL_read=other",
			     "@tls.c", "-Wl,--no-as-needed", "-L.", "-lssl", "-o", "user.so"));
	snprintf(path, sizeof(path), "%s/user.so", p->dir);
	assert_int_equal(discover_file(path, path, &d), -ENOENT);
	assert_true(has_note(&d, "no TLS functions"));
	assert_false(has_note(&d, "linked in"));
	discovery_clear(&d);
}

/* A program cannot call what its library does not have: nothing to warn of. */
static void optional_functions_are_no_note(void **state)
{
	struct place *p = *state;
	struct discovery d = {0};

	assert_int_equal(discover_file(p->lib, "libtls.so", &d), 0);
	assert_int_equal(d.count, 1);
	assert_int_not_equal(d.files[0].missing_count, 0);
	assert_int_equal(d.note_count, 0);
	discovery_clear(&d);
}

static void a_process_that_is_gone_is_no_process(void **state)
{
	struct discovery d = {0};
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(discover_process((uint32_t)pid, &d), -ESRCH);
	assert_int_equal(discover_linkable((uint32_t)pid, &d), -ESRCH);
	assert_int_equal(d.count, 0);
	discovery_clear(&d);
}

static void ignore_stop(void *arg, uint32_t pid, bool exec)
{
	(void)arg;
	(void)pid;
	(void)exec;
}

/* What discovery says of a program at its first instruction. The program never runs. */
static void at_exec(const char *path, struct discovery *d)
{
	static const struct spawn_ops ops = {.stopped = ignore_stop};
	struct spawn *sp;

	assert_int_equal(spawn_start(&sp, (char *const[]){(char *)path, NULL}, true, &ops, NULL),
			 0);
	*d = (struct discovery){0};
	assert_int_equal(discover_process(spawn_pid(sp), d), 0);
	assert_null(by_name(d, "libtls"));
	assert_int_equal(discover_linkable(spawn_pid(sp), d), 0);
	for (size_t i = 0; i < d->count; i++)
		assert_opens(&d->files[i]);
	spawn_free(sp);
}

static void program_with(struct place *p, const char *option, char *path, size_t size)
{
	compile(p->dir,
		ARGS("@program.c", "-Wl,--no-as-needed", "-L.", "-ltls", option, "-o", "program"));
	snprintf(path, size, "%s/program", p->dir);
}

static void needed_libraries_are_found_before_they_are_mapped(void **state)
{
	static const char *const options[] = {
		"-Wl,-rpath,$ORIGIN,--enable-new-dtags",
		"-Wl,-rpath,${ORIGIN}/.,--disable-new-dtags",
	};
	struct place *p = *state;
	struct discovery d;
	char path[600];

	for (size_t i = 0; i < 2; i++) {
		program_with(p, options[i], path, sizeof(path));
		at_exec(path, &d);
		assert_non_null(by_name(&d, "libtls.so"));
		assert_string_equal(by_name(&d, "libtls.so")->shown_path, p->lib);
		discovery_clear(&d);
	}
}

static void the_environment_leads_to_libraries(void **state)
{
	struct place *p = *state;
	struct discovery d;
	char path[600], list[600];

	program_with(p, "-O2", path, sizeof(path));
	at_exec(path, &d);
	assert_null(by_name(&d, "libtls.so"));
	discovery_clear(&d);

	snprintf(list, sizeof(list), "/nowhere::%s", p->dir);
	setenv("LD_LIBRARY_PATH", list, 1);
	at_exec(path, &d);
	unsetenv("LD_LIBRARY_PATH");
	assert_non_null(by_name(&d, "libtls.so"));
	discovery_clear(&d);

	setenv("LD_PRELOAD", p->lib, 1);
	at_exec("/bin/true", &d);
	unsetenv("LD_PRELOAD");
	assert_non_null(by_name(&d, "libtls.so"));
	discovery_clear(&d);
}

/* The program knows only libmiddle.so, which knows where its own library is. */
static void libraries_of_libraries_are_found(void **state)
{
	struct place *p = *state;
	struct discovery d;
	char path[600], deep[600];

	snprintf(path, sizeof(path), "%s/deep", p->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(deep, sizeof(deep), "%s/deep/libtls.so", p->dir);
	assert_int_equal(rename(p->lib, deep), 0);
	compile(p->dir, ARGS("-shared", "-fPIC", "@middle.c", "-Ldeep", "-ltls",
			     "-Wl,-rpath,$ORIGIN/deep", "-o", "libmiddle.so"));
	compile(p->dir, ARGS("@outer.c", "-L.", "-lmiddle", "-Wl,-rpath,$ORIGIN",
			     "-Wl,-rpath-link,deep", "-o", "outer"));
	snprintf(path, sizeof(path), "%s/outer", p->dir);
	at_exec(path, &d);
	assert_non_null(by_name(&d, "libtls.so"));
	assert_string_equal(by_name(&d, "libtls.so")->shown_path, deep);
	discovery_clear(&d);
}

/* For programs that dlopen: named like OpenSSL, in the cache or beside the program. */
static void libraries_that_may_be_opened_later_are_found(void **state)
{
	struct place *p = *state;
	struct discovery d;
	char path[600];

	at_exec("/bin/bash", &d);
	assert_non_null(by_name(&d, "/libssl.so.3"));
	discovery_clear(&d);
	at_exec("/bin/true", &d); /* has no dlopen: it maps what it needs and no more */
	assert_int_equal(d.count, 0);
	discovery_clear(&d);

	snprintf(path, sizeof(path), "%s/libssl.so.1.1", p->dir);
	copy_to(p->lib, path);
	compile(p->dir, ARGS("@opener.c", "-Wl,-rpath,$ORIGIN", "-o", "opener"));
	snprintf(path, sizeof(path), "%s/opener", p->dir);
	at_exec(path, &d);
	assert_non_null(by_name(&d, "libssl.so.1.1"));
	discovery_clear(&d);
}

static void a_static_program_is_explained(void **state)
{
	struct place *p = *state;
	struct discovery d;
	char path[600];

	snprintf(path, sizeof(path), "%s/program", p->dir);
	compile(p->dir, ARGS("-static", "@program.c", "@tls.c", "-o", "program"));
	at_exec(path, &d);
	assert_non_null(by_name(&d, "/program"));
	discovery_clear(&d);

	compile(p->dir, ARGS("-static", "-s", "@program.c", "@tls.c", "-o", "program"));
	at_exec(path, &d);
	assert_null(by_name(&d, "/program"));
	assert_true(has_note(&d, "/program: static executable without symbols"));
	discovery_clear(&d);
}

/* Roots a child in a directory and keeps it there; needs no privilege but a user namespace. */
static pid_t child_in(const char *root)
{
	int ready[2];
	pid_t pid;
	char ok = 0;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		ok = unshare(CLONE_NEWUSER) == 0 && chroot(root) == 0 && chdir("/") == 0;
		if (write(ready[1], &ok, 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &ok, 1), 1);
	close(ready[0]);
	assert_true(ok);
	return pid;
}

static void link_in(const char *root, const char *target, const char *name)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/usr/lib/%s", root, name);
	assert_int_equal(symlink(target, path), 0);
}

static int count_found(void *arg, int fd, const char *open_path, const char *shown_path)
{
	struct stat by_fd, by_path;
	char *seen = arg;
	size_t used = strlen(seen);

	assert_int_equal(fstat(fd, &by_fd), 0);
	assert_int_equal(stat(open_path, &by_path), 0);
	assert_int_equal(by_fd.st_ino, by_path.st_ino);
	snprintf(seen + used, 4096 - used, "%s\n", strrchr(shown_path, '/') + 1);
	return 0;
}

/* A root with /usr/lib and a library beside it. */
static void make_root(const struct place *p, char *root, size_t size)
{
	static const char *const dirs[] = {"", "/etc", "/usr", "/usr/lib"};
	char path[600];

	snprintf(root, size, "%s/root", p->dir);
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s%s", root, dirs[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	snprintf(path, sizeof(path), "%s/real.so", root);
	copy_to(p->lib, path);
}

static void expect_named(pid_t pid, const char *names)
{
	static const char *const prefixes[] = {"libssl.so", NULL};
	char seen[4096] = "";

	assert_int_equal(ld_each_named((uint32_t)pid, prefixes, count_found, seen), 0);
	if (names)
		assert_string_equal(seen, names);
}

static void end_child(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void links_stay_inside_the_root_of_the_process(void **state)
{
	char root[300];
	pid_t pid;

	make_root(*state, root, sizeof(root));
	link_in(root, "/real.so", "libssl.so.3");
	link_in(root, "../../../../../../../../../../bin/true", "libssl.so.2");
	link_in(root, "/proc/self/exe", "libssl.so.1");
	link_in(root, "libssl.so.0", "libssl.so.0");
	pid = child_in(root);
	expect_named(pid, "real.so\n");
	end_child(pid);
}

static void put_u32(struct buf *b, uint32_t v)
{
	buf_put_le(b, v, 4);
}

/*
 * An ld.so.cache of one library, as ldconfig -c compat (with the older table before it) or -c new
 * writes it.
 */
static void make_cache(struct buf *b, bool compat)
{
	static const uint8_t zero[24];

	buf_clear(b);
	if (compat) {
		buf_put(b, "ld.so-1.7.0", 12);
		put_u32(b, 1);
		buf_put(b, zero, 12 + 4); /* its entry, and up to a multiple of 8 */
	}
	buf_puts(b, "glibc-ld.so.cache1.1");
	put_u32(b, 1);
	put_u32(b, 21);
	buf_put(b, zero, 20);
	put_u32(b, 0x0303);
	put_u32(b, 72);
	put_u32(b, 72 + 12);
	buf_put(b, zero, 12);
	buf_put(b, "libssl.so.3\0/real.so", 21);
	assert_true(buf_ok(b));
}

static void write_cache(const char *root, const void *p, size_t n)
{
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s/etc/ld.so.cache", root);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, p, n), n);
	close(fd);
}

static void the_linker_cache_is_read_whole_and_damaged(void **state)
{
	struct buf b = {0};
	char root[300];
	pid_t pid;

	make_root(*state, root, sizeof(root));
	pid = child_in(root);
	for (int compat = 0; compat < 2; compat++) {
		make_cache(&b, compat);
		write_cache(root, b.p, b.n);
		expect_named(pid, "real.so\n");
		for (size_t n = 1; n < b.n; n++) {
			write_cache(root, b.p, n);
			expect_named(pid, "");
		}
		for (size_t i = 0; i < 3 * b.n; i++) {
			static const uint8_t masks[] = {0xff, 0x80, 0x01};

			b.p[i / 3] ^= masks[i % 3];
			write_cache(root, b.p, b.n);
			expect_named(pid, NULL);
			b.p[i / 3] ^= masks[i % 3];
		}
	}
	buf_free(&b);
	end_child(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(a_mapped_library_is_found),
		CASE(a_deleted_library_is_found),
		CASE(a_replaced_library_is_found),
		CASE(odd_names_are_no_trouble),
		CASE(a_library_in_memory_is_found),
		CASE(each_file_once_and_cheaply),
		CASE(a_rewritten_file_is_read_again),
		CASE(refusals_say_why),
		CASE(what_needs_the_library_does_not_hold_it),
		CASE(optional_functions_are_no_note),
		CASE(a_process_that_is_gone_is_no_process),
		CASE(needed_libraries_are_found_before_they_are_mapped),
		CASE(the_environment_leads_to_libraries),
		CASE(libraries_of_libraries_are_found),
		CASE(libraries_that_may_be_opened_later_are_found),
		CASE(a_static_program_is_explained),
		CASE(links_stay_inside_the_root_of_the_process),
		CASE(the_linker_cache_is_read_whole_and_damaged),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
