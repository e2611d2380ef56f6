/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs from one architecture to the next.
 */
#ifndef TLSLENS_BPF_REGS_H
#define TLSLENS_BPF_REGS_H

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
#define REGS_RET2(r) ((r)->dx)
/* Go's register ABI (since 1.17): results come back in the same registers as the first arguments. */
#define REGS_GO_ARG1(r) ((r)->ax)
#define REGS_GO_ARG2(r) ((r)->bx)
#define REGS_GO_ARG3(r) ((r)->cx)
#define REGS_GO_ARG4(r) ((r)->di)
#define REGS_GO_ARG5(r) ((r)->si)
#define REGS_GO_ARG6(r) ((r)->r8)
#define REGS_GO_G(r) ((r)->r14)
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
#define SYS_RECVMMSG 299
#define SYS_SENDMMSG 307
#define SYS_PREADV2 327
#define SYS_PWRITEV2 328
/* Whether a system call is in progress: what it returns is set to this before it begins. */
#define REGS_IN_SYSCALL(r) ((long)(r)->ax == -38 /* ENOSYS */)
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
#define REGS_RET2(r) ((r)->regs[1])
#define REGS_GO_ARG1(r) ((r)->regs[0])
#define REGS_GO_ARG2(r) ((r)->regs[1])
#define REGS_GO_ARG3(r) ((r)->regs[2])
#define REGS_GO_ARG4(r) ((r)->regs[3])
#define REGS_GO_ARG5(r) ((r)->regs[4])
#define REGS_GO_ARG6(r) ((r)->regs[5])
#define REGS_GO_G(r) ((r)->regs[28])
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
#define SYS_RECVMMSG 243
#define SYS_SENDMMSG 269
#define SYS_PREADV2 286
#define SYS_PWRITEV2 287
#define REGS_IN_SYSCALL(r) ((r)->syscallno >= 0)
#else
#error "which architecture?"
#endif

#endif
