/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands under spawn behave as if they were alone: status, signals, job control, descriptors;
 * every process of the tree is seen; and the tree survives whatever happens to its tracer.
 *
 * Started with an argument, this program is one of the commands ("helpers" below).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/spawn.h"

#define PATIENCE_MS 20000
#define PIDS_MAX 2048

/* What the callbacks saw. */
struct seen {
	unsigned int execs, forks, ended;
	uint32_t started[PIDS_MAX], finished[PIDS_MAX];
	unsigned int die_at; /* be killed within this stop, counted from 1 */
	bool standing;	     /* every reported process stood still */
};

/* The state letter of /proc/PID/stat. */
static char state_of(uint32_t pid)
{
	char path[64], text[512] = "", *p;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	p = fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
	fclose(f);
	return p && p[1] ? p[2] : 0;
}

static void on_stopped(void *arg, uint32_t pid, bool exec)
{
	struct seen *s = arg;

	s->standing &= state_of(pid) == 't';
	if (exec)
		s->execs++;
	else if (s->forks < PIDS_MAX)
		s->started[s->forks++] = pid;
	if (s->die_at && s->execs + s->forks == s->die_at)
		raise(SIGKILL);
}

static void on_exited(void *arg, uint32_t pid)
{
	struct seen *s = arg;

	if (s->ended < PIDS_MAX)
		s->finished[s->ended++] = pid;
}

static const struct spawn_ops ops = {.stopped = on_stopped, .exited = on_exited};

#define CMD(...) ((char *const[]){__VA_ARGS__, NULL})
#define SHELL(text) CMD((char *)"sh", (char *)"-c", (char *)(text))

static struct spawn *start(char *const argv[], bool descendants, struct seen *s)
{
	struct spawn *sp = NULL;

	*s = (struct seen){.standing = true};
	assert_int_equal(spawn_start(&sp, argv, descendants, &ops, s), 0);
	return sp;
}

static void wait_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

static int finish(struct spawn *sp)
{
	int status;

	while (spawn_poll(sp))
		wait_readable(spawn_fd(sp));
	status = spawn_status(sp);
	spawn_free(sp);
	return status;
}

static int run(char *const argv[], bool descendants, struct seen *s)
{
	struct spawn *sp = start(argv, descendants, s);

	assert_int_equal(spawn_status(sp), -1);
	return finish(sp);
}

static void assert_no_children(void)
{
	int status;

	assert_int_equal(waitpid(-1, &status, __WALL | WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* This program as a command. */
static char *self(void)
{
	static char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	assert_true(n > 0);
	path[n] = '\0';
	return path;
}

#define HELPER(...) CMD(self(), __VA_ARGS__)

static void the_status_is_the_commands_own(void **state)
{
	struct seen s;

	(void)state;
	for (int descendants = 0; descendants < 2; descendants++) {
		assert_int_equal(run(SHELL("exit 7"), descendants, &s), 7 << 8);
		assert_int_equal(s.execs, 1);
		assert_int_equal(s.forks, 0);
		assert_int_equal(s.ended, 1);
		assert_true(s.standing);
		assert_int_equal(run(SHELL("kill -TERM $$"), descendants, &s), SIGTERM);
		assert_int_equal(run(SHELL("kill -KILL $$"), descendants, &s), SIGKILL);
	}
	assert_no_children();
}

static void what_cannot_run_is_told_as_execvp_tells_it(void **state)
{
	static const struct {
		const char *name;
		int rc;
	} cases[] = {
		{"/no/such/program", -ENOENT}, {"no-such-program-in-path", -ENOENT}, {"/", -EACCES},
		{"/etc/passwd", -EACCES},      {"/etc/passwd/x", -ENOTDIR},
	};
	struct spawn *sp = NULL;
	struct seen s = {0};

	(void)state;
	/* A directory of the caller's PATH that may not be searched would change the answer. */
	setenv("PATH", "/usr/bin:/bin", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(spawn_start(&sp, CMD((char *)cases[i].name), true, &ops, &s),
				 cases[i].rc);
		assert_null(sp);
	}
	assert_int_equal(s.execs + s.forks + s.ended, 0);
	assert_no_children();
}

static void nothing_runs_before_the_first_poll(void **state)
{
	int out[2];
	struct seen s;
	struct spawn *sp;
	char c;

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(fcntl(out[1], F_SETFD, 0), 0);
	sp = start(HELPER((char *)"say",
			  (char[]){(char)('0' + out[1] / 10), (char)('0' + out[1] % 10), '\0'}),
		   true, &s);
	wait_readable(spawn_fd(sp));
	assert_int_equal(s.execs, 0);
	assert_int_equal(state_of(spawn_pid(sp)), 't');
	assert_int_equal(read(out[0], &c, 1), -1);
	assert_int_equal(finish(sp), 0);
	assert_int_equal(read(out[0], &c, 1), 1);

	/* Given up before it ran: it must not run then either. */
	sp = start(HELPER((char *)"say",
			  (char[]){(char)('0' + out[1] / 10), (char)('0' + out[1] % 10), '\0'}),
		   true, &s);
	spawn_free(sp);
	assert_int_equal(read(out[0], &c, 1), -1);
	assert_int_equal(errno, EAGAIN);
	close(out[0]);
	close(out[1]);
	assert_no_children();
}

static bool contains(const uint32_t *v, unsigned int n, uint32_t pid)
{
	for (unsigned int i = 0; i < n; i++)
		if (v[i] == pid)
			return true;
	return false;
}

static void every_process_of_a_pipeline_is_seen(void **state)
{
	struct seen s;

	(void)state;
	assert_int_equal(run(SHELL("/bin/echo a | (/bin/cat; /bin/true) | grep -q a;"
				   " sh -c '/bin/true & wait; exit 3'"),
			     true, &s),
			 3 << 8);
	assert_true(s.standing);
	/* sh, echo, cat, true, grep, sh, true */
	assert_int_equal(s.execs, 7);
	assert_true(s.forks >= 6);
	for (unsigned int i = 0; i < s.forks; i++)
		assert_true(contains(s.finished, s.ended, s.started[i]));
	assert_int_equal(s.ended, s.forks + 1);
	assert_no_children();
}

static void hundreds_of_processes_are_seen(void **state)
{
	struct seen s;

	(void)state;
	assert_int_equal(
		run(SHELL("i=0; while [ $i -lt 300 ]; do /bin/true & i=$((i+1)); done; wait"), true,
		    &s),
		0);
	assert_int_equal(s.forks, 300);
	assert_int_equal(s.execs, 301);
	assert_int_equal(s.ended, 301);
	assert_true(s.standing);
	assert_no_children();
}

static void threads_and_vfork_are_followed(void **state)
{
	struct seen s;

	(void)state;
	/* a thread that forks and executes */
	assert_int_equal(run(HELPER((char *)"thread-forks"), true, &s), 0);
	assert_int_equal(s.forks, 1);
	assert_int_equal(s.execs, 2);
	assert_int_equal(s.ended, 2);
	/* a thread that executes itself, which makes it the leader */
	assert_int_equal(run(HELPER((char *)"thread-execs"), true, &s), 0);
	assert_int_equal(s.forks, 0);
	assert_int_equal(s.execs, 2);
	assert_int_equal(s.ended, 1);
	/* posix_spawn of glibc: CLONE_VM | CLONE_VFORK */
	assert_int_equal(run(HELPER((char *)"system"), true, &s), 0);
	assert_int_equal(s.execs, 2);
	assert_int_equal(s.forks, 1);
	assert_true(s.standing);
	assert_no_children();
}

static void without_descendants_only_the_command_stands(void **state)
{
	struct seen s;

	(void)state;
	assert_int_equal(run(SHELL("/bin/true; (/bin/true); exit 4"), false, &s), 4 << 8);
	assert_int_equal(s.execs, 1);
	assert_int_equal(s.forks, 0);
	assert_int_equal(s.ended, 1);
	assert_no_children();
}

static void a_command_that_traces_needs_the_switch(void **state)
{
	struct seen s;

	(void)state;
	assert_int_equal(run(HELPER((char *)"traces"), false, &s), 0);
	assert_int_equal(run(HELPER((char *)"traces"), true, &s), 1 << 8);
	assert_no_children();
}

/* A command with its input and output at ends of ours. */
struct piped {
	struct spawn *sp;
	int in, out;
};

static struct piped start_piped(char *const argv[], bool descendants, struct seen *s)
{
	int in[2], out[2], saved_in = dup(0), saved_out = dup(1);
	struct piped p;

	assert_int_equal(fflush(stdout), 0);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fcntl(saved_in, F_SETFD, FD_CLOEXEC);
	fcntl(saved_out, F_SETFD, FD_CLOEXEC);
	dup2(in[0], 0);
	dup2(out[1], 1);
	p.sp = start(argv, descendants, s);
	dup2(saved_in, 0);
	dup2(saved_out, 1);
	close(saved_in);
	close(saved_out);
	close(in[0]);
	close(out[1]);
	p.in = in[1];
	p.out = out[0];
	return p;
}

/* Lets the command run until it has written something. */
static size_t await_output(struct piped *p, char *text, size_t size)
{
	struct pollfd fds[] = {{.fd = p->out, .events = POLLIN},
			       {.fd = spawn_fd(p->sp), .events = POLLIN}};
	ssize_t n;

	do {
		spawn_poll(p->sp);
		assert_true(poll(fds, 2, PATIENCE_MS) > 0);
	} while (!fds[0].revents);
	n = read(p->out, text, size - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	return (size_t)n;
}

static void input_and_output_are_the_commands_own(void **state)
{
	char text[64];
	struct seen s;
	struct piped p = start_piped(SHELL("read x; echo got $x"), true, &s);

	(void)state;
	assert_int_equal(write(p.in, "line\n", 5), 5);
	assert_true(await_output(&p, text, sizeof(text)) > 0);
	assert_string_equal(text, "got line\n");
	assert_int_equal(finish(p.sp), 0);
	close(p.in);
	close(p.out);
}

static void ignore_signal(int sig)
{
	(void)sig;
}

static void signals_reach_the_whole_group_as_ever(void **state)
{
	struct sigaction act = {.sa_handler = ignore_signal}, old;
	char text[64];
	struct piped p;
	struct seen s;

	(void)state;
	/*
	 * Ctrl-C: to everybody of the foreground group, this program included; a handler is not
	 * inherited.
	 */
	assert_int_equal(setpgid(0, 0), 0);
	assert_int_equal(sigaction(SIGINT, &act, &old), 0);
	p = start_piped(SHELL("echo ready; read x"), true, &s);
	await_output(&p, text, sizeof(text));
	assert_int_equal(kill(0, SIGINT), 0);
	assert_int_equal(finish(p.sp), SIGINT);
	close(p.in);
	close(p.out);

	p = start_piped(SHELL("trap 'exit 9' INT; echo ready; read x; exit 1"), true, &s);
	await_output(&p, text, sizeof(text));
	assert_int_equal(kill(0, SIGINT), 0);
	assert_int_equal(finish(p.sp), 9 << 8);
	close(p.in);
	close(p.out);
	sigaction(SIGINT, &old, NULL);
	assert_no_children();
}

static void signal_settings_are_inherited_and_restored(void **state)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, act, old_chld;
	sigset_t usr1, before, after;
	struct seen s;

	(void)state;
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, &before);
	sigaction(SIGUSR2, &ignore, NULL);
	sigaction(SIGCHLD, &ignore, &old_chld);
	/* USR1 blocked, CHLD not; USR2 and CHLD ignored, nothing else of ours */
	assert_int_equal(run(HELPER((char *)"signals"), true, &s), 0);
	assert_int_equal(run(HELPER((char *)"signals"), false, &s), 0);
	sigaction(SIGCHLD, NULL, &act);
	assert_ptr_equal(act.sa_handler, SIG_IGN);
	sigprocmask(SIG_BLOCK, NULL, &after);
	assert_true(sigismember(&after, SIGUSR1));
	assert_false(sigismember(&after, SIGCHLD));
	sigaction(SIGCHLD, &old_chld, NULL);
	signal(SIGUSR2, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void no_descriptor_leaks_into_the_command(void **state)
{
	int kept = fcntl(0, F_DUPFD, 60), open_fds = 0;
	char count[16];
	struct seen s;

	(void)state;
	/* What the caller itself hands on stays open. */
	for (int fd = 0; fd < 256; fd++) {
		int flags = fcntl(fd, F_GETFD);

		open_fds += flags >= 0 && !(flags & FD_CLOEXEC);
	}
	snprintf(count, sizeof(count), "%d", open_fds);
	assert_int_equal(run(HELPER((char *)"descriptors", count), true, &s), 0);
	close(kept);
}

static void job_control_works(void **state)
{
	struct seen s;

	(void)state;
	/* The helper stops and continues a child and watches it with waitpid, as a shell does. */
	assert_int_equal(run(HELPER((char *)"job-control"), true, &s), 0);
	assert_no_children();
}

/* Runs on to its end, which it tells on its output; many short processes on the way. */
#define LONG_SCRIPT \
	"i=0; while [ $i -lt 12 ]; do /bin/true | /bin/true; i=$((i+1)); done; echo done; exit 6"

/* Everything up to the end of the output. */
static void read_rest(int fd, char *text, size_t size)
{
	size_t got = 0;
	ssize_t n;

	do {
		wait_readable(fd);
		n = read(fd, text + got, size - 1 - got);
		assert_true(n >= 0);
		got += (size_t)n;
	} while (n > 0);
	text[got] = '\0';
}

static void let_go_at_any_moment_the_command_runs_on(void **state)
{
	/* Busy with short processes until it is told to end, so that no machine is fast enough to end it first. */
	char script[128], flag[] = "/tmp/test_spawn.XXXXXX";
	int fd = mkstemp(flag);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	snprintf(script, sizeof(script),
		 "while [ -e %s ]; do /bin/true | /bin/true; done; echo done; exit 6", flag);
	for (unsigned int polls = 1; polls < 40; polls += 3) {
		char text[64];
		struct seen s;
		struct piped p = start_piped(SHELL(script), true, &s);
		uint32_t pid = spawn_pid(p.sp);
		int status;

		for (unsigned int i = 0; i < polls && spawn_poll(p.sp); i++)
			wait_readable(spawn_fd(p.sp));
		assert_int_equal(spawn_status(p.sp), -1);
		spawn_free(p.sp);
		assert_int_equal(unlink(flag), 0);
		read_rest(p.out, text, sizeof(text));
		assert_string_equal(text, "done\n");
		assert_int_equal(waitpid((pid_t)pid, &status, 0), pid);
		assert_int_equal(status, 6 << 8);
		close(p.in);
		close(p.out);
		fd = open(flag, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	unlink(flag);
	assert_no_children();
}

/* A process in the middle that traces the command and is killed in one of its stops. */
static void trace_and_die(int out, unsigned int die_at)
{
	struct spawn *sp;
	struct seen s = {.die_at = die_at};

	dup2(out, 1);
	if (spawn_start(&sp, SHELL(LONG_SCRIPT), true, &ops, &s) != 0)
		_exit(1);
	while (spawn_poll(sp)) {
		struct pollfd p = {.fd = spawn_fd(sp), .events = POLLIN};

		poll(&p, 1, PATIENCE_MS);
	}
	_exit(2);
}

static void a_killed_tracer_leaves_the_command_running(void **state)
{
	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	for (unsigned int die_at = 1; die_at < 40; die_at += 3) {
		int out[2], status;
		char text[64];
		pid_t pid;

		assert_int_equal(pipe2(out, O_CLOEXEC), 0);
		pid = fork();
		if (pid == 0)
			trace_and_die(out[1], die_at);
		close(out[1]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, SIGKILL);
		read_rest(out[0], text, sizeof(text));
		assert_string_equal(text, "done\n");
		close(out[0]);
		/* the orphan, and whatever it had not waited for */
		while (waitpid(-1, &status, 0) > 0)
			assert_true(WIFEXITED(status));
	}
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	assert_no_children();
}

static void what_outlives_the_command_is_let_go(void **state)
{
	char text[64], path[64], line[256];
	struct piped p;
	struct seen s;
	int status, tracer = -1;
	pid_t left;
	FILE *f;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	p = start_piped(SHELL("sleep 1000 </dev/null >/dev/null & echo $!"), true, &s);
	await_output(&p, text, sizeof(text));
	left = (pid_t)strtol(text, NULL, 10);
	assert_true(left > 0);
	assert_int_equal(finish(p.sp), 0);
	snprintf(path, sizeof(path), "/proc/%d/status", left);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "TracerPid: %d", &tracer);
	fclose(f);
	assert_int_equal(tracer, 0);
	assert_int_not_equal(state_of((uint32_t)left), 'T');
	assert_int_equal(kill(left, SIGKILL), 0);
	assert_int_equal(waitpid(left, &status, 0), left);
	assert_int_equal(status, SIGKILL);
	close(p.in);
	close(p.out);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	assert_no_children();
}

static int start_set_user_id(const char *path)
{
	struct spawn *sp = NULL;
	struct seen s = {0};
	int rc = spawn_start(&sp, CMD((char *)path, (char *)"--help"), true, &ops, &s);

	spawn_free(sp);
	return rc;
}

static void a_program_that_would_lose_its_privilege_is_refused(void **state)
{
	static const char program[] = "/bin/su";
	struct statvfs fs;
	struct stat st;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(stat(program, &st), 0);
	assert_int_equal(statvfs(program, &fs), 0);
	assert_true(st.st_mode & S_ISUID);
	assert_false(fs.f_flag & ST_NOSUID);
	pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 &&
		    (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
			_exit(99);
		prctl(PR_SET_DUMPABLE,
		      1); /* giving up root made this program one not to be traced */
		_exit(-start_set_user_id(program));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, EPERM << 8);
	if (geteuid() == 0)
		assert_int_equal(start_set_user_id(program), 0);
	assert_no_children();
}

/* The commands. They end by _exit: the sanitizers' leak check does not work under ptrace. */

static int help_say(const char *fd)
{
	return write((int)strtol(fd, NULL, 10), "x", 1) == 1 ? 0 : 1;
}

static void *fork_true(void *arg)
{
	int *status = arg;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/true", "true", NULL);
		_exit(127);
	}
	if (waitpid(pid, status, 0) != pid)
		*status = 1;
	return NULL;
}

static void *exec_true(void *arg)
{
	execl("/bin/true", "true", NULL);
	return arg;
}

static int help_thread(void *(*body)(void *))
{
	int status = 1;
	pthread_t t;

	if (pthread_create(&t, NULL, body, &status) != 0 || pthread_join(t, NULL) != 0)
		return 1;
	return status;
}

static int help_trace(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		waitpid(pid, &status, 0);
	}
	return status != 0;
}

static int help_signals(void)
{
	unsigned long long blocked = 0, ignored = 0, bit = 1;
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "SigBlk: %llx", &blocked);
		sscanf(line, "SigIgn: %llx", &ignored);
	}
	if (!f || blocked != bit << (SIGUSR1 - 1))
		return 1;
	/* 32 and 33 are the C library's own; its posix_spawn (make) leaves them ignored. */
	ignored &= ~(bit << 31 | bit << 32);
	return ignored == (bit << (SIGUSR2 - 1) | bit << (SIGCHLD - 1)) ? 0 : 2;
}

static int help_descriptors(const char *want)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count == strtol(want, NULL, 10) ? 0 : 1;
}

/* Each failed step has its own status. */
static int help_job_control(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	if (kill(pid, SIGSTOP) != 0 || waitpid(pid, &status, WUNTRACED) != pid)
		return 1;
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP)
		return 2;
	if (waitpid(pid, &status, WNOHANG | WCONTINUED) != 0)
		return 3; /* went on by itself */
	if (kill(pid, SIGCONT) != 0 || waitpid(pid, &status, WCONTINUED) != pid ||
	    !WIFCONTINUED(status))
		return 4;
	if (kill(pid, SIGTSTP) != 0 || waitpid(pid, &status, WUNTRACED) != pid ||
	    !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTSTP)
		return 5;
	/* killed while it stands */
	if (kill(pid, SIGKILL) != 0 || waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		return 6;
	return 0;
}

static int help(const char *what, const char *arg)
{
	if (strcmp(what, "say") == 0)
		return help_say(arg);
	if (strcmp(what, "thread-forks") == 0)
		return help_thread(fork_true);
	if (strcmp(what, "thread-execs") == 0)
		return help_thread(exec_true);
	if (strcmp(what, "system") == 0)
		return system("exit 0");
	if (strcmp(what, "traces") == 0)
		return help_trace();
	if (strcmp(what, "signals") == 0)
		return help_signals();
	if (strcmp(what, "descriptors") == 0)
		return help_descriptors(arg);
	if (strcmp(what, "job-control") == 0)
		return help_job_control();
	return 127;
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_status_is_the_commands_own),
		cmocka_unit_test(what_cannot_run_is_told_as_execvp_tells_it),
		cmocka_unit_test(nothing_runs_before_the_first_poll),
		cmocka_unit_test(every_process_of_a_pipeline_is_seen),
		cmocka_unit_test(hundreds_of_processes_are_seen),
		cmocka_unit_test(threads_and_vfork_are_followed),
		cmocka_unit_test(without_descendants_only_the_command_stands),
		cmocka_unit_test(a_command_that_traces_needs_the_switch),
		cmocka_unit_test(input_and_output_are_the_commands_own),
		cmocka_unit_test(signals_reach_the_whole_group_as_ever),
		cmocka_unit_test(signal_settings_are_inherited_and_restored),
		cmocka_unit_test(no_descriptor_leaks_into_the_command),
		cmocka_unit_test(job_control_works),
		cmocka_unit_test(let_go_at_any_moment_the_command_runs_on),
		cmocka_unit_test(a_killed_tracer_leaves_the_command_running),
		cmocka_unit_test(what_outlives_the_command_is_let_go),
		cmocka_unit_test(a_program_that_would_lose_its_privilege_is_refused),
	};

	if (argc > 1)
		_exit(help(argv[1], argc > 2 ? argv[2] : ""));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
