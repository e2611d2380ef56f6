/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows against the libraries they describe: the functions of the filter BIO as OpenSSL itself
 * names them, cookies that decode to the row, and files that only look like the library.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture/resolve.h"
#include "capture/tls_libs.h"
#include "tests/unit/elf_builder.h"

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int resolve_path(const char *path, unsigned int lib, struct tls_file *f)
{
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_file *e;

	*f = (struct tls_file){0};
	assert_true(fd >= 0);
	assert_int_equal(elf_open(&e, fd), 0);
	rc = resolve_sites(e, lib, f);
	elf_close(e);
	close(fd);
	return rc;
}

static const struct tls_func *func_of(const struct site *s)
{
	return &tls_libs[COOKIE_LIB(s->cookie)].funcs[COOKIE_FN(s->cookie)];
}

static const struct site *site_of(const struct tls_file *f, const char *symbol, unsigned int slot)
{
	for (size_t i = 0; i < f->site_count; i++)
		if (strcmp(func_of(&f->sites[i])->symbol, symbol) == 0 &&
		    func_of(&f->sites[i])->slot == slot)
			return &f->sites[i];
	return NULL;
}

static bool is_missing(const struct tls_file *f, const char *symbol)
{
	for (size_t i = 0; i < f->missing_count; i++)
		if (strcmp(f->missing[i], symbol) == 0)
			return true;
	return false;
}

static void rows_are_whole(void **state)
{
	(void)state;
	for (unsigned int lib = 0; tls_libs[lib].name; lib++) {
		const struct tls_lib *row = &tls_libs[lib];
		bool required = false;

		/* Go and Rust link everything into the program. */
		assert_int_equal(row->sonames[0] != NULL,
				 row->abi == ABI_C && row->funcs[0].find != FIND_RUST);
		for (unsigned int i = 0; row->funcs[i].symbol; i++) {
			const struct tls_func *f = &row->funcs[i];
			bool moves = f->kind == FN_WRITE || f->kind == FN_READ;
			uint64_t c = tls_func_cookie(lib, i);

			required |= f->required;
			assert_int_equal(COOKIE_LIB(c), lib);
			assert_int_equal(COOKIE_FN(c), i);
			assert_int_equal(COOKIE_KIND(c), f->kind);
			assert_int_equal(COOKIE_SHAPE(c), f->shape);
			assert_int_equal(COOKIE_CTX(c), f->ctx_arg);
			assert_int_equal(COOKIE_BUF(c), f->buf_arg);
			assert_int_equal(COOKIE_LEN(c), f->len_arg);
			assert_int_equal(COOKIE_OUT(c), f->out_arg);
			assert_int_equal(COOKIE_IS_KNOWN_ONLY(c), f->known_only);
			assert_true(!moves || f->ctx_arg);
			assert_int_equal(moves && f->buf_arg, moves && f->len_arg);
			assert_true(f->kind == FN_NEW || f->ctx_arg);
			assert_int_equal(COOKIE_IS_PART(c), f->part);
			assert_int_equal(f->find == FIND_RUST, f->name != NULL);
			assert_true(row->abi == ABI_C || f->find == FIND_SYMBOL);
			if (f->shape == LEN_OUT_IF_1 || f->shape == LEN_OUT_IF_NOT_0)
				assert_true(f->out_arg);
		}
		assert_true(required);
	}
}

/* An address of the mapped library as an offset in its file, by a function of the same segment. */
static uint64_t file_offset(const struct tls_file *f, void *address, const char *known)
{
	const struct site *s = site_of(f, known, 0);
	uint8_t *at = dlsym(RTLD_DEFAULT, known);

	assert_non_null(s);
	assert_non_null(at);
	return s->offset + (uint64_t)((uint8_t *)address - at);
}

typedef void *method_getter(const void *method);

static void the_filter_bio_is_where_openssl_says(void **state)
{
	static const struct {
		const char *getter;
		unsigned int slot;
		enum fn_kind kind;
	} want[] = {
		{"BIO_meth_get_write_ex", 2, FN_WRITE},
		{"BIO_meth_get_read_ex", 4, FN_READ},
		{"BIO_meth_get_create", 9, FN_RESET},
		{"BIO_meth_get_destroy", 10, FN_FREE},
	};
	void *handle = dlopen("libssl.so.3", RTLD_NOW | RTLD_GLOBAL);
	const void *(*bio_f_ssl)(void) = dlsym(RTLD_DEFAULT, "BIO_f_ssl");
	struct link_map *map;
	struct tls_file f;

	(void)state;
	assert_non_null(handle);
	assert_non_null(bio_f_ssl);
	assert_int_equal(dlinfo(handle, RTLD_DI_LINKMAP, &map), 0);
	assert_int_equal(resolve_path(map->l_name, 0, &f), 0);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		method_getter *get = (method_getter *)dlsym(RTLD_DEFAULT, want[i].getter);
		const struct site *s = site_of(&f, "BIO_f_ssl", want[i].slot);

		assert_non_null(get);
		assert_non_null(s);
		assert_int_equal(func_of(s)->kind, want[i].kind);
		assert_int_equal(s->offset, file_offset(&f, get(bio_f_ssl()), "SSL_read"));
	}
	tls_file_clear(&f);
	dlclose(handle);
}

/*
 * Every function of a row that the library exports has a site of the right kind, every other is
 * told.
 */
static void assert_row_fits(unsigned int lib, const char *soname, const char *version)
{
	void *handle = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
	struct link_map *map;
	struct tls_file f;

	assert_non_null(handle);
	assert_int_equal(dlinfo(handle, RTLD_DI_LINKMAP, &map), 0);
	assert_int_equal(resolve_path(map->l_name, lib, &f), 0);
	for (unsigned int i = 0; tls_libs[lib].funcs[i].symbol; i++) {
		const struct tls_func *func = &tls_libs[lib].funcs[i];
		const struct site *s = site_of(&f, func->symbol, func->slot);
		void *there = dlsym(handle, func->symbol);
		Dl_info info;

		/* a dependency's is not its own */
		if (there && dladdr(there, &info) && strcmp(info.dli_fname, map->l_name) != 0)
			there = NULL;
		assert_int_equal(is_missing(&f, func->symbol), !there && !func->with);
		assert_int_equal(s != NULL, there != NULL);
		if (s)
			assert_int_equal(s->role, func->kind == FN_FREE || func->kind == FN_RESET
							  ? SITE_ENTRY
							  : SITE_SESSION);
	}
	assert_int_equal(f.version != NULL, version != NULL);
	if (version)
		assert_int_equal(strncmp(f.version, version, strlen(version)), 0);
	tls_file_clear(&f);
	dlclose(handle);
}

static void openssl_3_fits_its_row(void **state)
{
	(void)state;
	assert_row_fits(0, "libssl.so.3", NULL); /* its version is in libcrypto */
}

static void gnutls_3_fits_its_row(void **state)
{
	(void)state;
	assert_row_fits(1, "libgnutls.so.30", "GnuTLS 3.");
}

static void other_libraries_fit_their_rows(void **state)
{
	(void)state;
	assert_row_fits(2, "libwolfssl.so", NULL);
	assert_row_fits(3, "libmbedtls.so", NULL);
	assert_row_fits(4, "libssl3.so", NULL);
	assert_row_fits(5, "libnspr4.so", NULL);
	assert_row_fits(6, "libcrypto.so.3", "OpenSSL 3.");
}

static void a_library_fits_no_other_row(void **state)
{
	struct tls_file f;
	void *handle = dlopen("libgnutls.so.30", RTLD_NOW | RTLD_LOCAL);
	struct link_map *map;

	(void)state;
	assert_non_null(handle);
	assert_int_equal(dlinfo(handle, RTLD_DI_LINKMAP, &map), 0);
	assert_int_equal(resolve_path(map->l_name, 0, &f), -ENOENT);
	dlclose(handle);
}

struct built {
	char dir[256], path[512];
	struct tls_file f;
	int rc;
};

static void build(struct built *b, const char *const args[])
{
	scratch_make(b->dir, sizeof(b->dir));
	compile(b->dir, args);
	snprintf(b->path, sizeof(b->path), "%s/out", b->dir);
	b->rc = resolve_path(b->path, 0, &b->f);
}

static void built_free(struct built *b)
{
	tls_file_clear(&b->f);
	scratch_remove(b->dir);
}

static unsigned int bio_sites(const struct tls_file *f)
{
	unsigned int n = 0;

	for (size_t i = 0; i < f->site_count; i++)
		n += strcmp(func_of(&f->sites[i])->symbol, "BIO_f_ssl") == 0;
	return n;
}

static void the_table_is_read_in_every_kind_of_code(void **state)
{
	static const char *const kinds[][3] = {
		{"-shared", "-fPIC", "-Wl,-z,relro"},
		{"-shared", "-fPIC", "-Wl,-z,pack-relative-relocs"},
		{"-shared", "-fPIC", "-fcf-protection=full"}, /* endbr64 */
		{"@program.c", "-no-pie", "-fno-pie"},
		{"@program.c", "-pie", "-fPIE"},
		{"@program.c", "-static-pie", "-fPIE"},
		{"@program.c", "-static", "-O0"}, /* a stack frame around it: not decoded */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		bool framed = strcmp(kinds[i][2], "-O0") == 0;
		struct built b;

		build(&b,
		      ARGS("-O2", kinds[i][0], kinds[i][1], kinds[i][2], "@tls.c", "-o", "out"));
		assert_int_equal(b.rc, 0);
		assert_non_null(site_of(&b.f, "SSL_read", 0));
		assert_int_equal(bio_sites(&b.f), framed ? 0 : 4);
		assert_int_equal(is_missing(&b.f, "BIO_f_ssl"), framed);
		built_free(&b);
	}
}

static void an_odd_table_is_left_alone(void **state)
{
	static const char *const odd[] = {"-DDATA_IN_TABLE", "-DBRANCH_IN_GETTER"};
	struct built b;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		build(&b, ARGS("-O2", "-shared", "-fPIC", odd[i], "@tls.c", "-o", "out"));
		assert_int_equal(b.rc, 0);
		assert_int_equal(bio_sites(&b.f), 0);
		assert_true(is_missing(&b.f, "BIO_f_ssl"));
		built_free(&b);
	}
	/* Before 1.1.1 and in BoringSSL the table is another one: not even missing. */
	build(&b, ARGS("-O2", "-shared", "-fPIC", "-DOLD", "@tls.c", "-o", "out"));
	assert_int_equal(b.rc, 0);
	assert_int_equal(bio_sites(&b.f), 0);
	assert_false(is_missing(&b.f, "BIO_f_ssl"));
	assert_true(is_missing(&b.f, "SSL_read_ex"));
	built_free(&b);
}

static void a_library_without_its_core_is_another_one(void **state)
{
	struct built b;

	(void)state;
	build(&b, ARGS("-shared", "-fPIC", "-DSSL_write=other_write", "@tls.c", "-o", "out"));
	assert_int_equal(b.rc, -ENOENT);
	built_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole),
		cmocka_unit_test(the_filter_bio_is_where_openssl_says),
		cmocka_unit_test(openssl_3_fits_its_row),
		cmocka_unit_test(gnutls_3_fits_its_row),
		cmocka_unit_test(other_libraries_fit_their_rows),
		cmocka_unit_test(a_library_fits_no_other_row),
		cmocka_unit_test(the_table_is_read_in_every_kind_of_code),
		cmocka_unit_test(an_odd_table_is_left_alone),
		cmocka_unit_test(a_library_without_its_core_is_another_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
