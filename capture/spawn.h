/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the user's command with the probes armed before its first TLS byte. The child and its
 * descendants are stopped by ptrace at fork and exec, just long enough for the caller to attach;
 * the command's input, output, signals and exit status stay its own.
 */
#ifndef TLSLENS_CAPTURE_SPAWN_H
#define TLSLENS_CAPTURE_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct spawn; /* owned by the caller */

#define SPAWN_TASKS_MAX 16384 /* threads of the tree held by ptrace; later ones run unattended */

struct spawn_ops {
	/*
	 * A process of the tree stands still: at the first instruction after execve, or right after
	 * fork (then with its parent's memory, so what its parent maps is mapped). It goes on when
	 * this returns.
	 */
	void (*stopped)(void *arg, uint32_t pid, bool exec);
	/* A process of the tree ended. */
	void (*exited)(void *arg, uint32_t pid);
};

/*
 * Starts argv (searched in PATH), stopped after its execve; nothing has run yet, and nothing will
 * before the first spawn_poll(), which reports it as stopped. The command stays in the caller's
 * process group, with its terminal, and has the signal mask and the ignored signals that the caller
 * has at this call. `descendants` false: only the command itself is stopped once, then ptrace lets
 * go (for commands that use ptrace themselves).
 *
 * -ENOENT and others as execvp would say; -EPERM for a set-user-id program that lost its privilege
 * because it is traced (a tracer with CAP_SYS_PTRACE takes none); -EACCES when ptrace is forbidden
 * here.
 *
 * ptrace belongs to a thread: call everything from the one that called this, in a program whose
 * other threads block SIGCHLD. Until spawn_free() SIGCHLD is blocked, and with `descendants` every
 * child of the calling thread is waited for.
 */
int spawn_start(struct spawn **sp, char *const argv[], bool descendants,
		const struct spawn_ops *ops, void *arg);
uint32_t spawn_pid(const struct spawn *sp);
/*
 * Handles what is pending without blocking and returns 1 while the command runs, 0 once it ended.
 * Call when spawn_fd() is readable; the tree stands still at every fork, exec and signal until
 * then. Goes on working for the descendants after the command ended.
 */
int spawn_poll(struct spawn *sp);
/* Readable (pollable) when spawn_poll has work. */
int spawn_fd(const struct spawn *sp);
/* wait(2) status of the command, valid after spawn_poll returned 0; before, -1. */
int spawn_status(const struct spawn *sp);
/*
 * Lets go of every process of the tree (they run on) and frees, in bounded time. A command that was
 * never polled has not run: it is killed. NULL is fine.
 */
void spawn_free(struct spawn *sp);

#endif
