/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names, image and pod of a container from what its runtime keeps on disk, under the file names and in the
 * formats of that runtime. No runtime is asked, no socket opened. Nothing is kept in between: the files are
 * small, and a container may be renamed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "identity/rows.h"

#define STATE_FILE_MAX_BYTES (16 << 20)
#define ENTRIES_MAX 256 /* of a directory, looked at for one container */
#define CGROUP_MOUNT "/sys/fs/cgroup"

struct lookup {
	struct identity *id;
	const char *root;      /* what stands before every path; "" is this system */
	const char *container; /* its id, or NULL */
	bool labels;	       /* these too */
};

__attribute__((format(printf, 2, 3))) static json_t *load(const struct lookup *l, const char *fmt,
							  ...)
{
	char path[PATH_MAX], *text = NULL;
	json_t *doc = NULL;
	struct stat st;
	va_list ap;
	ssize_t got;
	int n, fd;

	n = snprintf(path, sizeof(path), "%s", l->root);
	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < sizeof(path))
		n += vsnprintf(path + n, sizeof(path) - (size_t)n, fmt, ap);
	va_end(ap);
	fd = n >= 0 && (size_t)n < sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
						: -1;
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= STATE_FILE_MAX_BYTES)
		text = malloc((size_t)st.st_size + 1);
	if (text) {
		got = read(fd, text, (size_t)st.st_size);
		if (got > 0)
			doc = json_loadb(text, (size_t)got, 0, NULL);
	}
	free(text);
	close(fd);
	return doc;
}

/* What is known already stays: the first source that says something is the nearest one. */
static void set(struct identity *id, enum identity_field f, const char *v)
{
	if (v && *v && !id->v[f].n)
		identity_set(id, f, v, strlen(v));
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static bool is_text(const char *s)
{
	return s && *s;
}

/* KEY=VALUE of each; of a pod without what the kubelet has put there for itself. */
static void keep_labels(const struct lookup *l, enum identity_field f, const json_t *labels)
{
	char text[LABEL_MAX_BYTES];
	const json_t *value;
	const char *key;
	size_t count = 0;

	if (!l->labels || l->id->v[f].p)
		return;
	json_object_foreach((json_t *)labels, key, value)
	{
		const char *v = json_string_value(value);
		int n = v ? snprintf(text, sizeof(text), "%s=%s", key, v) : -1;

		if (n < 0 || (size_t)n >= sizeof(text) ||
		    (f == ID_POD_LABELS && !strncmp(key, "io.kubernetes.", 14)))
			continue;
		if (count++ == LABELS_MAX)
			break;
		identity_add(l->id, f, text, (size_t)n);
	}
}

/* The same where they are JSON in a string. */
static void keep_labels_text(const struct lookup *l, enum identity_field f, const char *text)
{
	json_t *labels = is_text(text) ? json_loads(text, 0, NULL) : NULL;

	keep_labels(l, f, labels);
	json_decref(labels);
}

/* Annotations of OCI bundles and labels of Docker's containers. */
static void take_labels(struct identity *id, const json_t *labels)
{
	static const struct {
		const char *label;
		enum identity_field field;
	} rows[] = {
		/* containerd's CRI plugin */
		{"io.kubernetes.cri.container-name", ID_K8S_CONTAINER},
		{"io.kubernetes.cri.sandbox-name", ID_K8S_POD},
		{"io.kubernetes.cri.sandbox-namespace", ID_K8S_NAMESPACE},
		{"io.kubernetes.cri.sandbox-uid", ID_K8S_POD_UID},
		{"io.kubernetes.cri.image-name", ID_CONTAINER_IMAGE},
		/* the kubelet, by way of CRI-O and Docker */
		{"io.kubernetes.container.name", ID_K8S_CONTAINER},
		{"io.kubernetes.pod.name", ID_K8S_POD},
		{"io.kubernetes.pod.namespace", ID_K8S_NAMESPACE},
		{"io.kubernetes.pod.uid", ID_K8S_POD_UID},
		{"io.kubernetes.cri-o.ImageName", ID_CONTAINER_IMAGE},
		{"nerdctl/name", ID_CONTAINER_NAME},
		{"org.opencontainers.image.ref.name", ID_CONTAINER_IMAGE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		set(id, rows[i].field, text_of(labels, rows[i].label));
}

/* A pod's labels are with its sandbox. The id becomes part of a path. */
static void docker_pod_labels(const struct lookup *l, const char *sandbox)
{
	json_t *doc;

	if (!l->labels || !is_text(sandbox) || strchr(sandbox, '/'))
		return;
	doc = load(l, "/var/lib/docker/containers/%s/config.v2.json", sandbox);
	keep_labels(l, ID_POD_LABELS, json_object_get(json_object_get(doc, "Config"), "Labels"));
	json_decref(doc);
}

/* Docker: /var/lib/docker/containers/ID/config.v2.json; the name has a slash in front. */
static bool from_docker(const struct lookup *l)
{
	json_t *doc = load(l, "/var/lib/docker/containers/%s/config.v2.json", l->container);
	const json_t *config = json_object_get(doc, "Config");
	const char *name = text_of(doc, "Name");

	if (!doc)
		return false;
	set(l->id, ID_CONTAINER_RUNTIME, "docker");
	set(l->id, ID_CONTAINER_NAME, name && *name == '/' ? name + 1 : name);
	set(l->id, ID_CONTAINER_IMAGE, text_of(config, "Image"));
	take_labels(l->id, json_object_get(config, "Labels"));
	keep_labels(l, ID_CONTAINER_LABELS, json_object_get(config, "Labels"));
	docker_pod_labels(l,
			  text_of(json_object_get(config, "Labels"), "io.kubernetes.sandbox.id"));
	json_decref(doc);
	return true;
}

/* An entry of containers.json; `metadata` is JSON in a string. */
static void take_stored(struct identity *id, const json_t *entry)
{
	const char *text = text_of(entry, "metadata");
	json_t *metadata = text ? json_loads(text, 0, NULL) : NULL;

	set(id, ID_CONTAINER_IMAGE, text_of(metadata, "image-name"));
	set(id, ID_CONTAINER_NAME,
	    json_string_value(json_array_get(json_object_get(entry, "names"), 0)));
	json_decref(metadata);
}

static bool take_stored_of(const struct lookup *l, const json_t *all)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(all, i, entry)
	{
		const char *id = text_of(entry, "id");

		if (!id || strcmp(id, l->container) != 0)
			continue;
		take_stored(l->id, entry);
		return true;
	}
	return false;
}

/* Where containers/storage keeps things: of root, or of the user whose containers they are. */
struct storage {
	char graph[PATH_MAX / 2], run[PATH_MAX / 2];
};

static const char *const storage_drivers[] = {"overlay", "vfs", "btrfs", "zfs"};

#define STORAGE_DRIVERS (sizeof(storage_drivers) / sizeof(storage_drivers[0]))

static json_t *load_stored(const struct lookup *l, const struct storage *at, const char *container)
{
	json_t *doc = NULL;

	for (size_t i = 0; !doc && i < STORAGE_DRIVERS; i++) {
		doc = load(l, "%s/%s-containers/%s/userdata/config.json", at->run,
			   storage_drivers[i], container);
		if (!doc)
			doc = load(l, "%s/%s-containers/%s/userdata/config.json", at->graph,
				   storage_drivers[i], container);
	}
	return doc;
}

/* CRI-O keeps labels in an annotation, those of a pod with its sandbox. Podman's are annotations. */
static void stored_labels(const struct lookup *l, const struct storage *at,
			  const json_t *annotations)
{
	const char *own = text_of(annotations, "io.kubernetes.cri-o.Labels");
	const char *sandbox = text_of(annotations, "io.kubernetes.cri-o.SandboxID");
	json_t *doc;

	if (own)
		keep_labels_text(l, ID_CONTAINER_LABELS, own);
	else
		keep_labels(l, ID_CONTAINER_LABELS, annotations);
	if (!l->labels || !is_text(sandbox) || strchr(sandbox, '/'))
		return;
	doc = load_stored(l, at, sandbox);
	keep_labels_text(
		l, ID_POD_LABELS,
		text_of(json_object_get(doc, "annotations"), "io.kubernetes.cri-o.Labels"));
	json_decref(doc);
}

/* Containers started with --rm are in the second file, which a transient store has elsewhere. */
static bool in_lists(const struct lookup *l, const struct storage *at, const char *driver)
{
	const struct {
		const char *dir, *file;
	} lists[] = {
		{at->graph, "containers.json"},
		{at->graph, "volatile-containers.json"},
		{at->run, "volatile-containers.json"},
	};
	bool found = false;

	for (size_t i = 0; !found && i < sizeof(lists) / sizeof(lists[0]); i++) {
		json_t *doc = load(l, "%s/%s-containers/%s", lists[i].dir, driver, lists[i].file);

		found = take_stored_of(l, doc);
		json_decref(doc);
	}
	return found;
}

static bool in_storage(const struct lookup *l, const struct storage *at)
{
	json_t *doc = load_stored(l, at, l->container);
	bool found = doc != NULL;

	take_labels(l->id, json_object_get(doc, "annotations"));
	stored_labels(l, at, json_object_get(doc, "annotations"));
	json_decref(doc);
	for (size_t i = 0; i < STORAGE_DRIVERS; i++)
		found |= in_lists(l, at, storage_drivers[i]);
	return found;
}

/* The user in whose slice the group is: /user.slice/user-1000.slice/... */
static bool slice_owner(struct str path, unsigned int *uid)
{
	static const char before[] = "/user.slice/user-";
	const char *p = path.n ? memmem(path.p, path.n, before, sizeof(before) - 1) : NULL;

	return p && sscanf(p + sizeof(before) - 1, "%u.slice", uid) == 1;
}

/* By the host's own list of users. */
static bool storage_of_user(const struct lookup *l, unsigned int uid, struct storage *at)
{
	char path[PATH_MAX];
	struct passwd *pw = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "%s/etc/passwd", l->root);
	f = fopen(path, "re");
	if (!f)
		return false;
	do
		pw = fgetpwent(f);
	while (pw && pw->pw_uid != uid);
	if (pw) {
		snprintf(at->graph, sizeof(at->graph), "%s/.local/share/containers/storage",
			 pw->pw_dir);
		snprintf(at->run, sizeof(at->run), "/run/user/%u/containers", uid);
	}
	fclose(f);
	return pw != NULL;
}

/* Podman and CRI-O share containers/storage. */
static bool from_storage(const struct lookup *l)
{
	static const struct storage of_root = {"/var/lib/containers/storage",
					       "/run/containers/storage"};
	struct storage of_user;
	unsigned int uid;

	return in_storage(l, &of_root) ||
	       (slice_owner(l->id->v[ID_CGROUP], &uid) && storage_of_user(l, uid, &of_user) &&
		in_storage(l, &of_user));
}

/* Calls fn with each name in a directory until it answers true. */
static bool each_entry(const struct lookup *l, const char *dir,
		       bool (*fn)(const struct lookup *l, const char *dir, const char *name))
{
	char path[PATH_MAX];
	struct dirent *e;
	bool done = false;
	DIR *d;

	snprintf(path, sizeof(path), "%s%s", l->root, dir);
	d = opendir(path);
	for (int i = 0; d && !done && i < ENTRIES_MAX && (e = readdir(d)); i++)
		done = e->d_name[0] != '.' && fn(l, dir, e->d_name);
	if (d)
		closedir(d);
	return done;
}

/* containerd's state, as it is set up by itself and by distributions of Kubernetes. */
static const char *const containerd_roots[] = {
	"/run/containerd",
	"/run/k3s/containerd", /* and RKE2 */
	"/run/k0s/containerd",
	"/var/snap/microk8s/common/run/containerd",
	"/run/docker/containerd/daemon", /* Docker's own */
};

#define CONTAINERD_TASKS "io.containerd.runtime.v2.task"

static bool in_namespace(const struct lookup *l, const char *dir, const char *namespace)
{
	json_t *doc = load(l, "%s/%s/%s/config.json", dir, namespace, l->container);

	if (!doc)
		return false;
	set(l->id, ID_CONTAINER_RUNTIME, strcmp(namespace, "moby") ? "containerd" : "docker");
	take_labels(l->id, json_object_get(doc, "annotations"));
	keep_labels(l, ID_CONTAINER_LABELS, json_object_get(doc, "annotations"));
	json_decref(doc);
	return true;
}

/* A bundle for each task, below its namespace (k8s.io, default, moby). */
static bool from_containerd(const struct lookup *l)
{
	char dir[PATH_MAX];

	for (size_t i = 0; i < sizeof(containerd_roots) / sizeof(containerd_roots[0]); i++) {
		snprintf(dir, sizeof(dir), "%s/" CONTAINERD_TASKS, containerd_roots[i]);
		if (each_entry(l, dir, in_namespace))
			return true;
	}
	return false;
}

/* The path within its hierarchy: version 1 mounts one directory further down. */
static const char *within_mount(const char *key, const char *path)
{
	size_t n = sizeof(CGROUP_MOUNT) - 1;

	if (strncmp(path, CGROUP_MOUNT, n) != 0)
		return NULL;
	path += n;
	return *key && *path == '/' ? strchr(path + 1, '/') : path;
}

/* In this group or one below it, which the container made itself. */
static bool is_below(struct str path, const char *group)
{
	size_t n = group ? strlen(group) : 0;

	return n > 1 && path.n >= n && !memcmp(path.p, group, n) &&
	       (path.n == n || path.p[n] == '/');
}

static bool holds(const json_t *state, struct str cgroup)
{
	const json_t *path;
	const char *key;

	json_object_foreach((json_t *)json_object_get(state, "cgroup_paths"), key, path)
	{
		const char *p = json_string_value(path);

		if (p && is_below(cgroup, within_mount(key, p)))
			return true;
	}
	return false;
}

/* "bundle=/path" among the labels that runc makes itself. */
static const char *bundle_of(const json_t *state)
{
	const json_t *label;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(state, "config"), "labels"), i, label)
	{
		const char *s = json_string_value(label);

		if (s && strncmp(s, "bundle=", 7) == 0)
			return s + 7;
	}
	return NULL;
}

static bool is_runc_container(const struct lookup *l, const char *dir, const char *name)
{
	json_t *state = load(l, "%s/%s/state.json", dir, name), *spec;
	bool ours = state && holds(state, l->id->v[ID_CGROUP]);
	const char *bundle;

	if (ours) {
		set(l->id, ID_CONTAINER_ID, name);
		set(l->id, ID_CONTAINER_RUNTIME, "runc");
		bundle = bundle_of(state);
		spec = bundle ? load(l, "%s/config.json", bundle) : NULL;
		take_labels(l->id, json_object_get(spec, "annotations"));
		keep_labels(l, ID_CONTAINER_LABELS, json_object_get(spec, "annotations"));
		json_decref(spec);
		set(l->id, ID_CONTAINER_NAME, name);
	}
	json_decref(state);
	return ours;
}

/* runc by itself: its ids are names, and its groups are wherever the bundle says. */
static bool from_runc(const struct lookup *l)
{
	return l->id->v[ID_CGROUP].n > 1 && each_entry(l, "/run/runc", is_runc_container);
}

static int fill(struct identity *id, const struct identity_cfg *cfg)
{
	static bool (*const by_id[])(const struct lookup *) = {from_docker, from_storage,
							       from_containerd};
	struct lookup l = {id, cfg && cfg->host_root ? cfg->host_root : "",
			   id->v[ID_CONTAINER_ID].p, cfg && cfg->labels};
	bool found = false;

	/* The id becomes part of a path. */
	for (size_t i = 0; l.container && !strchr(l.container, '/') && !found && i < 3; i++)
		found = by_id[i](&l);
	if (!found)
		from_runc(&l);
	set(id, ID_CONTAINER_NAME, id->v[ID_K8S_CONTAINER].p);
	if (id->v[ID_K8S_POD_UID].n && cfg)
		set(id, ID_K8S_NODE, cfg->node);
	return 0;
}

const struct identity_ops identity_runtime = {.name = "runtime", .fill = fill};
