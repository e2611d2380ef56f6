/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ptrace in its mildest form: PTRACE_SEIZE, events for fork and exec only, no PTRACE_O_EXITKILL, so
 * the tree survives us. Every signal is passed on as it came and group stops are left standing
 * (PTRACE_LISTEN), so job control works as if nobody watched.
 */
#include "capture/spawn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

#include "core/log.h"

#define POLL_EVENTS_MAX 512    /* handled by one spawn_poll() */
#define LET_GO_TIMEOUT_MS 2000 /* what does not stop by then the kernel lets go when we exit */

struct task {
	pid_t tid;
	bool fresh;  /* has not made its first stop yet */
	bool leader; /* a process, not a further thread of one */
	UT_hash_handle hh;
};

struct spawn {
	pid_t pid;
	int status; /* -1 while it runs */
	int fd;	    /* signalfd of SIGCHLD */
	bool descendants;
	bool held; /* the command stands at its execve and was not reported yet */
	struct task *tasks;
	const struct spawn_ops *ops;
	void *arg;
	sigset_t old_mask;
	struct sigaction old_chld;
};

static struct task *find_task(struct spawn *sp, pid_t tid)
{
	struct task *t;

	HASH_FIND_INT(sp->tasks, &tid, t);
	return t;
}

/* The task of that id, added when it is new; NULL when there are too many. */
static struct task *get_task(struct spawn *sp, pid_t tid)
{
	struct task *t = find_task(sp, tid);

	if (t)
		return t;
	if (HASH_COUNT(sp->tasks) >= SPAWN_TASKS_MAX || !(t = calloc(1, sizeof(*t)))) {
		log_warn("more than %d threads under the command: later ones run untraced",
			 SPAWN_TASKS_MAX);
		return NULL;
	}
	t->tid = tid;
	t->fresh = true;
	HASH_ADD_INT(sp->tasks, tid, t);
	return t;
}

static void forget_task(struct spawn *sp, pid_t tid)
{
	struct task *t = find_task(sp, tid);

	if (!t)
		return;
	HASH_DEL(sp->tasks, t);
	free(t);
}

/* All of these may fail with ESRCH: the task was killed meanwhile, and wait will say so. */
static void go_on(pid_t tid, int sig)
{
	ptrace(PTRACE_CONT, tid, NULL, (void *)(intptr_t)sig);
}

static void detach(struct spawn *sp, pid_t tid, int sig)
{
	ptrace(PTRACE_DETACH, tid, NULL, (void *)(intptr_t)sig);
	forget_task(sp, tid);
}

static pid_t event_pid(pid_t tid)
{
	unsigned long msg = 0;

	return ptrace(PTRACE_GETEVENTMSG, tid, NULL, &msg) < 0 ? 0 : (pid_t)msg;
}

/*
 * The new task that a fork event tells of. It may have stopped, ended and been waited for before
 * its parent's event came; then it is no longer ours to wait for and must not be remembered.
 */
static void announce_child(struct spawn *sp, pid_t parent)
{
	pid_t child = event_pid(parent);
	siginfo_t si;

	if (child > 0 &&
	    waitid(P_PID, (id_t)child, &si, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) == 0)
		get_task(sp, child);
}

static bool is_new_child(int status)
{
	int event = status >> 16;

	return event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
	       event == PTRACE_EVENT_CLONE;
}

/* Only ESRCH says that no thread group of that id has such a thread; EPERM means that it has. */
static bool is_leader(pid_t tid)
{
	return syscall(SYS_tgkill, tid, tid, 0) == 0 || errno != ESRCH;
}

static void on_exec(struct spawn *sp, struct task *t)
{
	pid_t former = event_pid(t->tid);

	/* A thread that is not the leader takes over the leader's id when it calls execve. */
	if (former != t->tid)
		forget_task(sp, former);
	t->fresh = false;
	t->leader = true;
	sp->ops->stopped(sp->arg, (uint32_t)t->tid, true);
	go_on(t->tid, 0);
}

static bool is_group_stop(int sig)
{
	return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

/* PTRACE_EVENT_STOP: the first stop of a new task, a group stop, or the end of one. */
static void on_event_stop(struct spawn *sp, struct task *t, int sig)
{
	if (t->fresh) {
		t->fresh = false;
		t->leader = is_leader(t->tid);
		if (t->leader)
			sp->ops->stopped(sp->arg, (uint32_t)t->tid, false);
	}
	if (is_group_stop(sig))
		ptrace(PTRACE_LISTEN, t->tid, NULL, NULL);
	else
		go_on(t->tid, 0);
}

static void on_stop(struct spawn *sp, pid_t tid, int status)
{
	int event = status >> 16, sig = WSTOPSIG(status);
	struct task *t = get_task(sp, tid);

	if (!t) {
		detach(sp, tid, event ? 0 : sig);
		return;
	}
	if (event == PTRACE_EVENT_EXEC) {
		on_exec(sp, t);
	} else if (event == PTRACE_EVENT_STOP) {
		on_event_stop(sp, t, sig);
	} else {
		if (is_new_child(status))
			announce_child(sp, tid);
		go_on(tid, event ? 0 : sig);
	}
}

static void on_end(struct spawn *sp, pid_t tid, int status)
{
	struct task *t = find_task(sp, tid);
	bool process = (t && t->leader) || tid == sp->pid;

	forget_task(sp, tid);
	if (tid == sp->pid)
		sp->status = status;
	if (process && sp->ops->exited)
		sp->ops->exited(sp->arg, (uint32_t)tid);
}

static pid_t next_event(const struct spawn *sp, int *status)
{
	pid_t tid;

	do
		tid = waitpid(sp->descendants ? -1 : sp->pid, status,
			      __WALL | __WNOTHREAD | WNOHANG);
	while (tid < 0 && errno == EINTR);
	return tid;
}

static void drain_signals(const struct spawn *sp)
{
	struct signalfd_siginfo si;

	while (read(sp->fd, &si, sizeof(si)) == sizeof(si))
		;
}

static void let_command_start(struct spawn *sp)
{
	sp->held = false;
	sp->ops->stopped(sp->arg, (uint32_t)sp->pid, true);
	if (sp->descendants)
		go_on(sp->pid, 0);
	else
		detach(sp, sp->pid, 0);
}

int spawn_poll(struct spawn *sp)
{
	int status, budget = POLL_EVENTS_MAX;
	pid_t tid;

	/*
	 * First the signals, then what they stand for: one that comes in between is seen next time.
	 */
	drain_signals(sp);
	if (sp->held)
		let_command_start(sp);
	while (budget-- > 0 && (tid = next_event(sp, &status)) > 0) {
		if (WIFSTOPPED(status))
			on_stop(sp, tid, status);
		else if (WIFEXITED(status) || WIFSIGNALED(status))
			on_end(sp, tid, status);
	}
	if (budget < 0)
		raise(SIGCHLD); /* more is waiting: spawn_fd() must stay readable */
	return sp->status < 0;
}

uint32_t spawn_pid(const struct spawn *sp)
{
	return (uint32_t)sp->pid;
}

int spawn_fd(const struct spawn *sp)
{
	return sp->fd;
}

int spawn_status(const struct spawn *sp)
{
	return sp->status;
}

/* Handlers of ours must not run in the child; what is ignored stays so, as it would without us. */
static void reset_signals(const struct spawn *sp)
{
	struct sigaction act, dfl = {.sa_handler = SIG_DFL};

	sigaction(SIGCHLD, &sp->old_chld, NULL);
	for (int sig = 1; sig < _NSIG; sig++)
		if (sigaction(sig, NULL, &act) == 0 && act.sa_handler != SIG_IGN &&
		    act.sa_handler != SIG_DFL)
			sigaction(sig, &dfl, NULL);
	sigprocmask(SIG_SETMASK, &sp->old_mask, NULL);
}

/* Waits until it is seized, then becomes the command, or says why not. */
static void __attribute__((noreturn))
run_child(const struct spawn *sp, int sock, char *const argv[])
{
	char go;
	int err;

	if (read(sock, &go, 1) == 1) {
		reset_signals(sp);
		execvp(argv[0], argv);
		err = errno;
		if (write(sock, &err, sizeof(err)) < 0)
			_exit(126);
	}
	_exit(127);
}

static int seize(pid_t pid, bool descendants)
{
	long options = PTRACE_O_TRACEEXEC;

	if (descendants)
		options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
	return ptrace(PTRACE_SEIZE, pid, NULL, (void *)options) < 0 ? -EACCES : 0;
}

/*
 * Would the program have run with more rights without us? Tells by what it has: the set-user-id bit
 * of a file on a file system that honours it, and an effective id that is not the file's owner.
 */
static bool lost_privilege(pid_t pid)
{
	unsigned int uid, gid;
	char path[64], line[256];
	struct statvfs fs;
	struct stat st;
	bool lost = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (stat(path, &st) < 0 || !(st.st_mode & (S_ISUID | S_ISGID)) || statvfs(path, &fs) < 0 ||
	    (fs.f_flag & ST_NOSUID))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Uid: %*u %u", &uid) == 1)
			lost |= (st.st_mode & S_ISUID) && uid != st.st_uid;
		else if (sscanf(line, "Gid: %*u %u", &gid) == 1)
			lost |= (st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) &&
				gid != st.st_gid;
	}
	if (f)
		fclose(f);
	return lost;
}

/* Runs the child up to its execve. 0, or why there was none. */
static int await_exec(const struct spawn *sp, int sock)
{
	int status, err = 0;

	for (;;) {
		if (waitpid(sp->pid, &status, __WALL) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!WIFSTOPPED(status))
			break;
		if (status >> 16 == PTRACE_EVENT_EXEC)
			return 0;
		if (status >> 16 == PTRACE_EVENT_STOP && is_group_stop(WSTOPSIG(status)))
			ptrace(PTRACE_LISTEN, sp->pid, NULL, NULL);
		else
			go_on(sp->pid, status >> 16 ? 0 : WSTOPSIG(status));
	}
	/* The child is gone: it left a reason, or a signal was quicker. */
	if (recv(sock, &err, sizeof(err), MSG_DONTWAIT) != sizeof(err))
		err = ECHILD;
	return -err;
}

static void kill_and_reap(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, __WALL) < 0 ? errno == EINTR
						 : !WIFEXITED(status) && !WIFSIGNALED(status))
		;
}

static int hold_at_exec(struct spawn *sp, int sock)
{
	struct task *t = get_task(sp, sp->pid);
	int rc = t ? seize(sp->pid, sp->descendants) : -ENOMEM;

	if (rc < 0 || send(sock, "", 1, MSG_NOSIGNAL) != 1) {
		kill_and_reap(sp->pid);
		return rc ? rc : -ECHILD;
	}
	rc = await_exec(sp, sock);
	if (rc < 0)
		return rc;
	t->fresh = false;
	t->leader = sp->held = true;
	if (!lost_privilege(sp->pid))
		return 0;
	kill_and_reap(sp->pid);
	return -EPERM;
}

static int fork_command(struct spawn *sp, char *const argv[])
{
	sigset_t all, mask;
	int socks[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks) < 0)
		return -errno;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	sp->pid = fork();
	if (sp->pid == 0) {
		close(socks[0]);
		run_child(sp, socks[1], argv);
	}
	rc = sp->pid < 0 ? -errno : 0;
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(socks[1]);
	if (rc == 0)
		rc = hold_at_exec(sp, socks[0]);
	close(socks[0]);
	return rc;
}

static void free_all(struct spawn *sp)
{
	struct task *t, *tmp;

	HASH_ITER (hh, sp->tasks, t, tmp) {
		HASH_DEL(sp->tasks, t);
		free(t);
	}
	if (sp->fd >= 0) {
		drain_signals(sp);
		close(sp->fd);
	}
	sigaction(SIGCHLD, &sp->old_chld, NULL);
	sigprocmask(SIG_SETMASK, &sp->old_mask, NULL);
	free(sp);
}

int spawn_start(struct spawn **out, char *const argv[], bool descendants,
		const struct spawn_ops *ops, void *arg)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	struct spawn *sp = calloc(1, sizeof(*sp));
	sigset_t chld;
	int rc;

	if (!sp)
		return -ENOMEM;
	sp->status = -1;
	sp->descendants = descendants;
	sp->ops = ops;
	sp->arg = arg;
	/* Ignored, SIGCHLD would neither come nor leave an exit status behind. */
	sigaction(SIGCHLD, &dfl, &sp->old_chld);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &sp->old_mask);
	sp->fd = signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC);
	rc = sp->fd < 0 ? -errno : fork_command(sp, argv);
	if (rc < 0) {
		free_all(sp);
		return rc;
	}
	*out = sp;
	return 0;
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/*
 * A task can only be let go while it stands: each is asked to stop, and is let go at whatever stop
 * it makes.
 */
static void let_go(struct spawn *sp)
{
	long deadline = now_ms() + LET_GO_TIMEOUT_MS, left;
	struct pollfd pfd = {.fd = sp->fd, .events = POLLIN};
	struct task *t, *tmp;
	int status;
	pid_t tid;

	HASH_ITER (hh, sp->tasks, t, tmp) {
		ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL);
	}
	while (sp->tasks && (left = deadline - now_ms()) > 0) {
		drain_signals(sp);
		while ((tid = next_event(sp, &status)) > 0) {
			if (!WIFSTOPPED(status)) {
				forget_task(sp, tid);
				continue;
			}
			if (is_new_child(status))
				announce_child(sp, tid);
			detach(sp, tid, status >> 16 ? 0 : WSTOPSIG(status));
		}
		if (sp->tasks)
			poll(&pfd, 1, (int)left);
	}
}

void spawn_free(struct spawn *sp)
{
	int status;

	if (!sp)
		return;
	if (sp->held)
		kill_and_reap(sp->pid);
	else
		let_go(sp);
	if (!sp->held && sp->status < 0)
		waitpid(sp->pid, &status, WNOHANG);
	free_all(sp);
}
