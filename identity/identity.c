/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of identity fields, the object that holds their values, its wire form.
 */
#include "identity/identity.h"

#include <errno.h>
#include <stdlib.h>

#include "identity/rows.h"

const struct identity_field_row identity_fields[ID_FIELDS] = {
	[ID_PARENT_PID] = {"process.parent_pid", true},
	[ID_COMM] = {"process.executable.name", false},
	[ID_EXE] = {"process.executable.path", false},
	[ID_CMDLINE] = {"process.command_line", false},
	[ID_USER_ID] = {"process.user.id", true},
	[ID_CGROUP] = {"process.linux.cgroup", false},
	[ID_NS_PID] = {"tlslens.process.ns_pid", true},
	[ID_CONTAINER_ID] = {"container.id", false},
	[ID_CONTAINER_NAME] = {"container.name", false},
	[ID_CONTAINER_IMAGE] = {"container.image.name", false},
	[ID_CONTAINER_RUNTIME] = {"container.runtime.name", false},
	[ID_K8S_NAMESPACE] = {"k8s.namespace.name", false},
	[ID_K8S_POD] = {"k8s.pod.name", false},
	[ID_K8S_POD_UID] = {"k8s.pod.uid", false},
	[ID_K8S_CONTAINER] = {"k8s.container.name", false},
	[ID_K8S_NODE] = {"k8s.node.name", false},
};

static const struct identity_ops *const rows[] = {
	&identity_process,
	&identity_cgroup,
	&identity_runtime,
	NULL,
};

struct identity *identity_new(struct proc_key key)
{
	struct identity *id = calloc(1, sizeof(*id));

	if (id) {
		id->key = key;
		id->refs = 1;
	}
	return id;
}

struct identity *identity_ref(struct identity *id)
{
	id->refs++;
	return id;
}

static void clear(struct identity *id)
{
	for (int f = 0; f < ID_FIELDS; f++) {
		free((char *)id->v[f].p);
		id->v[f] = STR_NONE;
	}
}

void identity_unref(struct identity *id)
{
	if (!id || --id->refs)
		return;
	clear(id);
	free(id);
}

int identity_set(struct identity *id, enum identity_field f, const char *v, size_t n)
{
	char *copy = NULL;

	n = strnlen(v, n);
	if (n > IDENTITY_VALUE_MAX_BYTES)
		n = IDENTITY_VALUE_MAX_BYTES;
	if (n) {
		copy = strndup(v, n);
		if (!copy)
			return -ENOMEM;
	}
	free((char *)id->v[f].p);
	id->v[f] = (struct str){copy, n};
	return 0;
}

int identity_encode(const struct identity *id, struct buf *out)
{
	for (int f = 0; f < ID_FIELDS; f++) {
		if (!id->v[f].p)
			continue;
		buf_put(out, identity_fields[f].name, strlen(identity_fields[f].name) + 1);
		buf_put(out, id->v[f].p, id->v[f].n + 1);
	}
	return out->err;
}

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

static int decode_pair(struct identity *id, const char *name, const char *value)
{
	for (int f = 0; f < ID_FIELDS; f++) {
		if (strcmp(identity_fields[f].name, name) != 0)
			continue;
		if (identity_fields[f].number && !is_number(value))
			return 0;
		return identity_set(id, f, value, strlen(value));
	}
	return 0;
}

int identity_decode(struct identity *id, const char *pairs, size_t n)
{
	while (n) {
		size_t name = strnlen(pairs, n), value;
		int rc;

		if (name == n)
			return -EBADMSG;
		value = strnlen(pairs + name + 1, n - name - 1);
		if (value == n - name - 1)
			return -EBADMSG;
		rc = decode_pair(id, pairs, pairs + name + 1);
		if (rc < 0)
			return rc;
		pairs += name + value + 2;
		n -= name + value + 2;
	}
	return 0;
}

int identity_fill(struct identity *id, const struct identity_cfg *cfg)
{
	uint64_t start_ns;
	int rc = 0;

	for (size_t i = 0; rows[i] && rc == 0; i++)
		rc = rows[i]->fill(id, cfg);
	/* A pid that was given to another process meanwhile would put its facts on this one. */
	if (rc == 0)
		rc = identity_start_time(id->key.tgid, &start_ns);
	if (rc == 0 && id->key.start_ns && !identity_same_start(id->key.start_ns, start_ns))
		rc = -ESRCH;
	if (rc < 0)
		clear(id);
	return rc;
}
