/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/returns.h"

#include <elf.h>
#include <linux/version.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "capture/elf.h"

/* uretprobe(2) is exempt from filters since commit "seccomp: passthrough uretprobe systemcall without filtering". */
static bool filters_see_uretprobe(uint32_t kernel)
{
	if (kernel < KERNEL_VERSION(6, 11, 0) || kernel >= KERNEL_VERSION(6, 14, 0))
		return false;
	if (kernel >= KERNEL_VERSION(6, 13, 0))
		return kernel < KERNEL_VERSION(6, 13, 1);
	return kernel < KERNEL_VERSION(6, 12, 11);
}

const char *returns_refused(const struct returns_facts *f)
{
	if (f->switches_stacks)
		return "it switches stacks within a thread";
	if (filters_see_uretprobe(f->kernel))
		return "on this kernel a seccomp filter, now or later, would end it";
	return NULL;
}

static int any(void *arg, const char *name)
{
	(void)arg, (void)name;
	return 1;
}

/* A static executable: every symbol that it defines is one that it uses. */
static bool is_static(struct elf_file *e)
{
	return !elf_has_interpreter(e) && !elf_each_dynamic(e, DT_SONAME, any, NULL);
}

bool returns_switch(struct elf_file *e)
{
	/* getcontext() and setcontext() alone are used to jump, too: libcrypto has them. */
	static const char *const imported[] = {
		"swapcontext",	 "jump_fcontext", "ontop_fcontext",   "co_switch",
		"coro_transfer", "co_resume",	  "st_thread_create", NULL};
	/* The last one is libc's, which everybody maps. */
	struct elf_symbol own[] = {{.name = "jump_fcontext"},
				   {.name = "ontop_fcontext"},
				   {.name = "bthread_jump_fcontext"},
				   {.name = "co_switch"},
				   {.name = "coro_transfer"},
				   {.name = "_st_md_cxt_restore"},
				   {.name = "swapcontext"}};
	size_t count = sizeof(own) / sizeof(own[0]) - !is_static(e);

	if (elf_imports(e, imported))
		return true;
	elf_find_symbols(e, own, count);
	for (size_t i = 0; i < count; i++)
		if (own[i].where)
			return true;
	return false;
}

uint32_t returns_kernel(void)
{
	unsigned int major = 0, minor = 0, patch = 0;
	struct utsname u;

	if (uname(&u) == 0)
		sscanf(u.release, "%u.%u.%u", &major, &minor, &patch);
	return KERNEL_VERSION(major, minor, patch > 255 ? 255 : patch);
}
