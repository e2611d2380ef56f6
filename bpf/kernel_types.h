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
	struct uprobes_state uprobes_state;
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
	char comm[16];
};

#pragma clang attribute pop

/*
 * The registers of user space, as a probe's context and as the first argument of raw_tp/sys_enter. Their
 * layout is the architecture's ABI and is never relocated.
 */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip,
		cs, flags, sp, ss;
};
#define REGS_ARG1(r) ((r)->di)
#define REGS_ARG2(r) ((r)->si)
#define REGS_ARG3(r) ((r)->dx)
#define REGS_ARG4(r) ((r)->cx)
#define REGS_ARG5(r) ((r)->r8)
#define REGS_ARG6(r) ((r)->r9)
#define REGS_RET(r) ((r)->ax)
#define REGS_SP(r) ((r)->sp)
/* `ret` has popped the return address by the time a return probe runs. */
#define REGS_SP_AT_ENTRY(r) ((r)->sp - sizeof(long))
#define RETURN_ADDRESS_ON_STACK 1
#define REGS_SYSCALL(r) ((r)->orig_ax)
#define SYS_READ 0
#define SYS_WRITE 1
#define SYS_READV 19
#define SYS_WRITEV 20
#define SYS_SENDTO 44
#define SYS_RECVFROM 45
#define SYS_SENDMSG 46
#define SYS_RECVMSG 47
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	unsigned long regs[31], sp, pc, pstate, orig_x0;
	int syscallno;
};
#define REGS_ARG1(r) ((r)->regs[0])
#define REGS_ARG2(r) ((r)->regs[1])
#define REGS_ARG3(r) ((r)->regs[2])
#define REGS_ARG4(r) ((r)->regs[3])
#define REGS_ARG5(r) ((r)->regs[4])
#define REGS_ARG6(r) ((r)->regs[5])
#define REGS_RET(r) ((r)->regs[0])
#define REGS_SP(r) ((r)->sp)
#define REGS_SP_AT_ENTRY(r) ((r)->sp)
#define RETURN_ADDRESS_ON_STACK 0
#define REGS_SYSCALL(r) ((__u64)(r)->syscallno)
#define SYS_READ 63
#define SYS_WRITE 64
#define SYS_READV 65
#define SYS_WRITEV 66
#define SYS_SENDTO 206
#define SYS_RECVFROM 207
#define SYS_SENDMSG 211
#define SYS_RECVMSG 212
#else
#error "which architecture?"
#endif

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define IPPROTO_TCP 6
#define TCP_SYN_SENT 2
#define TCP_CLOSE 7
#define MSGHDR_IOV 16 /* offset of msg_iov in a 64-bit struct msghdr */
#define TLS_APPLICATION_DATA 0x17
#define TLS_MAJOR 3
#define TLS_HEADER_BYTES 5
#define S_IFMT 0170000
#define S_IFSOCK 0140000

#endif
