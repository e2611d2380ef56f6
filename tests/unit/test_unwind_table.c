/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where functions begin and end by .eh_frame: as the symbols of a library say, and however damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/unwind_table.h"

#define ADDR 0x1000u
#define BYTES_MAX 256

struct frame {
	uint8_t b[BYTES_MAX];
	size_t n;
};

static void put(struct frame *f, uint64_t v, size_t bytes)
{
	assert_true(f->n + bytes <= sizeof(f->b));
	for (size_t i = 0; i < bytes; i++)
		f->b[f->n++] = (uint8_t)(v >> 8 * i);
}

static void put_cie(struct frame *f, const char *augmentation, uint8_t enc)
{
	size_t at = f->n, length = strlen(augmentation);

	put(f, 0, 8);
	put(f, 1, 1);
	for (size_t i = 0; i <= length; i++)
		put(f, (uint8_t)augmentation[i], 1);
	put(f, 1, 1);	 /* code alignment */
	put(f, 0x78, 1); /* data alignment */
	put(f, 16, 1);	 /* return address */
	if (augmentation[0] == 'z') {
		put(f, 1, 1);
		put(f, enc, 1);
	}
	while (f->n % 8 != 4)
		put(f, 0, 1);
	f->b[at] = (uint8_t)(f->n - at - 4);
}

static void put_fde(struct frame *f, size_t cie, uint64_t start, uint64_t size, size_t bytes)
{
	put(f, 4 + 2 * bytes, 4);
	put(f, f->n - cie, 4);
	put(f, start, bytes);
	put(f, size, bytes);
}

/* In an allocation of its exact size, so that reading beyond it is seen. */
static void parse(const struct frame *f, size_t n, struct unwind_table *t)
{
	uint8_t *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, f->b, n);
	assert_int_equal(unwind_table_parse(copy, n, ADDR, t), 0);
	free(copy);
}

static void every_encoding_is_read(void **state)
{
	struct unwind_table t;

	(void)state;
	for (int k = 0; k < 5; k++) {
		static const uint8_t enc[] = {0x1b, 0x03, 0x04, 0x0c, 0x00};
		size_t bytes = k < 2 ? 4 : 8;
		struct frame f = {0};

		put_cie(&f, k == 4 ? "" : "zR", enc[k]);
		/* the first one is relative to where it stands: a call before the section */
		put_fde(&f, 0, k ? 0x500 : 0x500 - (ADDR + f.n + 8), 0x40, bytes);
		put(&f, 0, 4);
		parse(&f, f.n, &t);
		assert_int_equal(t.count, 1);
		assert_int_equal(t.v[0].start, 0x500);
		assert_int_equal(t.v[0].end, 0x540);
		assert_ptr_equal(unwind_table_at(&t, 0x53f), t.v);
		assert_null(unwind_table_at(&t, 0x540));
		assert_null(unwind_table_at(&t, 0x4ff));
		unwind_table_free(&t);
	}
}

static void what_is_not_understood_is_not_there(void **state)
{
	static const char *const odd[] = {"zX", "zRSBeh", "zzzzzzzzzzzzzzzzzzzzzzzz"};
	struct unwind_table t;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct frame f = {0};

		put_cie(&f, odd[i], 0x03);
		put_fde(&f, 0, 0x500, 0x40, 4);
		parse(&f, f.n, &t);
		assert_int_equal(t.count, 0);
		unwind_table_free(&t);
	}
}

static void damage_does_no_harm(void **state)
{
	struct frame f = {0};
	struct unwind_table t;
	size_t whole = 0;

	(void)state;
	put_cie(&f, "zR", 0x1b);
	for (uint32_t i = 0; i < 4; i++)
		put_fde(&f, 0, 0x100 * i, 0x40, 4);
	for (size_t n = 0; n <= f.n; n++) {
		parse(&f, n, &t);
		whole += t.count == 4;
		unwind_table_free(&t);
	}
	assert_int_equal(whole, 1);
	for (size_t at = 0; at < f.n; at++)
		for (unsigned int v = 0; v < 256; v++) {
			uint8_t was = f.b[at];

			f.b[at] = (uint8_t)v;
			parse(&f, f.n, &t);
			assert_true(t.count <= f.n / 16);
			for (size_t i = 0; i < t.count; i++)
				assert_true(t.v[i].start < t.v[i].end);
			unwind_table_free(&t);
			f.b[at] = was;
		}
}

/* What C functions of a real library say of themselves; code in assembly may do without. */
static void functions_of_libssl_are_there(void **state)
{
	static const char *const names[] = {"SSL_new",	"SSL_read", "SSL_write",
					    "SSL_peek", "SSL_free", "SSL_CTX_new"};
	void *lib = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
	struct unwind_table t;
	struct link_map *map;
	struct elf_file *e;
	int fd;

	(void)state;
	assert_non_null(lib);
	assert_int_equal(dlinfo(lib, RTLD_DI_LINKMAP, &map), 0);
	fd = open(map->l_name, O_RDONLY | O_CLOEXEC);
	assert_int_equal(elf_open(&e, fd), 0);
	assert_int_equal(unwind_table_read(e, &t), 0);
	assert_true(t.count > 500);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct elf_symbol sym = {.name = names[i]};
		const struct unwind_extent *at;

		elf_find_symbols(e, &sym, 1);
		at = unwind_table_at(&t, sym.addr + 1);
		assert_non_null(at);
		assert_int_equal(at->start, sym.addr);
		assert_int_equal(at->end, sym.addr + sym.size);
	}
	unwind_table_free(&t);
	elf_close(e);
	close(fd);
	dlclose(lib);
}

/* By the program headers alone: the same functions; no harm when these lead nowhere. */
static void section_headers_are_not_needed(void **state)
{
	void *lib = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);
	struct unwind_table with, without;
	uint8_t *p, nothing[8] = {0};
	Elf64_Ehdr eh;
	struct link_map *map;
	struct elf_file *e;
	struct stat st;
	int fd, copy = memfd_create("copy", MFD_CLOEXEC);

	(void)state;
	assert_non_null(lib);
	assert_int_equal(dlinfo(lib, RTLD_DI_LINKMAP, &map), 0);
	fd = open(map->l_name, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	p = malloc((size_t)st.st_size);
	assert_non_null(p);
	assert_int_equal(read(fd, p, (size_t)st.st_size), st.st_size);
	assert_int_equal(elf_open(&e, fd), 0);
	assert_int_equal(unwind_table_read(e, &with), 0);
	elf_close(e);
	memcpy(&eh, p, sizeof(eh));
	eh.e_shoff = eh.e_shnum = eh.e_shstrndx = 0;
	memcpy(p, &eh, sizeof(eh));
	assert_int_equal(write(copy, p, (size_t)st.st_size), st.st_size);
	assert_int_equal(elf_open(&e, copy), 0);
	assert_int_equal(elf_section_address(e, ".eh_frame"), 0);
	assert_int_equal(unwind_table_read(e, &without), 0);
	assert_int_equal(with.count, without.count);
	assert_memory_equal(with.v, without.v, with.count * sizeof(*with.v));
	unwind_table_free(&with);
	unwind_table_free(&without);
	for (uint64_t at = elf_unwind_header(e); at < elf_unwind_header(e) + 8; at++) {
		assert_int_equal(pwrite(copy, nothing, 1, (off_t)at),
				 1); /* offset and address agree */
		assert_int_equal(unwind_table_read(e, &without), 0);
		unwind_table_free(&without);
	}
	elf_close(e);
	free(p);
	close(copy);
	close(fd);
	dlclose(lib);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_encoding_is_read),
		cmocka_unit_test(what_is_not_understood_is_not_there),
		cmocka_unit_test(damage_does_no_harm),
		cmocka_unit_test(functions_of_libssl_are_there),
		cmocka_unit_test(section_headers_are_not_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
