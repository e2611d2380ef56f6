/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few kernel types that are read, declared by hand for CO-RE: only the fields used, whose offsets are
 * relocated to the running kernel's when the programs are loaded. The build needs no BTF.
 */
#ifndef TLSLENS_BPF_KERNEL_TYPES_H
#define TLSLENS_BPF_KERNEL_TYPES_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "bpf/regs.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct socket;

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	__u16 sk_type;
	__u16 sk_protocol;
	__u8 sk_shutdown;
	unsigned int sk_kern_sock : 1;
};

struct inet_sock {
	__be16 inet_sport;
};

struct tcp_sock {
	__u32 rcv_nxt, copied_seq, write_seq, snd_una;
	__u64 bytes_received, bytes_acked;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct socket {
	short type;
	struct file *file;
	struct sock *sk;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
};

struct xol_area {
	unsigned long vaddr;
};

struct uprobes_state {
	struct xol_area *xol_area;
};

struct mm_struct {
	unsigned long arg_start, arg_end;
	struct uprobes_state uprobes_state;
};

typedef struct {
	unsigned int val;
} kuid_t;

struct cred {
	kuid_t euid;
};

struct upid {
	int nr;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct linux_binprm {
	const char *interp;
};

struct task_struct {
	int pid;
	int tgid;
	int exit_code;
	__u64 start_boottime;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct files_struct *files;
	struct mm_struct *mm;
	struct task_struct *real_parent;
	const struct cred *cred;
	struct pid *thread_pid;
	char comm[16];
};

#pragma clang attribute pop

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define RCV_SHUTDOWN 1
#define MSG_OOB 1
#define MSG_PEEK 2
#define MSG_TRUNC 0x20
#define MSG_ERRQUEUE 0x2000
#define TCP_SYN_SENT 2
#define TCP_CLOSE 7
#define TLS_TYPE_MIN 0x14 /* change_cipher_spec */
#define TLS_HANDSHAKE 0x16
#define TLS_APPLICATION_DATA 0x17
#define TLS_MAJOR 3
#define TLS_MINOR_MAX 4
#define TLS_HEADER_BYTES 5
#define TLS_RECORD_MAX (16384 + 2048) /* RFC 5246 section 6.2.3 */
#define TLS_OVERHEAD_MIN 9	      /* RFC 8446 section 5.2 with a tag of 8 (CCM_8) */
#define TLS_RECORD_MAX (16384 + 2048) /* RFC 5246 section 6.2.3 */
#define TLS_OVERHEAD_MIN 9	      /* RFC 8446 section 5.2 with a tag of 8 (CCM_8) */
#define S_IFMT 0170000
#define S_IFSOCK 0140000

#endif
