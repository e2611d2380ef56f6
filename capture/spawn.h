/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the user's command with the probes armed before its first TLS byte. The child and its descendants
 * are stopped by ptrace at fork and exec, just long enough for the caller to attach; the command's input,
 * output, signals and exit status stay its own.
 */
#ifndef TLSLENS_CAPTURE_SPAWN_H
#define TLSLENS_CAPTURE_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct spawn; /* owned by the caller */

struct spawn_ops {
	/* A process of the tree stands still at the first instruction after execve, or right after fork. */
	void (*stopped)(void *arg, uint32_t pid, bool exec);
	/* A process of the tree ended. */
	void (*exited)(void *arg, uint32_t pid);
};

/*
 * Starts argv (searched in PATH), stopped after its execve; nothing has run yet. -ENOENT and others as
 * execvp would say; -EPERM for set-user-id programs, which lose their privilege under ptrace.
 * `descendants` false: only the command itself is stopped once, then ptrace lets go (for commands that
 * use ptrace themselves).
 */
int spawn_start(struct spawn **sp, char *const argv[], bool descendants,
		const struct spawn_ops *ops, void *arg);
uint32_t spawn_pid(const struct spawn *sp);
/*
 * Handles what is pending without blocking and returns 1 while the command runs, 0 once it ended. Call
 * when spawn_fd() is readable and often enough otherwise.
 */
int spawn_poll(struct spawn *sp);
/* Readable (pollable) when spawn_poll has work. */
int spawn_fd(const struct spawn *sp);
/* wait(2) status of the command, valid after spawn_poll returned 0. */
int spawn_status(const struct spawn *sp);
/* Lets go of every process of the tree (they run on) and frees. */
void spawn_free(struct spawn *sp);

#endif
