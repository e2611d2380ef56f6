/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/watch.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "bpf/event.h"
#include "bpf/state.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"
#define HEX_ID_CHARS 64

static bool is_hex_id(struct str id)
{
	for (size_t i = 0; i < id.n; i++)
		if (!isxdigit((unsigned char)id.p[i]))
			return false;
	return id.n == HEX_ID_CHARS;
}

/* Runtimes whose ids are names do not abbreviate them. */
static bool fits_container(const struct identity *id, struct str want)
{
	struct str cid = id->v[ID_CONTAINER_ID];

	if (!cid.n)
		return false;
	if (str_eq(cid, want) || str_eq(id->v[ID_CONTAINER_NAME], want) ||
	    str_eq(id->v[ID_K8S_CONTAINER], want))
		return true;
	return want.n >= WATCH_ID_MIN_CHARS && want.n < cid.n && is_hex_id(cid) &&
	       memcmp(cid.p, want.p, want.n) == 0;
}

static bool fits_pod(const struct identity *id, struct str want)
{
	const char *slash = memchr(want.p, '/', want.n);
	struct str namespace = {want.p, slash ? (size_t)(slash - want.p) : 0};

	if (!id->v[ID_K8S_POD].n)
		return false;
	if (!slash)
		return str_eq(id->v[ID_K8S_POD], want);
	return str_eq(id->v[ID_K8S_NAMESPACE], namespace) &&
	       str_eq(id->v[ID_K8S_POD], str_from(slash + 1));
}

static bool fits_cgroup(const struct identity *id, struct str want)
{
	struct str path = id->v[ID_CGROUP];
	size_t mount = sizeof(CGROUP_MOUNT) - 1;

	if (want.n > mount && memcmp(want.p, CGROUP_MOUNT, mount) == 0 && want.p[mount] == '/') {
		want.p += mount;
		want.n -= mount;
	}
	while (want.n && want.p[want.n - 1] == '/')
		want.n--;
	return path.n >= want.n && (!want.n || memcmp(path.p, want.p, want.n) == 0) &&
	       (path.n == want.n || path.p[want.n] == '/');
}

static bool fits_comm(const struct identity *id, struct str want)
{
	if (want.n > EV_COMM_BYTES - 1)
		want.n = EV_COMM_BYTES - 1;
	return str_eq(id->v[ID_COMM], want);
}

/* proc(5) marks the link when the file was removed, as an upgrade does. */
static bool fits_exe(const struct identity *id, struct str want)
{
	static const char mark[] = " (deleted)";
	struct str exe = id->v[ID_EXE];
	size_t n = sizeof(mark) - 1;

	if (str_eq(exe, want))
		return true;
	if (exe.n < n || memcmp(exe.p + exe.n - n, mark, n) != 0)
		return false;
	exe.n -= n;
	return str_eq(exe, want);
}

static bool fits(const struct watch_rule *r, const struct identity *id)
{
	struct str want = str_from(r->value);

	switch (r->kind) {
	case WATCH_CONTAINER:
		return fits_container(id, want);
	case WATCH_POD:
		return fits_pod(id, want);
	case WATCH_CGROUP:
		return fits_cgroup(id, want);
	case WATCH_UID:
		return id->v[ID_USER_ID].n && strtoul(id->v[ID_USER_ID].p, NULL, 10) == r->uid;
	case WATCH_COMM:
		return fits_comm(id, want);
	case WATCH_EXE:
		return fits_exe(id, want);
	case WATCH_ALL:
		return true;
	case WATCH_KINDS:
		break;
	}
	return false;
}

bool watch_fits(const struct watch_rule *rules, size_t count, const struct identity *id)
{
	bool named[WATCH_KINDS] = {0}, fit[WATCH_KINDS] = {0};

	for (size_t i = 0; i < count; i++) {
		named[rules[i].kind] = true;
		fit[rules[i].kind] |= fits(&rules[i], id);
	}
	for (int k = 0; k < WATCH_KINDS; k++)
		if (named[k] && !fit[k])
			return false;
	return count > 0;
}

static unsigned int bit_of(enum watch_kind kind)
{
	switch (kind) {
	case WATCH_CONTAINER:
	case WATCH_POD:
	case WATCH_CGROUP:
		return WATCH_BIT_CGROUP;
	case WATCH_UID:
		return WATCH_BIT_UID;
	default:
		return WATCH_BIT_OTHER;
	}
}

unsigned int watch_bits(const struct watch_rule *rules, size_t count)
{
	bool named[WATCH_KINDS] = {0};
	unsigned int bits = 0;

	for (size_t i = 0; i < count; i++) {
		named[rules[i].kind] = true;
		bits |= bit_of(rules[i].kind);
	}
	/* A group that fits one of two kinds of rules may not fit the other. */
	if (named[WATCH_CONTAINER] + named[WATCH_POD] + named[WATCH_CGROUP] > 1)
		bits |= WATCH_BIT_OTHER;
	return bits;
}

uint64_t watch_cgroup_id(const struct watch_rule *rules, size_t count, const struct identity *id)
{
	if (!(watch_bits(rules, count) & WATCH_BIT_CGROUP) || !id->v[ID_CGROUP_ID].n)
		return 0;
	return strtoull(id->v[ID_CGROUP_ID].p, NULL, 10);
}

bool watch_fits_pid(const struct watch_rule *rules, size_t count, const struct identity_cfg *cfg,
		    uint32_t pid)
{
	struct identity *id = identity_new((struct proc_key){.tgid = pid});
	bool yes = id && pid != (uint32_t)getpid() && identity_fill(id, cfg) == 0 &&
		   id->v[ID_EXE].n && watch_fits(rules, count, id);

	identity_unref(id);
	return yes;
}

void watch_scan(const struct watch_rule *rules, size_t count, const struct identity_cfg *cfg,
		void (*fn)(void *arg, uint32_t pid), void *arg)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		unsigned long pid =
			isdigit((unsigned char)e->d_name[0]) ? strtoul(e->d_name, NULL, 10) : 0;

		if (pid && watch_fits_pid(rules, count, cfg, (uint32_t)pid))
			fn(arg, (uint32_t)pid);
	}
	if (d)
		closedir(d);
}
