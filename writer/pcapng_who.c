/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "writer/pcapng_who.h"

#include <inttypes.h>

#include "writer/pcapng_blocks.h"

#define SHORT_ID_BYTES 12u /* of a container id, as container tools print it */

static struct str field(const struct identity *id, enum identity_field f)
{
	return id ? id->v[f] : STR_NONE;
}

static struct str short_id(const struct identity *id)
{
	struct str v = field(id, ID_CONTAINER_ID);

	v.n = v.n < SHORT_ID_BYTES ? v.n : SHORT_ID_BYTES;
	return v;
}

static void put_field(struct buf *b, const char *name, struct str v)
{
	if (!v.n)
		return;
	buf_printf(b, "%s=", name);
	pcapng_put_word(b, v);
	buf_putc(b, ' ');
}

static void put_pod(struct buf *b, const struct identity *id)
{
	struct str ns = field(id, ID_K8S_NAMESPACE), pod = field(id, ID_K8S_POD);

	if (!pod.n)
		return;
	buf_puts(b, "pod=");
	if (ns.n) {
		pcapng_put_word(b, ns);
		buf_putc(b, '/');
	}
	pcapng_put_word(b, pod);
	buf_putc(b, ' ');
}

void pcapng_put_iface_name(struct buf *b, const struct identity *id)
{
	struct str container = field(id, ID_CONTAINER_NAME), comm = field(id, ID_COMM);

	if (!container.n)
		container = short_id(id);
	pcapng_put_text(b, comm.n ? comm : STR("?"));
	buf_printf(b, "[%" PRIu32 "]", id ? id->key.tgid : 0);
	if (container.n) {
		buf_putc(b, '@');
		pcapng_put_text(b, container);
	}
}

void pcapng_put_iface_description(struct buf *b, const struct identity *id)
{
	put_field(b, "exe", field(id, ID_EXE));
	put_field(b, "container", field(id, ID_CONTAINER_NAME));
	put_field(b, "id", field(id, ID_CONTAINER_ID));
	put_pod(b, id);
	buf_puts(b, "(synthetic framing)");
}

void pcapng_put_owner(struct buf *b, const struct identity *id)
{
	buf_printf(b, "pid=%" PRIu32 " ", id ? id->key.tgid : 0);
	put_field(b, "comm", field(id, ID_COMM));
	put_field(b, "container", field(id, ID_CONTAINER_NAME));
	put_pod(b, id);
}
