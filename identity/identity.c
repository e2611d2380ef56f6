/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of identity fields, the object that holds their values, its wire form.
 */
#include "identity/identity.h"

#include <errno.h>
#include <stdlib.h>

#include "identity/rows.h"

const struct identity_field_row identity_fields[ID_FIELDS] = {
	[ID_PARENT_PID] = {"process.parent_pid", ID_NUMBER},
	[ID_COMM] = {"process.executable.name", ID_TEXT},
	[ID_EXE] = {"process.executable.path", ID_TEXT},
	[ID_CMDLINE] = {"process.command_line", ID_LIST},
	[ID_ANCESTORS] = {"tlslens.process.ancestors", ID_LIST},
	[ID_USER_ID] = {"process.user.id", ID_NUMBER},
	[ID_USER_NAME] = {"process.user.name", ID_TEXT},
	[ID_CGROUP] = {"process.linux.cgroup", ID_TEXT},
	[ID_CGROUP_ID] = {"tlslens.process.cgroup_id", ID_NUMBER},
	[ID_NS_PID] = {"process.vpid", ID_NUMBER},
	[ID_PID_NS] = {"tlslens.process.pid_namespace", ID_NUMBER},
	[ID_NET_NS] = {"tlslens.process.net_namespace", ID_NUMBER},
	[ID_MNT_NS] = {"tlslens.process.mnt_namespace", ID_NUMBER},
	[ID_CONTAINER_ID] = {"container.id", ID_TEXT},
	[ID_CONTAINER_NAME] = {"container.name", ID_TEXT},
	[ID_CONTAINER_IMAGE] = {"container.image.name", ID_TEXT},
	[ID_CONTAINER_RUNTIME] = {"container.runtime.name", ID_TEXT},
	[ID_K8S_NAMESPACE] = {"k8s.namespace.name", ID_TEXT},
	[ID_K8S_POD] = {"k8s.pod.name", ID_TEXT},
	[ID_K8S_POD_UID] = {"k8s.pod.uid", ID_TEXT},
	[ID_K8S_CONTAINER] = {"k8s.container.name", ID_TEXT},
	[ID_K8S_NODE] = {"k8s.node.name", ID_TEXT},
	[ID_CONTAINER_LABELS] = {"container.label", ID_LIST},
	[ID_POD_LABELS] = {"k8s.pod.label", ID_LIST},
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

	if (identity_fields[f].kind != ID_LIST)
		n = strnlen(v, n);
	if (n > IDENTITY_VALUE_MAX_BYTES)
		n = IDENTITY_VALUE_MAX_BYTES;
	if (n) {
		copy = malloc(n + 1);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, v, n);
		copy[n] = '\0';
	}
	free((char *)id->v[f].p);
	id->v[f] = (struct str){copy, n};
	return 0;
}

int identity_add(struct identity *id, enum identity_field f, const char *v, size_t n)
{
	struct str old = id->v[f];
	size_t at = old.p ? old.n + 1 : 0;
	char *grown;

	n = strnlen(v, n);
	if (at + n > IDENTITY_VALUE_MAX_BYTES)
		n = at < IDENTITY_VALUE_MAX_BYTES ? IDENTITY_VALUE_MAX_BYTES - at : 0;
	if (at && !n && at >= IDENTITY_VALUE_MAX_BYTES)
		return 0;
	grown = realloc((char *)old.p, at + n + 1);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + at, v, n);
	grown[at + n] = '\0';
	id->v[f] = (struct str){grown, at + n};
	return 0;
}

bool identity_next(struct str *list, struct str *element)
{
	if (!list->p)
		return false;
	*element = (struct str){list->p, strnlen(list->p, list->n)};
	if (element->n == list->n)
		*list = STR_NONE;
	else
		*list = (struct str){list->p + element->n + 1, list->n - element->n - 1};
	return true;
}

int identity_fill_up(struct identity *id, const struct identity *from)
{
	int err = 0;

	for (int f = 0; f < ID_FIELDS && !err; f++)
		if (!id->v[f].p && from->v[f].p)
			err = identity_set(id, f, from->v[f].p, from->v[f].n);
	return err;
}

int identity_encode(const struct identity *id, struct buf *out)
{
	struct str list, element;

	for (int f = 0; f < ID_FIELDS; f++) {
		for (list = id->v[f]; identity_next(&list, &element);) {
			buf_put(out, identity_fields[f].name, strlen(identity_fields[f].name) + 1);
			buf_put(out, element.p, element.n);
			buf_putc(out, '\0');
		}
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
		if (identity_fields[f].kind == ID_LIST)
			return identity_add(id, f, value, strlen(value));
		if (identity_fields[f].kind == ID_NUMBER && !is_number(value))
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
