/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading ELF files: what the dynamic linker says of a library must come out, and no damage may do
 * more than hide it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/elf.h"
#include "capture/resolve.h"
#include "capture/tls_libs.h"
#include "tests/unit/elf_builder.h"

#define LIBSSL "libssl.so.3"
#define FLIPS 4000
#define CUTS 400

struct library {
	void *handle;
	uintptr_t base;
	const char *path; /* valid while the handle is */
};

static struct library library_open(const char *name)
{
	struct library lib = {.handle = dlopen(name, RTLD_NOW | RTLD_LOCAL)};
	struct link_map *map;

	assert_non_null(lib.handle);
	assert_int_equal(dlinfo(lib.handle, RTLD_DI_LINKMAP, &map), 0);
	lib.base = map->l_addr;
	lib.path = map->l_name;
	return lib;
}

static struct elf_file *open_path(const char *path, int *fd)
{
	struct elf_file *e = NULL;

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(*fd >= 0);
	assert_int_equal(elf_open(&e, *fd), 0);
	return e;
}

static void symbols_are_where_the_dynamic_linker_puts_them(void **state)
{
	struct library lib = library_open(LIBSSL);
	struct elf_symbol syms[] = {{.name = "SSL_read"}, {.name = "SSL_write_ex"}, {.name = "No"}};
	uint8_t in_file[64], at_address[64];
	uint64_t offset;
	int fd;
	struct elf_file *e = open_path(lib.path, &fd);

	(void)state;
	elf_find_symbols(e, syms, 3);
	for (int i = 0; i < 2; i++) {
		uint8_t *mapped = dlsym(lib.handle, syms[i].name);

		assert_ptr_equal(mapped, lib.base + syms[i].addr);
		assert_true(syms[i].size > 0);
		assert_true(elf_is_code(e, syms[i].addr));
		assert_int_equal(elf_offset(e, syms[i].addr, &offset), 0);
		assert_int_equal(pread(fd, in_file, sizeof(in_file), (off_t)offset),
				 sizeof(in_file));
		assert_int_equal(elf_read(e, syms[i].addr, at_address, sizeof(at_address)),
				 sizeof(at_address));
		assert_memory_equal(in_file, at_address, sizeof(in_file));
	}
	assert_int_equal(syms[2].addr, 0);
	assert_true(elf_has_symbols(e));
	assert_int_equal(elf_offset(e, UINT64_MAX - 3, &offset), -ENOENT);
	assert_false(elf_is_code(e, 0));
	elf_close(e);
	close(fd);
	dlclose(lib.handle);
}

static int count_needed(void *arg, const char *name)
{
	unsigned int *found = arg;

	*found += strcmp(name, "libcrypto.so.3") == 0 || strcmp(name, "libc.so.6") == 0;
	return 0;
}

static int stop_walk(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return 7;
}

static void dynamic_strings_and_build_id_are_read(void **state)
{
	struct library lib = library_open(LIBSSL);
	unsigned int found = 0;
	int fd;
	struct elf_file *e = open_path(lib.path, &fd);
	char *id = elf_build_id(e);

	(void)state;
	assert_int_equal(elf_each_dynamic(e, DT_NEEDED, count_needed, &found), 0);
	assert_int_equal(found, 2);
	assert_int_equal(elf_each_dynamic(e, DT_NEEDED, stop_walk, NULL), 7);
	assert_non_null(id);
	assert_int_equal(strlen(id), 40);
	assert_int_equal(strspn(id, "0123456789abcdef"), 40);
	free(id);
	elf_close(e);
	close(fd);
	dlclose(lib.handle);
}

struct built {
	char dir[256];
	int fd;
	struct elf_file *e;
};

static void build(struct built *b, const char *const args[])
{
	char path[512];

	scratch_make(b->dir, sizeof(b->dir));
	compile(b->dir, args);
	snprintf(path, sizeof(path), "%s/out", b->dir);
	b->e = open_path(path, &b->fd);
}

static void built_free(struct built *b)
{
	elf_close(b->e);
	close(b->fd);
	scratch_remove(b->dir);
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void hidden_and_local_symbols_are_found(void **state)
{
	static const char *const visibility[] = {
		"-DFN=",
		"-DFN=__attribute__((visibility(\"hidden\")))",
		"-DFN=__attribute__((used)) static",
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct elf_symbol sym = {.name = "SSL_read"};
		struct built b;

		build(&b, ARGS("-shared", "-fPIC", visibility[i], "@tls.c", "-o", "out"));
		elf_find_symbols(b.e, &sym, 1);
		assert_true(sym.addr != 0);
		built_free(&b);
	}
}

/* With the hash that rustc adds, and what LLVM may add behind it. */
static void names_of_rust_are_found(void **state)
{
	static const char *const source =
		"void a(void) __asm__(\"_ZN1a1b17h0123456789abcdefE.llvm.42\"); void a(void) {}"
		"void c(void) __asm__(\"_ZN1a1c17h0123456789abcdef0E\"); void c(void) {}"
		"void d(void) __asm__(\"_ZN1a1d1e17h0123456789abcdefE\"); void d(void) {}"
		"void f(void) __asm__(\"_ZN1a1f17h0123456789abcdefE\"); void f(void) {}";
	struct elf_symbol syms[] = {{.name = "_ZN1a1b", .rust = true},
				    {.name = "_ZN1a1c", .rust = true},
				    {.name = "_ZN1a1d", .rust = true},
				    {.name = "_ZN1a1f", .rust = true},
				    {.name = "_ZN1a1f"}};
	char path[512];
	struct built b;
	FILE *f;

	(void)state;
	scratch_make(b.dir, sizeof(b.dir));
	snprintf(path, sizeof(path), "%s/rust.c", b.dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(source, f);
	fclose(f);
	compile(b.dir, ARGS("-shared", "-fPIC", "rust.c", "-o", "out"));
	snprintf(path, sizeof(path), "%s/out", b.dir);
	b.e = open_path(path, &b.fd);
	elf_find_symbols(b.e, syms, 5);
	assert_true(syms[0].addr && !syms[1].addr && !syms[2].addr && syms[3].addr &&
		    !syms[4].addr);
	built_free(&b);
}

static void an_import_is_not_a_definition(void **state)
{
	struct elf_symbol sym = {.name = "SSL_read"};
	struct built b;

	(void)state;
	build(&b,
	      ARGS("-no-pie", "-Wl,--unresolved-symbols=ignore-all", "@program.c", "-o", "out"));
	elf_find_symbols(b.e, &sym, 1);
	assert_int_equal(sym.addr, 0);
	assert_true(elf_has_interpreter(b.e));
	built_free(&b);
}

static void imports_are_told_from_definitions(void **state)
{
	struct built b;

	(void)state;
	build(&b, ARGS("-shared", "-fPIC", "@middle.c", "-o", "out"));
	assert_true(elf_imports(b.e, ARGS("no", "SSL_read")));
	assert_false(elf_imports(b.e, ARGS("middle", "dlopen")));
	built_free(&b);
}

static void a_stripped_static_program_says_so(void **state)
{
	struct built b;

	(void)state;
	build(&b, ARGS("-static", "-s", "@program.c", "@tls.c", "-o", "out"));
	assert_false(elf_has_interpreter(b.e));
	assert_false(elf_has_symbols(b.e));
	built_free(&b);
	build(&b, ARGS("-static-pie", "-fPIE", "@program.c", "@tls.c", "-o", "out"));
	assert_false(elf_has_interpreter(b.e));
	assert_true(elf_has_symbols(b.e));
	built_free(&b);
}

static void a_version_is_more_than_its_prefix(void **state)
{
	struct built b;
	char *v;

	(void)state;
	build(&b,
	      ARGS("-shared", "-fPIC", "-DVERSION=\"OpenSSL 3.0 legacy\\0OpenSSL 3.0.22 21 Oct\"",
		   "@tls.c", "-o", "out"));
	v = elf_find_version(b.e, "OpenSSL ");
	assert_string_equal(v, "OpenSSL 3.0.22");
	free(v);
	assert_null(elf_find_version(b.e, "BoringSSL "));
	built_free(&b);
}

static int open_bytes(const void *p, size_t n)
{
	struct elf_file *e = NULL;
	int rc, fd = memfd_create("bytes", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	rc = elf_open(&e, fd);
	if (rc == 0)
		elf_close(e);
	close(fd);
	return rc;
}

static void other_files_are_refused(void **state)
{
	struct library lib = library_open(LIBSSL);
	unsigned char head[4096];
	int fd = open(lib.path, O_RDONLY | O_CLOEXEC);
	struct elf_file *e;

	(void)state;
	assert_int_equal(read(fd, head, sizeof(head)), sizeof(head));
	close(fd);
	assert_int_equal(open_bytes("", 0), -ENOEXEC);
	assert_int_equal(open_bytes("\177EL", 3), -ENOEXEC);
	assert_int_equal(open_bytes("#!/bin/sh\n", 10), -ENOEXEC);
	assert_int_equal(open_bytes(head, 4), -ENOEXEC);
	assert_int_equal(open_bytes(head, sizeof(Elf64_Ehdr) - 1), -ENOEXEC);

	head[EI_CLASS] = ELFCLASS32;
	assert_int_equal(open_bytes(head, sizeof(head)), -ENOEXEC);
	head[EI_CLASS] = ELFCLASS64;
	head[EI_DATA] = ELFDATA2MSB;
	assert_int_equal(open_bytes(head, sizeof(head)), -ENOEXEC);
	head[EI_DATA] = ELFDATA2LSB;
	((Elf64_Ehdr *)head)->e_machine = EM_S390;
	assert_int_equal(open_bytes(head, sizeof(head)), -ENOEXEC);

	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(elf_open(&e, fd), -EISDIR);
	close(fd);
	dlclose(lib.handle);
}

/* Everything that discovery asks of a file. Was it a TLS library? */
static bool ask_everything(int fd)
{
	struct tls_file f = {0};
	struct elf_file *e;
	unsigned int found = 0;
	bool is_tls = false;

	if (elf_open(&e, fd) < 0)
		return false;
	for (unsigned int lib = 0; tls_libs[lib].name; lib++) {
		if (resolve_sites(e, lib, &f) == 0) {
			is_tls = true;
			tls_file_clear(&f);
		}
		if (tls_libs[lib].version_mark)
			free(elf_find_version(e, tls_libs[lib].version_mark));
	}
	elf_each_dynamic(e, DT_NEEDED, count_needed, &found);
	elf_each_dynamic(e, DT_RUNPATH, count_needed, &found);
	elf_has_section(e, ".go.buildinfo");
	elf_imports(e, (const char *const[]){"dlopen", NULL});
	elf_has_symbols(e);
	elf_close(e);
	return is_tls;
}

static uint32_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 16);
}

struct copy {
	int fd;
	uint8_t *original;
	size_t n;
};

static void copy_open(struct copy *c, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	c->n = (size_t)lseek(fd, 0, SEEK_END);
	c->original = malloc(c->n);
	assert_non_null(c->original);
	assert_int_equal(pread(fd, c->original, c->n, 0), c->n);
	close(fd);
	c->fd = memfd_create("copy", MFD_CLOEXEC);
	assert_int_equal(pwrite(c->fd, c->original, c->n, 0), c->n);
}

static void copy_close(struct copy *c)
{
	free(c->original);
	close(c->fd);
}

/* Where damage hurts: the file and program headers, the section headers, the dynamic tables. */
static size_t sore_place(const struct copy *c, uint64_t *rng)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)c->original;

	switch (next_random(rng) % 4) {
	case 0:
		return next_random(rng) % 1024;
	case 1:
		return eh->e_shoff + next_random(rng) % (eh->e_shnum * sizeof(Elf64_Shdr));
	case 2:
		return next_random(rng) % (128 << 10);
	default:
		return next_random(rng) % c->n;
	}
}

static void flipped_bytes_do_no_harm(void **state)
{
	struct library lib = library_open(LIBSSL);
	uint64_t rng = 0x9e3779b97f4a7c15ull;
	int recognised = 0;
	struct copy c;

	(void)state;
	copy_open(&c, lib.path);
	for (int i = 0; i < FLIPS; i++) {
		size_t at[8], count = 1 + next_random(&rng) % 8;

		for (size_t k = 0; k < count; k++) {
			static const uint8_t odd[] = {0, 1, 0x7f, 0x80, 0xff};
			uint8_t value = next_random(&rng) % 2 ? odd[next_random(&rng) % 5]
							      : (uint8_t)next_random(&rng);

			at[k] = sore_place(&c, &rng);
			assert_int_equal(pwrite(c.fd, &value, 1, (off_t)at[k]), 1);
		}
		recognised += ask_everything(c.fd);
		for (size_t k = 0; k < count; k++)
			assert_int_equal(pwrite(c.fd, &c.original[at[k]], 1, (off_t)at[k]), 1);
	}
	/* Both happened: damage that hides the library, and damage that it survives. */
	assert_true(recognised > 0 && recognised < FLIPS);
	assert_true(ask_everything(c.fd));
	copy_close(&c);
	dlclose(lib.handle);
}

static void truncated_files_do_no_harm(void **state)
{
	struct library lib = library_open(LIBSSL);
	struct copy c;

	(void)state;
	copy_open(&c, lib.path);
	for (size_t i = CUTS; i-- > 0;) {
		/* densely at the beginning, where the headers are */
		assert_int_equal(ftruncate(c.fd, (off_t)(i < CUTS / 2 ? i * 7 : c.n * i / CUTS)),
				 0);
		assert_false(ask_everything(c.fd));
	}
	copy_close(&c);
	dlclose(lib.handle);
}

/* The file shrinks while it is being read: an error or missing facts, no SIGBUS. */
static void a_file_cut_while_open_does_no_harm(void **state)
{
	struct library lib = library_open(LIBSSL);
	struct elf_symbol sym = {.name = "SSL_read"};
	struct elf_file *e;
	struct copy c;

	(void)state;
	copy_open(&c, lib.path);
	assert_int_equal(elf_open(&e, c.fd), 0);
	assert_int_equal(ftruncate(c.fd, 4096), 0);
	elf_find_symbols(e, &sym, 1);
	assert_int_equal(sym.addr, 0);
	free(elf_build_id(e));
	elf_close(e);
	copy_close(&c);
	dlclose(lib.handle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(symbols_are_where_the_dynamic_linker_puts_them),
		cmocka_unit_test(dynamic_strings_and_build_id_are_read),
		cmocka_unit_test(hidden_and_local_symbols_are_found),
		cmocka_unit_test(names_of_rust_are_found),
		cmocka_unit_test(an_import_is_not_a_definition),
		cmocka_unit_test(imports_are_told_from_definitions),
		cmocka_unit_test(a_stripped_static_program_says_so),
		cmocka_unit_test(a_version_is_more_than_its_prefix),
		cmocka_unit_test(other_files_are_refused),
		cmocka_unit_test(flipped_bytes_do_no_harm),
		cmocka_unit_test(truncated_files_do_no_harm),
		cmocka_unit_test(a_file_cut_while_open_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
