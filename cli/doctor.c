/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gathers what the doctor knows into one tree of facts, printed as JSON or, by cli/doctor_text.c, for people.
 */
#include "cli/doctor.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "capture/bpf_load.h"
#include "capture/discover.h"
#include "capture/tls_libs.h"
#include "cli/doctor_text.h"
#include "cli/run.h"
#include "select/human.h"

#define BTF_PATH "/sys/kernel/btf/vmlinux"
#define LOCKDOWN_PATH "/sys/kernel/security/lockdown"
#define KERNEL(major, minor) ((major) << 16 | (minor))
#define KERNEL_OLDEST KERNEL(5, 15)
#define DETAIL_BYTES 512

struct report {
	json_t *machine, *processes;  /* of the tree */
	const struct given *given;    /* borrowed */
	struct discover_cache *cache; /* owned */
	bool lacking;		      /* something that capturing needs is not there */
};

/* File names, versions and the like are other people's bytes: made fit for a terminal. Owned. */
static json_t *safe(const char *s)
{
	struct buf b = {0};
	json_t *v = NULL;

	if (s)
		human_text(&b, str_from(s));
	if (s && buf_ok(&b))
		v = json_stringn((const char *)b.p, b.n);
	buf_free(&b);
	return v ? v : json_null();
}

/* What is checked, whether it is as it must be, what to do if not, and what it is. */
__attribute__((format(printf, 5, 6))) static void say(struct report *r, const char *what, bool ok,
						      const char *advice, const char *fmt, ...)
{
	json_t *check = json_object();
	char detail[DETAIL_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	json_object_set_new(check, "check", json_string(what));
	json_object_set_new(check, "ok", json_boolean(ok));
	json_object_set_new(check, "detail", safe(detail));
	if (!ok) {
		json_object_set_new(check, "advice", json_string(advice));
		r->lacking = true;
	}
	json_array_append_new(r->machine, check);
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

	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2) {
		say(r, "kernel", false, "run it on Linux", "its version cannot be read");
		return;
	}
	version = KERNEL(major, minor);
	say(r, "kernel", version >= KERNEL_OLDEST, "Linux 5.15 is the oldest supported", "%s %s",
	    u.release, u.machine);
}

static void check_btf(struct report *r)
{
	bool ok = access(BTF_PATH, R_OK) == 0;

	say(r, "BTF", ok, "use a kernel built with CONFIG_DEBUG_INFO_BTF", BTF_PATH "%s%s",
	    ok ? "" : ": ", ok ? "" : strerror(errno));
}

static void check_lockdown(struct report *r)
{
	char line[128];

	if (!read_line(LOCKDOWN_PATH, "", line, sizeof(line)))
		say(r, "lockdown", true, "", "not active, or not shown (securityfs)");
	else
		say(r, "lockdown", !strstr(line, "[confidentiality]"),
		    "boot with lockdown=integrity: programs may not read memory now", "%s", line);
}

/* CAP_SYS_ADMIN stands in for those that were split off it in Linux 5.8, and where programs are loaded. */
static const struct {
	const char *name, *need;
	int cap;
	bool by_admin;
} caps[] = {
	{"CAP_BPF", "to load programs", CAP_BPF, true},
	{"CAP_PERFMON", "to attach them and to read memory", CAP_PERFMON, true},
	{"CAP_SYS_PTRACE", "to look into other users' processes", CAP_SYS_PTRACE, false},
	{"CAP_DAC_READ_SEARCH", "to open the libraries they map", CAP_DAC_READ_SEARCH, false},
	{"CAP_NET_ADMIN", "to know whom datagrams come from", CAP_NET_ADMIN, true},
};

static void check_caps(struct report *r)
{
	unsigned long long have = 0;
	char line[128];

	if (!read_line("/proc/self/status", "CapEff:", line, sizeof(line)) ||
	    sscanf(line, "CapEff: %llx", &have) != 1) {
		say(r, "capabilities", false, "mount /proc", "/proc/self/status cannot be read");
		return;
	}
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
		bool ok = have >> caps[i].cap & 1;

		ok |= caps[i].by_admin && (have >> CAP_SYS_ADMIN & 1);
		say(r, "capability", ok, "run it as root", "%s %s", caps[i].name, caps[i].need);
	}
}

/* Loads the programs in each form and takes them away again. One is enough. */
static void check_probes(struct report *r)
{
	static const char *const kinds[] = {"session", "multi", "perf"};
	const char *sockets = "none";
	char list[64] = "";
	size_t n = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct bpf_load_cfg cfg = {.ring_mb = 1, .snap_bytes = 1, .probes = kinds[i]};
		struct bpf_side *side = NULL;

		if (bpf_load(&side, &cfg))
			continue;
		sockets = bpf_socket_probe(side);
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", kinds[i]);
		bpf_unload(side);
	}
	say(r, "probes", n > 0, "see the messages on standard error", "%s; sockets by %s",
	    n ? list : "none can be loaded", sockets);
}

static json_t *function_facts(const struct site *s)
{
	static const char *const costs[] = {
		[SITE_CHEAP_INSIDE] = "cheap, inside the function",
		[SITE_CHEAP_ENTRY] = "cheap, at the first instruction",
		[SITE_STEPPED] = "stepped",
	};
	enum site_cost cost = site_cost(s);
	json_t *o = json_object();

	json_object_set_new(o, "name", safe(site_function(s)));
	json_object_set_new(o, "cost", json_string(costs[cost]));
	if (cost == SITE_STEPPED && s->plan.why)
		json_object_set_new(o, "why", json_string(s->plan.why));
	return o;
}

static json_t *library_facts(const struct tls_file *f)
{
	json_t *o = json_object(), *functions = json_array(), *missing = json_array();

	json_object_set_new(o, "path", safe(f->shown_path));
	json_object_set_new(o, "library", json_string(tls_lib_name(f->lib)));
	json_object_set_new(o, "version", safe(f->version));
	json_object_set_new(o, "build_id", safe(f->build_id));
	json_object_set_new(o, "found_by", safe(f->found_by));
	for (size_t i = 0; i < f->site_count; i++)
		json_array_append_new(functions, function_facts(&f->sites[i]));
	for (size_t i = 0; i < f->missing_count; i++)
		json_array_append_new(missing, safe(f->missing[i]));
	json_object_set_new(o, "functions", functions);
	json_object_set_new(o, "missing", missing);
	return o;
}

/* Why nothing of a process can be seen, and what to do. */
static void explain(json_t *o, int err, const struct discovery *d)
{
	const char *reason = "no TLS library is mapped", *advice;

	if (err == -ESRCH) {
		reason = "no such process";
		advice = "it has ended, or is in another pid namespace";
	} else if (err == -EACCES || err == -EPERM) {
		reason = "its mappings may not be read";
		advice = "run as root, or with CAP_SYS_PTRACE";
	} else if (err) {
		reason = strerror(-err);
		advice = "its mappings could not be read";
	} else if (d->note_count) {
		reason = "no TLS functions were found in what it maps";
		advice = "give symbols by --debug-file, or functions by --probe";
	} else {
		advice = "a library that it opens later is picked up while it is traced";
	}
	json_object_set_new(o, "reason", json_string(reason));
	json_object_set_new(o, "advice", json_string(advice));
}

static void put_names(json_t *o, uint32_t pid)
{
	char path[64], text[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	if (read_line(path, "", text, sizeof(text)))
		json_object_set_new(o, "comm", safe(text));
	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	n = readlink(path, text, sizeof(text) - 1);
	if (n > 0) {
		text[n] = '\0';
		json_object_set_new(o, "exe", safe(text));
	}
}

/* False when there is nothing to tell of it and `always` is not asked for. */
static bool check_process(struct report *r, uint32_t pid, bool always)
{
	struct discovery d = {.given = r->given, .cache = r->cache};
	int err = discover_process(pid, &d);
	bool told = always || d.count || d.note_count;
	json_t *o, *libraries, *notes;

	if (told) {
		o = json_object();
		libraries = json_array();
		notes = json_array();
		json_object_set_new(o, "pid", json_integer(pid));
		put_names(o, pid);
		json_object_set_new(o, "traceable", json_boolean(d.count > 0));
		if (!d.count)
			explain(o, err, &d);
		for (size_t i = 0; i < d.count; i++)
			json_array_append_new(libraries, library_facts(&d.files[i]));
		for (size_t i = 0; i < d.note_count; i++)
			json_array_append_new(notes, safe(d.notes[i]));
		json_object_set_new(o, "libraries", libraries);
		json_object_set_new(o, "notes", notes);
		json_array_append_new(r->processes, o);
	}
	if (always && !d.count)
		r->lacking = true;
	discovery_clear(&d);
	return told;
}

/* Every process but this one and those of the kernel; returns how many have nothing to tell. */
static json_int_t check_all(struct report *r)
{
	DIR *dir = opendir("/proc");
	json_int_t others = 0;
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		uint32_t pid = isdigit((unsigned char)e->d_name[0])
				       ? (uint32_t)strtoul(e->d_name, NULL, 10)
				       : 0;

		if (pid && pid != (uint32_t)getpid() && !check_process(r, pid, false))
			others++;
	}
	if (dir)
		closedir(dir);
	return others;
}

int doctor(const struct config *cfg, FILE *out)
{
	struct report r = {
		.machine = json_array(),
		.processes = json_array(),
		.given = &cfg->given,
		.cache = discover_cache_new(),
	};
	json_t *facts = json_object();

	check_kernel(&r);
	check_btf(&r);
	check_lockdown(&r);
	check_caps(&r);
	check_probes(&r);
	for (size_t i = 0; i < cfg->pid_count; i++)
		check_process(&r, cfg->pids[i], true);
	if (cfg->all)
		json_object_set_new(facts, "processes_without_tls", json_integer(check_all(&r)));
	json_object_set_new(facts, "ok", json_boolean(!r.lacking));
	json_object_set_new(facts, "machine", r.machine);
	json_object_set_new(facts, "processes", r.processes);
	if (cfg->doctor_json) {
		json_dumpf(facts, out, JSON_COMPACT);
		fputc('\n', out);
	} else {
		doctor_text(facts, out);
	}
	json_decref(facts);
	discover_cache_free(r.cache);
	return r.lacking ? EXIT_NOTHING : EXIT_DONE;
}
