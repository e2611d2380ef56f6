/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/bpf_socket.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf/ends.h"
#include "bpf/state.h"
#include "bpf/tlslens.skel.h"
#include "capture/cgroup_root.h"
#include "core/log.h"

#define KPROBE_PMU "/sys/bus/event_source/devices/kprobe/type"

static const char *const names[] = {"tracepoint", "kprobe", "sys_enter", "none"};

const char *sock_backend_name(enum sock_backend b)
{
	return names[b];
}

/* A raw tracepoint exists when the kernel's BTF has the type of its probe function. */
static bool has_tracepoint(const struct btf *btf, const char *name)
{
	char type[64];

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	return btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) > 0;
}

static bool is_there(const struct btf *btf, enum sock_backend b)
{
	switch (b) {
	case BACKEND_TRACEPOINT:
		return has_tracepoint(btf, "sock_send_length");
	case BACKEND_KPROBE:
		return access(KPROBE_PMU, F_OK) == 0;
	case BACKEND_SYS_ENTER:
		return true;
	default:
		return false;
	}
}

int sock_backend_choose(const struct btf *btf, const char *name, enum sock_backend *b)
{
	bool any = !name || !strcmp(name, "auto"), named = any;

	for (int i = 0; i < BACKENDS; i++) {
		if (!any && strcmp(name, names[i]))
			continue;
		named = true;
		if (!is_there(btf, (enum sock_backend)i))
			continue;
		*b = (enum sock_backend)i;
		return 0;
	}
	return named ? -ENOTSUP : -EINVAL;
}

/* How many parameters a function of the kernel has; 0 when that is not known. */
static unsigned int parameters(const struct btf *btf, const char *function)
{
	int id = btf__find_by_name_kind(btf, function, BTF_KIND_FUNC);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (unsigned int)id) : NULL;

	t = t ? btf__type_by_id(btf, t->type) : NULL;
	return t && btf_is_func_proto(t) ? btf_vlen(t) : 0;
}

void sock_backend_prepare(struct tlslens *s, const struct btf *btf, enum sock_backend b,
			  bool senders)
{
	struct bpf_program *const kprobes[] = {
		s->progs.k_send,	   s->progs.k_receive, s->progs.k_socket_send,
		s->progs.k_socket_receive, s->progs.k_page,    s->progs.k_splice,
		s->progs.k_returned,
	};

	bpf_program__set_autoload(s->progs.sock_sent, b == BACKEND_TRACEPOINT);
	bpf_program__set_autoload(s->progs.sock_received, b == BACKEND_TRACEPOINT);
	bpf_program__set_autoload(s->progs.sock_sender4, senders);
	bpf_program__set_autoload(s->progs.sock_sender6, senders);
	bpf_program__set_autoload(s->progs.sock_syscall, b == BACKEND_SYS_ENTER);
	for (size_t i = 0; i < sizeof(kprobes) / sizeof(kprobes[0]); i++)
		bpf_program__set_autoload(kprobes[i], b == BACKEND_KPROBE);
	s->rodata->recv_flags_arg = parameters(btf, "tcp_recvmsg") == 6 ? 5 : 4;
}

/* Entry and return of one function. A return without its entry does nothing. */
static bool attach_pair(struct tlslens *s, struct sock_links *links, struct bpf_program *entry,
			const char *function)
{
	struct bpf_program *const prog[] = {s->progs.k_returned, entry};

	for (int i = 0; i < 2; i++) {
		struct bpf_link *l = bpf_program__attach_kprobe(prog[i], i == 0, function);

		if (!l)
			return false;
		links->link[links->count++] = l;
	}
	return true;
}

static bool attach_kprobes(struct tlslens *s, struct sock_links *links)
{
	const struct {
		const char *function;
		struct bpf_program *entry;
		bool needed; /* else of some kernels only */
	} rows[] = {
		{"tcp_sendmsg", s->progs.k_send, true},
		{"tcp_recvmsg", s->progs.k_receive, true},
		{"udp_sendmsg", s->progs.k_send, true},
		{"udp_recvmsg", s->progs.k_receive, true},
		{"udpv6_sendmsg", s->progs.k_send, false},
		{"udpv6_recvmsg", s->progs.k_receive, false},
		{"unix_stream_sendmsg", s->progs.k_socket_send, false},
		{"unix_stream_recvmsg", s->progs.k_socket_receive, false},
		{"tcp_sendpage", s->progs.k_page, false},
		{"tcp_splice_read", s->progs.k_splice, false},
	};

	_Static_assert(2 * sizeof(rows) / sizeof(rows[0]) <= SOCK_LINKS_MAX, "room for each");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (attach_pair(s, links, rows[i].entry, rows[i].function))
			continue;
		if (rows[i].needed)
			return false;
		log_debug("no kprobe on %s: %s", rows[i].function, strerror(errno));
	}
	return true;
}

/* Whom datagrams come from; of every process, for the traced ones may be anywhere. */
static void attach_senders(struct tlslens *s)
{
	int root = cgroup_root_open();

	if (root >= 0) {
		s->links.sock_sender4 = bpf_program__attach_cgroup(s->progs.sock_sender4, root);
		s->links.sock_sender6 = bpf_program__attach_cgroup(s->progs.sock_sender6, root);
		close(root);
	}
	if (!s->links.sock_sender4 || !s->links.sock_sender6)
		log_warn("whom datagrams come from stays unknown: cannot attach to control groups: "
			 "%s",
			 strerror(root < 0 ? -root : errno));
}

bool sock_backend_attach(struct tlslens *s, enum sock_backend b, struct sock_links *links)
{
	switch (b) {
	case BACKEND_TRACEPOINT:
		s->links.sock_sent = bpf_program__attach(s->progs.sock_sent);
		s->links.sock_received = bpf_program__attach(s->progs.sock_received);
		if (bpf_program__autoload(s->progs.sock_sender4))
			attach_senders(s);
		return s->links.sock_sent && s->links.sock_received;
	case BACKEND_KPROBE:
		return attach_kprobes(s, links);
	case BACKEND_SYS_ENTER:
		s->links.sock_syscall = bpf_program__attach(s->progs.sock_syscall);
		return s->links.sock_syscall != NULL;
	default:
		return false;
	}
}

void sock_links_free(struct sock_links *links)
{
	while (links->count)
		bpf_link__destroy(links->link[--links->count]);
}
