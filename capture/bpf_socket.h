/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways to see socket calls: three backends of one body (bpf/kprobes/), of which the best that the kernel has is
 * taken.
 */
#ifndef TLSLENS_CAPTURE_BPF_SOCKET_H
#define TLSLENS_CAPTURE_BPF_SOCKET_H

#include <stdbool.h>

struct btf;
struct tlslens;

enum sock_backend {
	BACKEND_TRACEPOINT, /* 6.3: costs other system calls nothing measurable */
	BACKEND_KPROBE, /* sees io_uring and splice, too; costs every send and receive of the machine */
	BACKEND_SYS_ENTER, /* whose sockets they are, not their bytes; costs every system call */
	BACKENDS,
	BACKEND_NONE = BACKENDS,
};

/* As --backend and doctor say it. Static. */
const char *sock_backend_name(enum sock_backend b);
/*
 * The first in the order above that this kernel has, or the named one. -ENOTSUP when the kernel has not what was
 * named, -EINVAL when there is no such name.
 */
int sock_backend_choose(const struct btf *btf, const char *name, enum sock_backend *b);
/* Which programs are loaded, and what they must know of the kernel; `senders`: those of control groups, too. */
void sock_backend_prepare(struct tlslens *s, const struct btf *btf, enum sock_backend b,
			  bool senders);

#define SOCK_LINKS_MAX 32
struct bpf_link;
/* Of kprobes; freed by sock_links_free(). */
struct sock_links {
	struct bpf_link *link[SOCK_LINKS_MAX];
	unsigned int count;
};
/* False when a hook that is needed could not be attached. */
bool sock_backend_attach(struct tlslens *s, enum sock_backend b, struct sock_links *links);
void sock_links_free(struct sock_links *links);

#endif
