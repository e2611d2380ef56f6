/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control group of a process and what its path says of a container: one table of rules for
 * every runtime and both cgroup drivers. Rules look at one element of the path and the one before
 * it, so they hold at any depth: rootless, nested in Docker (kind), under a service of systemd.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "identity/rows.h"

#define CGROUP_MOUNT "/sys/fs/cgroup"
#define CGROUP_FILE_BYTES 16384
#define HEX_ID_CHARS 64 /* of Docker, containerd, CRI-O and Podman */

enum id_shape {
	SHAPE_HEX,     /* 64 hex digits */
	SHAPE_NAME,    /* whatever the administrator chose */
	SHAPE_MACHINE, /* the same, in machined's scopes, which hold virtual machines too */
	SHAPE_FARGATE, /* 32 hex digits, '-', decimal digits */
};

struct rule {
	const char *runtime; /* `container.runtime.name`, or NULL when the form is anybody's */
	const char *parent;  /* the element before, or NULL for any */
	const char *prefix, *suffix;
	enum id_shape shape;
};

static const struct rule rules[] = {
	{"docker", NULL, "docker-", ".scope", SHAPE_HEX},
	{"docker", "docker", "", "", SHAPE_HEX},
	{"containerd", NULL, "cri-containerd-", ".scope", SHAPE_HEX},
	{"containerd", NULL, "nerdctl-", ".scope", SHAPE_HEX},
	{"containerd", "cri-containerd", "", "", SHAPE_HEX}, /* SLICE:cri-containerd:ID */
	{"containerd", "k8s.io", "", "", SHAPE_HEX},
	{"cri-o", NULL, "crio-", ".scope", SHAPE_HEX},
	{"cri-o", NULL, "crio-", "", SHAPE_HEX},
	{"cri-o", "crio", "", "", SHAPE_HEX}, /* SLICE:crio:ID */
	{"podman", NULL, "libpod-", ".scope", SHAPE_HEX},
	{"podman", NULL, "libpod-", "", SHAPE_HEX},
	{"lxc", NULL, "lxc.payload.", "", SHAPE_NAME},
	{"lxc", "lxc", "", "", SHAPE_NAME},
	{"systemd-nspawn", "machine.slice", "systemd-nspawn@", ".service", SHAPE_NAME},
	{"systemd-nspawn", "machine.slice", "machine-", ".scope", SHAPE_MACHINE},
	{NULL, NULL, "", "", SHAPE_FARGATE},
	{NULL, NULL, "", "", SHAPE_HEX}, /* kubepods/podUID/ID, ecs/TASK/ID ... */
};

static size_t hex_digits(struct str s)
{
	size_t n = 0;

	while (n < s.n && isxdigit((unsigned char)s.p[n]))
		n++;
	return n;
}

static bool starts(struct str s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && memcmp(s.p, with, n) == 0;
}

static bool is_fargate(struct str s)
{
	if (hex_digits(s) != 32 || s.n < 34 || s.p[32] != '-')
		return false;
	for (size_t i = 33; i < s.n; i++)
		if (!isdigit((unsigned char)s.p[i]))
			return false;
	return true;
}

static bool has_shape(struct str id, enum id_shape shape)
{
	switch (shape) {
	case SHAPE_HEX:
		return id.n == HEX_ID_CHARS && hex_digits(id) == id.n;
	case SHAPE_NAME:
		return id.n > 0;
	case SHAPE_MACHINE:
		return id.n > 0 && !starts(id, "qemu") && !starts(id, "lxc");
	case SHAPE_FARGATE:
		return is_fargate(id);
	}
	return false;
}

static bool rule_matches(const struct rule *r, struct str parent, struct str element,
			 struct str *id)
{
	size_t prefix = strlen(r->prefix), suffix = strlen(r->suffix);

	if ((r->parent && !str_eq(parent, str_from(r->parent))) || element.n < prefix + suffix ||
	    memcmp(element.p, r->prefix, prefix) != 0 ||
	    memcmp(element.p + element.n - suffix, r->suffix, suffix) != 0)
		return false;
	*id = (struct str){element.p + prefix, element.n - prefix - suffix};
	return has_shape(*id, r->shape);
}

/*
 * Steps back to the element that ends at *end. ':' divides too: runc's SLICE:PREFIX:ID as a
 * directory.
 */
static struct str previous(const char *path, size_t *end)
{
	size_t from, to = *end;

	while (to > 0 && (path[to - 1] == '/' || path[to - 1] == ':'))
		to--;
	from = to;
	while (from > 0 && path[from - 1] != '/' && path[from - 1] != ':')
		from--;
	*end = from;
	return (struct str){path + from, to - from};
}

/*
 * "podUID" or "kubepods-burstable-podUID.slice"; UIDs are 36 characters, of static pods 32 hex
 * digits.
 */
static struct str pod_uid(struct str element)
{
	struct str uid = element;

	if (uid.n > 6 && memcmp(uid.p + uid.n - 6, ".slice", 6) == 0)
		uid.n -= 6;
	if (uid.n >= 39 && memcmp(uid.p + uid.n - 39, "pod", 3) == 0)
		uid = (struct str){uid.p + uid.n - 36, 36};
	else if (uid.n >= 35 && memcmp(uid.p + uid.n - 35, "pod", 3) == 0)
		uid = (struct str){uid.p + uid.n - 32, 32};
	else
		return STR_NONE;
	for (size_t i = 0; i < uid.n; i++)
		if (!isxdigit((unsigned char)uid.p[i]) && uid.p[i] != '-' && uid.p[i] != '_')
			return STR_NONE;
	return uid;
}

void cgroup_facts(struct str path, struct cgroup_facts *out)
{
	size_t end = path.n;
	struct str element = previous(path.p, &end), parent;

	*out = (struct cgroup_facts){0};
	for (; element.n; element = parent) {
		parent = previous(path.p, &end);
		if (!out->pod_uid.n)
			out->pod_uid = pod_uid(element);
		for (size_t i = 0; !out->id.n && i < sizeof(rules) / sizeof(rules[0]); i++) {
			struct str id;

			if (!rule_matches(&rules[i], parent, element, &id))
				continue;
			out->id = id;
			out->runtime = rules[i].runtime;
			out->named =
				rules[i].shape == SHAPE_NAME || rules[i].shape == SHAPE_MACHINE;
		}
	}
}

/*
 * A line of /proc/PID/cgroup: "number:controllers:path"; version 2 has number 0 and no controllers.
 */
struct line {
	struct str controllers, path;
	bool v2;
};

static bool next_line(const char **text, struct line *l)
{
	const char *p = *text, *end = p + strcspn(p, "\n"), *a, *b;

	if (!*p)
		return false;
	*text = end + (*end == '\n');
	*l = (struct line){0};
	a = memchr(p, ':', (size_t)(end - p));
	b = a ? memchr(a + 1, ':', (size_t)(end - a - 1)) : NULL;
	if (b) {
		l->controllers = (struct str){a + 1, (size_t)(b - a - 1)};
		l->path = (struct str){b + 1, (size_t)(end - b - 1)};
		l->v2 = a - p == 1 && *p == '0' && l->controllers.n == 0;
	}
	return true;
}

/*
 * How much a line tells. A root path tells nothing; on hybrid hosts the version 2 tree may hold
 * nobody while a version 1 hierarchy knows the container.
 */
static int line_rank(const struct line *l, const struct cgroup_facts *facts)
{
	int rank = facts->id.n ? 8 : 0;

	if (l->path.n > 1)
		rank += 4;
	if (l->v2)
		rank += 2;
	if (str_eq(l->controllers, STR("name=systemd")))
		rank += 1;
	return rank;
}

static int set_facts(struct identity *id, struct str path, const struct cgroup_facts *facts)
{
	char uid[64];
	int rc = identity_set(id, ID_CGROUP, path.p, path.n);

	if (rc == 0 && facts->id.n)
		rc = identity_set(id, ID_CONTAINER_ID, facts->id.p, facts->id.n);
	if (rc == 0 && facts->named)
		rc = identity_set(id, ID_CONTAINER_NAME, facts->id.p, facts->id.n);
	if (rc == 0 && facts->runtime)
		rc = identity_set(id, ID_CONTAINER_RUNTIME, facts->runtime, strlen(facts->runtime));
	if (rc || !facts->pod_uid.n)
		return rc;
	for (size_t i = 0; i < facts->pod_uid.n; i++)
		uid[i] = facts->pod_uid.p[i] == '_' ? '-' : facts->pod_uid.p[i];
	return identity_set(id, ID_K8S_POD_UID, uid, facts->pod_uid.n);
}

int cgroup_fill_text(struct identity *id, const char *text)
{
	struct cgroup_facts facts, best = {0};
	struct str path = STR_NONE;
	struct line l;
	int rank = -1;

	while (next_line(&text, &l)) {
		cgroup_facts(l.path, &facts);
		if (l.path.n && line_rank(&l, &facts) > rank) {
			rank = line_rank(&l, &facts);
			path = l.path;
			best = facts;
		}
	}
	return path.n ? set_facts(id, path, &best) : 0;
}

/* The version 2 path that is not beyond the root of our cgroup namespace; STR_NONE without one. */
static struct str v2_path(const char *text)
{
	struct line l;

	while (next_line(&text, &l))
		if (l.v2 && l.path.n && strncmp(l.path.p, "/..", 3) != 0)
			return l.path;
	return STR_NONE;
}

uint64_t cgroup_id_of(struct str path)
{
	static const char *const mounts[] = {CGROUP_MOUNT, CGROUP_MOUNT "/unified"};
	char full[PATH_MAX];
	struct statfs fs;
	struct stat st;

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		int n = snprintf(full, sizeof(full), "%s%.*s", mounts[i], (int)path.n, path.p);

		if (n > 0 && (size_t)n < sizeof(full) && statfs(full, &fs) == 0 &&
		    fs.f_type == CGROUP2_SUPER_MAGIC && stat(full, &st) == 0)
			return st.st_ino;
	}
	return 0;
}

/* Of the group whose path is shown: on hybrid hosts that may be one of version 1, which has no id. */
static int set_cgroup_id(struct identity *id, const char *text)
{
	struct str path = v2_path(text);
	uint64_t ino = path.n && str_eq(path, id->v[ID_CGROUP]) ? cgroup_id_of(path) : 0;
	char digits[24];

	if (!ino)
		return 0;
	snprintf(digits, sizeof(digits), "%" PRIu64, ino);
	return identity_set(id, ID_CGROUP_ID, digits, strlen(digits));
}

static int fill(struct identity *id, const struct identity_cfg *cfg)
{
	char text[CGROUP_FILE_BYTES];
	int n = identity_read(id->key.tgid, "cgroup", text, sizeof(text)), rc;

	(void)cfg;
	if (n < 0)
		return n == -ESRCH ? n : 0; /* a kernel without control groups has no such file */
	rc = cgroup_fill_text(id, text);
	return rc ? rc : set_cgroup_id(id, text);
}

const struct identity_ops identity_cgroup = {.name = "cgroup", .fill = fill};
