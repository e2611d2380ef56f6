/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads the BPF side. The best kind of probe is found by trying: open, load, a trial on ourselves; if that
 * fails, the next kind. Programs that the kernel has no hook for are left out and stop nothing else.
 */
#include "capture/bpf_load.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/membarrier.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bpf/tlslens.skel.h"
#include "capture/bpf_socket.h"
#include "capture/bpf_trial.h"
#include "core/log.h"

/* enum bpf_attach_type of kernels newer than the headers at hand. */
#define ATTACH_TYPE_UPROBE_MULTI 48
#define ATTACH_TYPE_UPROBE_SESSION 57

#define KERNEL_MIN_MAJOR 5
#define KERNEL_MIN_MINOR 15

struct bpf_side {
	struct tlslens *skel;
	struct attach_progs progs;
	enum sock_backend backend; /* BACKEND_NONE: its hooks could not be had */
	struct sock_links sock_links;
};

static int bpf_print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[512];
	int n = vsnprintf(line, sizeof(line), fmt, ap);

	(void)level;
	while (n > 0 && (size_t)n < sizeof(line) && line[n - 1] == '\n')
		line[--n] = '\0';
	log_debug("%s", line);
	return n;
}

struct capability {
	const char *name;
	unsigned int bit;
};

/* CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON (capabilities(7)). */
static int check_capabilities(void)
{
	static const struct capability needed[] = {
		{"CAP_PERFMON", 38}, {"CAP_BPF", 39}, {"CAP_SYS_PTRACE", 19}};
	const uint64_t admin = 1ull << 21;
	unsigned long long have = 0;
	char line[256], missing[128] = "";
	FILE *f = fopen("/proc/self/status", "re");
	size_t n = 0;

	if (!f)
		return 0; /* the kernel will say it */
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &have) == 1)
			break;
	fclose(f);
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		bool ok = have & 1ull << needed[i].bit;

		if (ok || (needed[i].bit >= 38 && have & admin))
			continue;
		n += (size_t)snprintf(missing + n, sizeof(missing) - n, "%s%s", n ? ", " : "",
				      needed[i].name);
	}
	if (!n)
		return 0;
	log_error("missing %s: run as root", missing);
	return -EPERM;
}

static int check_kernel(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	    (major < KERNEL_MIN_MAJOR || (major == KERNEL_MIN_MAJOR && minor < KERNEL_MIN_MINOR))) {
		log_error("kernel %s is too old: %d.%d or newer is needed", u.release,
			  KERNEL_MIN_MAJOR, KERNEL_MIN_MINOR);
		return -ENOSYS;
	}
	if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
		log_error("no /sys/kernel/btf/vmlinux: a kernel with CONFIG_DEBUG_INFO_BTF is "
			  "needed");
		return -ENOSYS;
	}
	return 0;
}

static bool has_type(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT) > 0;
}

static bool has_kfunc(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}

static bool allowed(const char *probes, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = probes; p && *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == n && strncmp(p, name, n) == 0)
			return true;
	return !probes || !*probes;
}

/* What this kernel has besides the kinds of probe. */
struct features {
	const struct btf *btf;
	enum sock_backend backend;
	bool dynptr_copy; /* bpf_probe_read_user_dynptr(), 6.16 */
	bool senders;	  /* programs of control groups on datagrams, and leave to have them */
};

/* Which of the programs are loaded, and as what. */
static void choose_programs(struct tlslens *s, enum attach_kind kind, const struct features *has)
{
	struct bpf_program *session = s->progs.tls_session;
	struct bpf_program *entry = s->progs.tls_entry, *ret = s->progs.tls_return;
	struct bpf_program *go = s->progs.go_call;

	bpf_program__set_autoload(session, kind == ATTACH_SESSION);
	bpf_program__set_autoload(ret, kind != ATTACH_SESSION);
	if (kind == ATTACH_SESSION)
		bpf_program__set_expected_attach_type(
			session, (enum bpf_attach_type)ATTACH_TYPE_UPROBE_SESSION);
	if (kind != ATTACH_PERF) {
		bpf_program__set_expected_attach_type(
			entry, (enum bpf_attach_type)ATTACH_TYPE_UPROBE_MULTI);
		bpf_program__set_expected_attach_type(
			ret, (enum bpf_attach_type)ATTACH_TYPE_UPROBE_MULTI);
		bpf_program__set_expected_attach_type(
			go, (enum bpf_attach_type)ATTACH_TYPE_UPROBE_MULTI);
	}
	sock_backend_prepare(s, has->btf, has->backend, has->senders);
}

static int size_maps(struct tlslens *s, const struct bpf_load_cfg *cfg)
{
	int cpus = libbpf_num_possible_cpus();
	uint32_t ring_bytes = cfg->ring_mb << 20;
	int err;

	if (cpus < 1)
		return cpus < 0 ? cpus : -EINVAL;
	s->rodata->snap_bytes = cfg->snap_bytes < SNAP_MAX_BYTES ? cfg->snap_bytes : SNAP_MAX_BYTES;
	s->rodata->wake_bytes = ring_bytes / 4;
	s->rodata->watch_execs = cfg->watch_execs;
	s->rodata->watch_bits = cfg->watch_bits;
	s->rodata->streams_judged = cfg->ends || cfg->judge_streams;
	if (cfg->ends)
		memcpy(&s->rodata->ends_wanted, cfg->ends, sizeof(*cfg->ends));
	err = bpf_map__set_max_entries(s->maps.ring, ring_bytes);
	if (!err)
		err = bpf_map__set_max_entries(s->maps.scratch, (uint32_t)cpus * SCRATCH_SLOTS);
	if (!err)
		err = bpf_map__set_max_entries(s->maps.works, (uint32_t)cpus * SCRATCH_SLOTS);
	return err;
}

static void progs_fill(struct bpf_side *b, const struct bpf_load_cfg *cfg, enum attach_kind kind)
{
	b->progs = (struct attach_progs){
		.kind = kind,
		.session_fd = bpf_program__fd(b->skel->progs.tls_session),
		.entry_fd = bpf_program__fd(b->skel->progs.tls_entry),
		.return_fd = bpf_program__fd(b->skel->progs.tls_return),
		.go_fd = bpf_program__fd(b->skel->progs.go_call),
		.plain = cfg->plain_sites,
	};
	if (kind == ATTACH_SESSION)
		b->progs.return_fd = -1;
	else
		b->progs.session_fd = -1;
}

/* Loads with one kind of probe and tries it. */
static int load_kind(struct bpf_side *b, const struct bpf_load_cfg *cfg, enum attach_kind kind,
		     const struct features *has)
{
	int err;

	b->skel = tlslens__open();
	if (!b->skel)
		return -errno;
	choose_programs(b->skel, kind, has);
	b->skel->rodata->dynptr_copy = has->dynptr_copy;
	err = size_maps(b->skel, cfg);
	if (!err)
		err = tlslens__load(b->skel);
	if (!err) {
		progs_fill(b, cfg, kind);
		err = bpf_trial(b);
	}
	if (err) {
		log_debug("%s probes do not work here: error %d", attach_kind_name(kind), -err);
		tlslens__destroy(b->skel);
		b->skel = NULL;
	}
	return err;
}

/* The kernel's own hooks; each by itself, for one that cannot be had must not stop the others. */
static int attach_hooks(struct bpf_side *b, const struct features *has)
{
	struct tlslens *s = b->skel;
	struct bpf_program *const process[] = {s->progs.proc_fork, s->progs.proc_exec,
					       s->progs.proc_exit};
	struct bpf_link **const process_links[] = {&s->links.proc_fork, &s->links.proc_exec,
						   &s->links.proc_exit};

	for (size_t i = 0; i < sizeof(process) / sizeof(process[0]); i++) {
		*process_links[i] = bpf_program__attach(process[i]);
		if (!*process_links[i]) {
			log_error("cannot attach to %s: %s", bpf_program__section_name(process[i]),
				  strerror(errno));
			return -errno;
		}
	}
	s->links.sock_set_state = bpf_program__attach(s->progs.sock_set_state);
	s->links.sock_destroyed = bpf_program__attach(s->progs.sock_destroyed);
	b->backend =
		sock_backend_attach(s, has->backend, &b->sock_links) ? has->backend : BACKEND_NONE;
	if (!s->links.sock_set_state || !s->links.sock_destroyed || b->backend == BACKEND_NONE)
		log_warn("no hook on socket calls: peers stay unknown");
	return 0;
}

static int load_best(struct bpf_side *b, const struct bpf_load_cfg *cfg)
{
	struct btf *btf = btf__load_vmlinux_btf();
	struct features has;
	bool possible[] = {true, true, true};
	int err = -ENOTSUP;

	if (!btf) {
		log_error("cannot read the kernel's BTF: %s", strerror(errno));
		return -errno;
	}
	possible[ATTACH_SESSION] = has_kfunc(btf, "bpf_session_is_return");
	possible[ATTACH_MULTI] = has_type(btf, "bpf_uprobe_multi_link");
	has.dynptr_copy = has_kfunc(btf, "bpf_probe_read_user_dynptr");
	has.btf = btf;
	err = sock_backend_choose(btf, cfg->backend, &has.backend);
	if (err) {
		log_error("--backend %s: this kernel has none", cfg->backend);
		btf__free(btf);
		return err;
	}
	has.senders = cfg->plain && has.backend == BACKEND_TRACEPOINT &&
		      libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, NULL) == 1;
	if (cfg->plain && has.backend == BACKEND_TRACEPOINT && !has.senders)
		log_warn("whom datagrams come from stays unknown: CAP_NET_ADMIN and a kernel with "
			 "CONFIG_CGROUP_BPF are needed");
	if (cfg->plain && has.backend == BACKEND_SYS_ENTER)
		log_warn("plain sockets are not seen: that needs Linux 6.3, or kprobes");
	err = -ENOTSUP;
	for (int kind = ATTACH_SESSION; kind <= ATTACH_PERF; kind++) {
		if (!possible[kind])
			continue;
		if (cfg->probes && !allowed(cfg->probes, attach_kind_name(kind)))
			continue;
		err = load_kind(b, cfg, kind, &has);
		if (!err)
			break;
	}
	btf__free(btf);
	if (!err)
		return attach_hooks(b, &has);
	log_error("cannot load the probes: %s", strerror(-err));
	return err;
}

int bpf_load(struct bpf_side **bp, const struct bpf_load_cfg *cfg)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct bpf_side *b;
	int err = check_capabilities();

	if (!err)
		err = check_kernel();
	if (err)
		return err;
	/* Since 5.11 maps are charged to the memory cgroup and the limit does not matter. */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	libbpf_set_print(bpf_print);
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	err = load_best(b, cfg);
	if (err) {
		bpf_unload(b);
		return err;
	}
	*bp = b;
	return 0;
}

void bpf_pause(struct bpf_side *b)
{
	b->skel->bss->paused = 1;
	/* Waits for an RCU grace period: programs that did not see it yet run inside of one. */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

void bpf_unload(struct bpf_side *b)
{
	if (!b)
		return;
	sock_links_free(&b->sock_links);
	tlslens__destroy(b->skel);
	free(b);
}

const struct attach_progs *bpf_progs(const struct bpf_side *b)
{
	return &b->progs;
}

int bpf_ring_fd(const struct bpf_side *b)
{
	return bpf_map__fd(b->skel->maps.ring);
}

const char *bpf_socket_probe(const struct bpf_side *b)
{
	return sock_backend_name(b->backend);
}

void bpf_sweep(struct bpf_side *b)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int err = bpf_prog_test_run_opts(bpf_program__fd(b->skel->progs.sock_sweep), &run);

	if (err)
		log_debug("sweep of sockets: %s", strerror(-err));
}

int bpf_refuse(struct bpf_side *b, uint64_t sock, enum refusal what)
{
	uint8_t refused = (uint8_t)what;
	int err =
		bpf_map_update_elem(bpf_map__fd(b->skel->maps.refusals), &sock, &refused, BPF_ANY);

	if (!err)
		__atomic_add_fetch(&b->skel->bss->refusals_made, 1, __ATOMIC_RELEASE);
	return err;
}

int bpf_proc_put(struct bpf_side *b, uint32_t tgid, const struct proc_state *p)
{
	return bpf_map_update_elem(bpf_map__fd(b->skel->maps.procs), &tgid, p, BPF_ANY);
}

int bpf_proc_get(struct bpf_side *b, uint32_t tgid, struct proc_state *p)
{
	return bpf_map_lookup_elem(bpf_map__fd(b->skel->maps.procs), &tgid, p);
}

int bpf_proc_delete(struct bpf_side *b, uint32_t tgid)
{
	return bpf_map_delete_elem(bpf_map__fd(b->skel->maps.procs), &tgid);
}

int bpf_proc_next(struct bpf_side *b, uint32_t *tgid)
{
	return bpf_map_get_next_key(bpf_map__fd(b->skel->maps.procs), *tgid ? tgid : NULL, tgid);
}

int bpf_watch_cgroup(struct bpf_side *b, uint64_t id)
{
	uint32_t yes = 1;

	return bpf_map_update_elem(bpf_map__fd(b->skel->maps.watched_cgroups), &id, &yes, BPF_ANY);
}

int bpf_watch_uid(struct bpf_side *b, uint32_t uid)
{
	uint32_t yes = 1;

	return bpf_map_update_elem(bpf_map__fd(b->skel->maps.watched_uids), &uid, &yes, BPF_ANY);
}

size_t bpf_conns_take(struct bpf_side *b, uint32_t tgid, uint64_t before, bpf_conn_fn *fn,
		      void *arg)
{
	int fd = bpf_map__fd(b->skel->maps.conns);
	struct conn_key key, next;
	struct conn_state conn;
	size_t taken = 0;
	bool more = bpf_map_get_next_key(fd, NULL, &key) == 0;

	/* The walk begins anew when a program deletes the key it stands on: bounded all the same. */
	for (size_t i = 0; more && i < 2 * CONNS_MAX; i++, key = next) {
		more = bpf_map_get_next_key(fd, &key, &next) == 0;
		if (key.tgid != tgid || key.epoch > before)
			continue;
		if (bpf_map_lookup_elem(fd, &key, &conn) || bpf_map_delete_elem(fd, &key))
			continue;
		fn(arg, &key, &conn);
		taken++;
	}
	return taken;
}

void bpf_goroutines_drop(struct bpf_side *b, uint32_t tgid, uint64_t before)
{
	int fd = bpf_map__fd(b->skel->maps.go_calls);
	struct conn_key key, next;
	bool more = bpf_map_get_next_key(fd, NULL, &key) == 0;

	for (size_t i = 0; more && i < 2 * GOROUTINES_MAX; i++, key = next) {
		more = bpf_map_get_next_key(fd, &key, &next) == 0;
		if (key.tgid == tgid && key.epoch <= before)
			bpf_map_delete_elem(fd, &key);
	}
}
