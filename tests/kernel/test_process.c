/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Children, new images, and the ends of processes. */
#include "tests/kernel/harness.h"

#include "core/log.h"

#include <spawn.h>

#define CHILDREN 5
#define FIXED_PLACE ((void *)0x200000000000)

static void counted(struct truth *t, int dir, long n)
{
	__atomic_add_fetch(&t->bytes[dir], (uint64_t)n, __ATOMIC_RELAXED);
	__atomic_add_fetch(&t->calls[dir], 1, __ATOMIC_RELAXED);
}

static SSL *fixed_context(void)
{
	SSL *s = mmap(FIXED_PLACE, 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (s == MAP_FAILED)
		_exit(7);
	s->fd = -1;
	return s;
}

/* The first thing a child does is to write, and then it is gone. */
static void fork_children(struct truth *t)
{
	static SSL inherited = {.fd = -1};
	uint8_t buf[1000];

	counted(t, 0, put(&inherited, buf, 1000));
	inherited.off[0] = inherited.off[1] = 0; /* positions of a child begin anew */
	for (int i = 0; i < CHILDREN; i++) {
		if (fork() == 0) {
			counted(t, 0, put(&inherited, buf, 500));
			inherited.off[0] = 0;
			if (fork() == 0) {
				counted(t, 0, put(&inherited, buf, 50));
				_exit(0);
			}
			wait(NULL);
			_exit(0);
		}
	}
	while (wait(NULL) > 0)
		;
}

static void test_followed(void)
{
	struct scenario sc = {.run = fork_children, .follow = true};
	struct truth t;
	struct seen s;
	bool good;

	run_scenario(&sc, &s, &t);
	good = whole(&s, &t) & EXPECT_EQ(s.generations, 1 + 2 * CHILDREN) &
	       EXPECT_EQ(s.forks, 2 * CHILDREN) & EXPECT_EQ(s.exits, 1 + 2 * CHILDREN);
	good &= EXPECT_EQ(s.identities, 1 + 2 * CHILDREN);
	result(good, "children and theirs are traced from their first byte", "");
	seen_free(&s);
}

static void test_not_followed(void)
{
	struct scenario sc = {.run = fork_children};
	struct truth t;
	struct seen s;
	bool good;

	run_scenario(&sc, &s, &t);
	good = sound(&s) & EXPECT_EQ(s.got[0], 1000) & EXPECT_EQ(s.forks, 0) &
	       EXPECT_EQ(s.exits, 1);
	result(good, "children are left alone unless asked for", "");
	seen_free(&s);
}

static int born_before[2];

static void fork_before(struct truth *t)
{
	uint8_t buf[1000];
	char c;

	if (pipe(born_before) < 0 || fork() != 0)
		return;
	close(born_before[1]);
	if (read(born_before[0], &c, 1) == 1) {
		static SSL s = {.fd = -1};

		counted(t, 0, put(&s, buf, 300));
	}
	_exit(0);
}

static void let_child_write(struct truth *t)
{
	(void)t;
	if (write(born_before[1], "g", 1) != 1)
		_exit(1);
	close(born_before[1]);
	wait(NULL);
}

static void test_descendants(void)
{
	struct scenario sc = {.before = fork_before, .run = let_child_write, .follow = true};
	struct truth t;
	struct seen s;
	bool good;

	run_scenario(&sc, &s, &t);
	good = whole(&s, &t) & EXPECT_EQ(s.got[0], 300) & EXPECT_EQ(s.exits, 2);
	result(good, "children that were there before are followed too", "");
	seen_free(&s);
}

static void exec_self(struct truth *t)
{
	char *const argv[] = {(char *)"test", (char *)"second-image", NULL};
	uint8_t buf[1000];
	SSL *s = fixed_context();

	counted(t, 0, put(s, buf, 1000));
	counted(t, 0, 1000); /* what the second image will do */
	execv("/proc/self/exe", argv);
	_exit(1);
}

/* A context at the very address that one of the old image had. */
static int second_image(void)
{
	uint8_t buf[1000];

	return put(fixed_context(), buf, 1000) == 1000 ? 0 : 1;
}

static void test_exec(bool follow, bool stalled)
{
	struct scenario sc = {.run = exec_self, .follow = follow, .stalled = stalled};
	struct truth t;
	struct seen s;
	bool good;

	run_scenario(&sc, &s, &t);
	good = whole(&s, &t) & EXPECT_EQ(s.generations, 2) & EXPECT_EQ(s.execs, 1) &
	       EXPECT_EQ(s.conn_ends, 2) & EXPECT_EQ(s.identities, 2);
	result(good, "a context of an old image is not one of the new",
	       stalled	? "nobody draining"
	       : follow ? "followed"
			: "by pid");
	seen_free(&s);
}

static void killed(struct truth *t)
{
	SSL s = {.fd = -1};
	uint8_t buf[100];

	counted(t, 0, put(&s, buf, 100));
	kill(getpid(), SIGKILL);
}

static void test_killed(void)
{
	struct scenario sc = {.run = killed};
	struct truth t;
	struct seen s;
	bool good;

	run_scenario(&sc, &s, &t);
	good = EXPECT_EQ(s.status, SIGKILL) & EXPECT_EQ(s.exit_code, SIGKILL);
	s.status = 0;
	good &= whole(&s, &t) & EXPECT_EQ(s.conn_ends, 1);
	result(good, "the last bytes before SIGKILL, and the status of the end", "");
	seen_free(&s);
}

static void test_nothing_there(void)
{
	struct source_cfg cfg = {.pid_count = 1, .ring_mb = 1, .snap_bytes = 100};
	uint32_t pid = (uint32_t)getpid();
	char *const argv[] = {(char *)"sleep", (char *)"60", NULL};
	pid_t sleeper;
	void *src;
	int err;

	log_set_level(LOG_ERROR);
	cfg.pids = &pid;
	result(source_bpf.open(&src, &cfg) == -EINVAL, "it does not trace itself", "");
	if (posix_spawnp(&sleeper, "sleep", NULL, NULL, argv, environ))
		exit(1);
	pid = (uint32_t)sleeper;
	err = source_bpf.open(&src, &cfg);
	result(err == -ENOENT, "a process without a TLS library is told", "");
	kill(sleeper, SIGKILL);
	waitpid(sleeper, NULL, 0);
	result(source_bpf.open(&src, &cfg) == -ESRCH, "a process that is gone is told", "");
	log_set_level(LOG_INFO);
}

static void test_command(const char *self)
{
	char *const direct[] = {(char *)self, (char *)"second-image", NULL};
	char *const shell[] = {(char *)"sh", (char *)"-c",
			       (char *)"\"$0\" second-image & (\"$0\" second-image); wait; exit 7",
			       (char *)self, NULL};
	struct seen s;
	bool good = true;
	int status;

	for (int i = 0; i < 5; i++) {
		status = run_command(direct, true, &s);
		good &= sound(&s) & EXPECT_EQ(status, 0) & EXPECT_EQ(s.got[0], 1000);
		seen_free(&s);
	}
	result(good, "the one write of a short command", "");

	status = run_command(direct, false, &s);
	good = sound(&s) & EXPECT_EQ(status, 0) & EXPECT_EQ(s.got[0], 1000);
	result(good, "the same without its descendants", "");
	seen_free(&s);

	status = run_command(shell, true, &s);
	good = EXPECT_EQ(WEXITSTATUS(status), 7) & EXPECT_EQ(s.got[0], 2000) &
	       EXPECT_EQ(s.n.generated_bytes[0], 2000) & EXPECT_EQ(s.execs, 3) & sound(&s);
	result(good, "the commands of a shell, and its exit status", "");
	seen_free(&s);
}

int main(int argc, char **argv)
{
	char self[4096];
	ssize_t n;

	if (argc > 1 && strcmp(argv[1], "second-image") == 0)
		return second_image();
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return 1;
	self[n] = '\0';
	test_followed();
	test_not_followed();
	test_descendants();
	test_exec(false, false);
	test_exec(true, false);
	test_exec(false, true);
	test_killed();
	test_command(self);
	test_nothing_there();
	return results_status();
}
