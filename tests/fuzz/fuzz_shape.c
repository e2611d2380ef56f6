/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The finder of functions over a program made of foreign bytes: the texts that it looks for, functions that refer
 * to them and call each other, and between them whatever comes.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/code.h"
#include "capture/shape.h"

#define BASE 0x400000u
#define CODE_BYTES_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* lea TEXT(%rip), %rsi; lea NAME(%rip), %rdi; mov $REASON, %edx; call NEXT; ret: operands are filled in. */
static const uint8_t function[] = {0x48, 0x8d, 0x35, 0, 0, 0, 0, 0x48, 0x8d, 0x3d, 0, 0, 0,
				   0,	 0xba, 0,    0, 0, 0, 0, 0xe8, 0,    0,	   0, 0, 0xc3};

struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	char openssl[32], boringssl[32], name[16];
	uint8_t code[CODE_BYTES_MAX];
};

static void operand(uint8_t *at, const struct image *m, const void *target)
{
	int32_t v = (int32_t)((const uint8_t *)target - (at + 4));

	(void)m;
	memcpy(at, &v, sizeof(v));
}

static size_t put_function(struct image *m, size_t at, uint16_t reason)
{
	uint8_t *f = m->code + at;

	memcpy(f, function, sizeof(function));
	operand(f + 3, m, at % 32 ? m->openssl : m->boringssl);
	operand(f + 10, m, m->name);
	memcpy(f + 15, &reason, sizeof(reason));
	operand(f + 21, m, m->code + (at > 64 ? at - 64 : 0));
	return at + sizeof(function);
}

/* A function for each piece of the input, which begins with an error code and how much of it follows. */
static void fill(struct image *m, const uint8_t *p, size_t n)
{
	size_t at = 0;

	while (n > 2 && at + sizeof(function) + UINT8_MAX + 16 < CODE_BYTES_MAX) {
		size_t take = p[1] < n - 2 ? p[1] : n - 2;

		at = put_function(m, at, p[0]);
		memcpy(m->code + at, p + 2, take);
		at = (at + take + 15) / 16 * 16;
		p += 2 + take;
		n -= 2 + take;
	}
}

static void ask(struct elf_file *e)
{
	static const struct shape *const shapes[] = {&shape_openssl, &shape_boringssl};
	struct shape_found found[SHAPE_FOUND_MAX];
	uint64_t code = BASE + offsetof(struct image, code);
	struct unwind_extent all = {code, code + CODE_BYTES_MAX};
	const char *why;

	for (size_t i = 0; i < 2; i++) {
		int count = shape_find(e, shapes[i], found, &why);

		if (count < 0 || count > SHAPE_FOUND_MAX)
			abort();
		for (int k = 0; k < count; k++)
			if (!elf_is_code(e, found[k].addr) || !found[k].size)
				abort();
	}
	if (code_arguments(e, &all) >= 1 << 6)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct image m;
	struct elf_file *e;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	m = (struct image){.openssl = "../ssl/ssl_lib.c",
			   .boringssl = "../ssl/ssl_lib.cc",
			   .name = "SSL_write"};
	memcpy(m.eh.e_ident, ELFMAG, SELFMAG);
	m.eh.e_ident[EI_CLASS] = ELFCLASS64;
	m.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	m.eh.e_ident[EI_VERSION] = EV_CURRENT;
	m.eh.e_type = ET_EXEC;
	m.eh.e_machine = EM_X86_64;
	m.eh.e_version = EV_CURRENT;
	m.eh.e_ehsize = sizeof(m.eh);
	m.eh.e_phoff = offsetof(struct image, ph);
	m.eh.e_phentsize = sizeof(m.ph);
	m.eh.e_phnum = 1;
	m.ph = (Elf64_Phdr){.p_type = PT_LOAD,
			    .p_flags = PF_R | PF_X,
			    .p_vaddr = BASE,
			    .p_filesz = sizeof(m),
			    .p_memsz = sizeof(m),
			    .p_align = 4096};
	fill(&m, p, n);
	if (fd < 0 || write(fd, &m, sizeof(m)) != sizeof(m) || elf_open(&e, fd) < 0)
		abort();
	ask(e);
	elf_close(e);
	close(fd);
	return 0;
}
