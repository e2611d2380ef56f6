/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/doctor.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "capture/discover.h"
#include "capture/tls_libs.h"
#include "cli/host.h"
#include "cli/run.h"
#include "select/human.h"

#define BTF_PATH "/sys/kernel/btf/vmlinux"
#define LOCKDOWN_PATH "/sys/kernel/security/lockdown"
#define KERNEL(major, minor) ((major) << 16 | (minor))
#define KERNEL_OLDEST KERNEL(5, 15)

struct report {
	FILE *out;
	bool lacking; /* something that capturing needs is not there */
};

/* One line: what, whether it is as it must be, and what it is. */
__attribute__((format(printf, 4, 5))) static void say(struct report *r, const char *what, bool ok,
						      const char *fmt, ...)
{
	va_list ap;

	fprintf(r->out, "%-3s %-14s ", ok ? "ok" : "NO", what);
	va_start(ap, fmt);
	vfprintf(r->out, fmt, ap);
	va_end(ap);
	fputc('\n', r->out);
	if (!ok)
		r->lacking = true;
}

/* A line of a small file of the kernel's, without its end; false when it cannot be read. */
static bool read_line(const char *path, const char *prefix, char *line, size_t n)
{
	FILE *f = fopen(path, "re");
	bool found = false;

	while (f && !found && fgets(line, (int)n, f))
		found = !strncmp(line, prefix, strlen(prefix));
	if (f)
		fclose(f);
	if (found)
		line[strcspn(line, "\n")] = '\0';
	return found;
}

static void check_kernel(struct report *r)
{
	struct utsname u;
	unsigned int major = 0, minor = 0, version;
	const char *how;

	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2) {
		say(r, "kernel", false, "its version cannot be read");
		return;
	}
	version = KERNEL(major, minor);
	how = version >= KERNEL(6, 13)	? "one session link a file"
	      : version >= KERNEL(6, 6) ? "two multi links a file"
					: "a perf event a probe";
	say(r, "kernel", version >= KERNEL_OLDEST, "%s %s, by its version: %s%s", u.release,
	    u.machine, how, version >= KERNEL_OLDEST ? "" : "; 5.15 is the oldest supported");
}

static void check_btf(struct report *r)
{
	if (access(BTF_PATH, R_OK) == 0)
		say(r, "BTF", true, BTF_PATH);
	else
		say(r, "BTF", false, BTF_PATH ": %s (CONFIG_DEBUG_INFO_BTF)", strerror(errno));
}

static void check_lockdown(struct report *r)
{
	char line[128];

	if (!read_line(LOCKDOWN_PATH, "", line, sizeof(line)))
		say(r, "lockdown", true, "not active, or not shown (securityfs)");
	else
		say(r, "lockdown", !strstr(line, "[confidentiality]"), "%s%s", line,
		    strstr(line, "[confidentiality]") ? ": programs may not read memory" : "");
}

static void check_pids(struct report *r)
{
	if (host_pids())
		say(r, "process ids", true, "those of the host");
	else
		say(r, "process ids", false,
		    "of a pid namespace of its own (docker run --pid=host)");
}

/* CAP_SYS_ADMIN stands in for the two that were split off it in Linux 5.8. */
static const struct {
	const char *name, *need;
	int cap;
	bool by_admin;
} caps[] = {
	{"CAP_BPF", "to load programs", CAP_BPF, true},
	{"CAP_PERFMON", "to attach them and to read memory", CAP_PERFMON, true},
	{"CAP_SYS_PTRACE", "to look into other users' processes", CAP_SYS_PTRACE, false},
	{"CAP_DAC_READ_SEARCH", "to open the libraries they map", CAP_DAC_READ_SEARCH, false},
};

static void check_caps(struct report *r)
{
	unsigned long long have = 0;
	char line[128];

	if (!read_line("/proc/self/status", "CapEff:", line, sizeof(line)) ||
	    sscanf(line, "CapEff: %llx", &have) != 1) {
		say(r, "capabilities", false, "/proc/self/status cannot be read");
		return;
	}
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		bool ok = have >> caps[i].cap & 1;

		ok |= caps[i].by_admin && (have >> CAP_SYS_ADMIN & 1);
		say(r, "capability", ok, "%s %s", caps[i].name, caps[i].need);
	}
}

/* File names and versions are other people's bytes. */
static void put_text(struct report *r, const char *text)
{
	struct buf b = {0};

	human_text(&b, str_from(text));
	if (buf_ok(&b))
		fwrite(b.p, 1, b.n, r->out);
	buf_free(&b);
}

/* Where its breakpoints go: on instructions that the kernel emulates, or on some that it must step. */
static void put_sites(struct report *r, const struct tls_file *f, enum site_cost cost)
{
	static const char *const costs[] = {
		[SITE_CHEAP_INSIDE] = "cheap, inside the function:",
		[SITE_CHEAP_ENTRY] = "cheap, at the first instruction:",
		[SITE_STEPPED] = "stepped:",
	};
	bool first = true;

	for (size_t i = 0; i < f->site_count; i++) {
		const struct site *s = &f->sites[i];

		if (site_cost(s) != cost)
			continue;
		if (first)
			fprintf(r->out, "        %s ", costs[cost]);
		fprintf(r->out, "%s%s", first ? "" : ", ", site_function(s));
		if (cost == SITE_STEPPED && s->plan.why)
			fprintf(r->out, " (%s)", s->plan.why);
		first = false;
	}
	if (!first)
		fputc('\n', r->out);
}

static void put_file(struct report *r, const struct tls_file *f)
{
	fputs("      ", r->out);
	put_text(r, f->shown_path);
	fprintf(r->out, ": %s%s", tls_lib_name(f->lib), f->version ? ", " : "");
	put_text(r, f->version);
	fprintf(r->out, ", %zu functions", f->site_count);
	for (size_t i = 0; i < f->missing_count; i++)
		fprintf(r->out, "%s%s", i ? ", " : "; not in this version: ", f->missing[i]);
	fputc('\n', r->out);
	for (enum site_cost cost = SITE_CHEAP_INSIDE; cost <= SITE_STEPPED; cost++)
		put_sites(r, f, cost);
}

static void check_process(struct report *r, uint32_t pid, const struct given *given)
{
	struct discovery d = {.given = given};
	char what[32];
	int err = discover_process(pid, &d);

	snprintf(what, sizeof(what), "process %u", (unsigned int)pid);
	if (err)
		say(r, what, false, "%s", err == -ESRCH ? "no such process" : strerror(-err));
	else
		say(r, what, d.count > 0, "%zu files with TLS functions", d.count);
	for (size_t i = 0; i < d.count; i++)
		put_file(r, &d.files[i]);
	for (size_t i = 0; i < d.note_count; i++) {
		fputs("      ", r->out);
		put_text(r, d.notes[i]);
		fputc('\n', r->out);
	}
	discovery_clear(&d);
}

int doctor(const struct config *cfg, FILE *out)
{
	struct report r = {.out = out};

	check_kernel(&r);
	check_btf(&r);
	check_lockdown(&r);
	check_caps(&r);
	check_pids(&r);
	for (size_t i = 0; i < cfg->pid_count; i++)
		check_process(&r, cfg->pids[i], &cfg->given);
	return r.lacking ? EXIT_NOTHING : EXIT_DONE;
}
