/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who a process is: the table of fields and its wire form, /proc of processes started here, and the
 * rules for containers against one fixture line per form of path.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "identity/rows.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct identity *fresh(uint32_t tgid)
{
	struct identity *id = identity_new((struct proc_key){.tgid = tgid});

	assert_non_null(id);
	return id;
}

static void assert_field(const struct identity *id, enum identity_field f, const char *want)
{
	if (!want) {
		assert_null(id->v[f].p);
		assert_int_equal(id->v[f].n, 0);
		return;
	}
	assert_non_null(id->v[f].p);
	assert_string_equal(id->v[f].p, want);
	assert_int_equal(id->v[f].n, strlen(want));
}

static void no_name_is_a_prefix_of_another(void **state)
{
	(void)state;
	for (int a = 0; a < ID_FIELDS; a++) {
		assert_non_null(identity_fields[a].name);
		for (int b = 0; b < ID_FIELDS; b++) {
			const char *long_name = identity_fields[b].name;
			size_t n = strlen(identity_fields[a].name);

			if (a != b)
				assert_false(strncmp(identity_fields[a].name, long_name, n) == 0 &&
					     (long_name[n] == '.' || long_name[n] == '\0'));
		}
	}
}

static void values_are_copied_cut_and_cleared(void **state)
{
	struct identity *id = fresh(1);
	char *big = malloc(IDENTITY_VALUE_MAX_BYTES + 100);

	(void)state;
	memset(big, 'x', IDENTITY_VALUE_MAX_BYTES + 100);
	assert_int_equal(identity_set(id, ID_COMM, "a\0b", 3), 0);
	assert_field(id, ID_COMM, "a");
	assert_int_equal(identity_set(id, ID_COMM, "other", 5), 0);
	assert_field(id, ID_COMM, "other");
	assert_int_equal(identity_set(id, ID_COMM, "", 0), 0);
	assert_field(id, ID_COMM, NULL);
	assert_int_equal(identity_set(id, ID_CMDLINE, big, IDENTITY_VALUE_MAX_BYTES + 100), 0);
	assert_int_equal(id->v[ID_CMDLINE].n, IDENTITY_VALUE_MAX_BYTES);
	free(big);
	assert_ptr_equal(identity_ref(id), id);
	identity_unref(id);
	assert_int_equal(id->v[ID_CMDLINE].n, IDENTITY_VALUE_MAX_BYTES);
	identity_unref(id);
	identity_unref(NULL);
}

static struct identity *sample(void)
{
	struct identity *id = fresh(42);

	assert_int_equal(identity_set(id, ID_PARENT_PID, "7", 1), 0);
	assert_int_equal(identity_set(id, ID_CMDLINE, "curl -s \"x\"\n", 12), 0);
	assert_int_equal(identity_set(id, ID_K8S_NODE, "n1", 2), 0);
	return id;
}

static void the_wire_form_comes_back(void **state)
{
	struct identity *id = sample(), *back = fresh(42);
	struct buf b = {0};

	(void)state;
	assert_int_equal(identity_encode(id, &b), 0);
	assert_int_equal(identity_decode(back, (char *)b.p, b.n), 0);
	for (int f = 0; f < ID_FIELDS; f++)
		assert_field(back, f, id->v[f].p);
	identity_unref(id);
	identity_unref(back);
	buf_free(&b);
}

/*
 * Cut at every byte: what was whole is taken, the rest is refused, and nothing past the end is
 * read.
 */
static void a_cut_wire_form_gives_what_was_whole(void **state)
{
	struct identity *id = sample();
	struct buf b = {0};

	(void)state;
	assert_int_equal(identity_encode(id, &b), 0);
	for (size_t n = 0; n <= b.n; n++) {
		struct identity *back = fresh(42);
		char *exact = malloc(n ? n : 1);
		size_t taken = 0, ends = 0;
		int rc;

		memcpy(exact, b.p, n);
		rc = identity_decode(back, exact, n);
		for (size_t i = 0; i < n; i++)
			ends += exact[i] == '\0';
		for (int f = 0; f < ID_FIELDS; f++)
			taken += back->v[f].p != NULL;
		assert_int_equal(taken, ends / 2);
		assert_true(rc == 0 || rc == -EBADMSG);
		assert_int_equal(rc == 0, n == 0 || (ends % 2 == 0 && exact[n - 1] == '\0'));
		free(exact);
		identity_unref(back);
	}
	identity_unref(id);
	buf_free(&b);
}

static void lists_keep_their_elements(void **state)
{
	struct identity *id = fresh(42), *back = fresh(42);
	struct str list, element;
	struct buf b = {0};

	(void)state;
	assert_int_equal(identity_set(id, ID_CMDLINE, "sh\0-c\0\0exit 3", 13), 0);
	assert_int_equal(identity_add(id, ID_ANCESTORS, "bash[12]", 8), 0);
	assert_int_equal(identity_add(id, ID_ANCESTORS, "systemd[1]", 10), 0);
	assert_int_equal(identity_encode(id, &b), 0);
	assert_int_equal(identity_decode(back, (char *)b.p, b.n), 0);
	assert_int_equal(back->v[ID_CMDLINE].n, 13);
	assert_memory_equal(back->v[ID_CMDLINE].p, "sh\0-c\0\0exit 3", 14);
	list = back->v[ID_ANCESTORS];
	assert_true(identity_next(&list, &element));
	assert_true(str_eq(element, STR("bash[12]")));
	assert_true(identity_next(&list, &element));
	assert_true(str_eq(element, STR("systemd[1]")));
	assert_false(identity_next(&list, &element));
	for (int i = 0; i < 10000; i++)
		assert_int_equal(identity_add(back, ID_ANCESTORS, "bash[12]", 8), 0);
	assert_true(back->v[ID_ANCESTORS].n <= IDENTITY_VALUE_MAX_BYTES);
	buf_free(&b);
	identity_unref(id);
	identity_unref(back);
}

static void what_is_known_is_not_filled_up(void **state)
{
	struct identity *id = fresh(1), *other = fresh(1);

	(void)state;
	identity_set(id, ID_COMM, "mine", 4);
	identity_set(other, ID_COMM, "other", 5);
	identity_set(other, ID_EXE, "/bin/other", 10);
	assert_int_equal(identity_fill_up(id, other), 0);
	assert_field(id, ID_COMM, "mine");
	assert_field(id, ID_EXE, "/bin/other");
	identity_unref(id);
	identity_unref(other);
}

static void unknown_names_and_bad_numbers_are_skipped(void **state)
{
	static const char pairs[] = "no.such.field\0x\0process.user.id\0root\0"
				    "process.parent_pid\0"
				    "12\0process.executable.name\0sh";
	struct identity *id = fresh(1);

	(void)state;
	assert_int_equal(identity_decode(id, pairs, sizeof(pairs)), 0);
	assert_field(id, ID_USER_ID, NULL);
	assert_field(id, ID_PARENT_PID, "12");
	assert_field(id, ID_COMM, "sh");
	identity_unref(id);
}

static void this_process_is_described(void **state)
{
	struct identity *id = fresh((uint32_t)getpid());
	char want[4096], own[16];
	ssize_t n = readlink("/proc/self/exe", want, sizeof(want) - 1);

	(void)state;
	assert_true(n > 0);
	want[n] = '\0';
	assert_int_equal(identity_start_time(id->key.tgid, &id->key.start_ns), 0);
	id->key.start_ns += 1234567; /* as the kernel's records have it */
	assert_int_equal(identity_fill(id, NULL), 0);
	assert_field(id, ID_EXE, want);
	snprintf(want, sizeof(want), "%d", getppid());
	assert_field(id, ID_PARENT_PID, want);
	snprintf(want, sizeof(want), "%u", geteuid());
	assert_field(id, ID_USER_ID, want);
	assert_int_equal(prctl(PR_GET_NAME, own), 0);
	assert_field(id, ID_COMM, own);
	assert_non_null(id->v[ID_CMDLINE].p);
	assert_non_null(strstr(id->v[ID_CMDLINE].p, "test_identity"));
	assert_non_null(id->v[ID_CGROUP].p);
	assert_int_equal(readlink("/proc/self/ns/net", want, sizeof(want)), strlen("net:[]") + 10);
	assert_memory_equal(id->v[ID_NET_NS].p, want + strlen("net:["), id->v[ID_NET_NS].n);
	assert_field(id, ID_USER_NAME, getpwuid(geteuid()) ? getpwuid(geteuid())->pw_name : NULL);
	assert_field(id, ID_ANCESTORS, NULL);
	identity_unref(id);
}

/* The parent comes first, then its own, up to the first process of all that may be seen. */
static void ancestors_on_request(void **state)
{
	static const struct identity_cfg cfg = {.ancestors = true};
	struct identity *id = fresh((uint32_t)getpid());
	struct str list, element = STR_NONE;
	char want[32];

	(void)state;
	snprintf(want, sizeof(want), "[%d]", getppid());
	assert_int_equal(identity_fill(id, &cfg), 0);
	list = id->v[ID_ANCESTORS];
	assert_true(identity_next(&list, &element));
	assert_memory_equal(element.p + element.n - strlen(want), want, strlen(want));
	identity_unref(id);
}

static void start_times_order_and_match_the_clock(void **state)
{
	struct timespec ts;
	uint64_t ns, now;

	(void)state;
	assert_int_equal(identity_start_time((uint32_t)getpid(), &ns), 0);
	assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &ts), 0);
	now = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	assert_true(ns <= now && now - ns < 600ull * 1000000000u);
	assert_true(identity_same_start(ns, ns + 9999999));
	assert_false(identity_same_start(ns, ns + 10000000));
}

/* A child that waits to be killed; it has run `prepare` when this returns. */
static pid_t start_child(void (*prepare)(void))
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		prepare();
		if (write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void take_a_hard_name(void)
{
	prctl(PR_SET_NAME, "a) R 1 (b\n\t)");
}

static void hard_names_are_no_trouble(void **state)
{
	pid_t pid = start_child(take_a_hard_name);
	struct identity *id = fresh((uint32_t)pid);
	uint64_t ours;

	(void)state;
	assert_int_equal(identity_start_time((uint32_t)getpid(), &ours), 0);
	assert_int_equal(identity_start_time((uint32_t)pid, &id->key.start_ns), 0);
	assert_true(id->key.start_ns >= ours);
	assert_int_equal(identity_fill(id, NULL), 0);
	assert_field(id, ID_COMM, "a) R 1 (b\n\t)");
	assert_field(id, ID_NS_PID, NULL);
	end_child(pid);
	identity_unref(id);
}

static void nothing(void)
{
}

static void a_reused_pid_is_somebody_else(void **state)
{
	pid_t pid = start_child(nothing);
	struct identity *id = fresh((uint32_t)pid);

	(void)state;
	assert_int_equal(identity_start_time((uint32_t)pid, &id->key.start_ns), 0);
	id->key.start_ns -= 20000000;
	assert_int_equal(identity_fill(id, NULL), -ESRCH);
	for (int f = 0; f < ID_FIELDS; f++)
		assert_field(id, f, NULL);
	end_child(pid);
	assert_int_equal(identity_fill(id, NULL), -ESRCH);
	assert_int_equal(identity_start_time((uint32_t)pid, &id->key.start_ns), -ESRCH);
	identity_unref(id);
}

/* Process 1 of a new pid namespace, and the user namespace that lets anybody make one. */
static void the_pid_inside_its_namespace_is_told(void **state)
{
	int out[2], status;
	struct identity *id;
	pid_t pid, inner;

	(void)state;
	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0)
			_exit(1);
		inner = fork();
		if (inner == 0)
			for (;;)
				pause();
		if (write(out[1], &inner, sizeof(inner)) != sizeof(inner))
			_exit(1);
		waitpid(inner, &status, 0);
		_exit(0);
	}
	close(out[1]);
	assert_int_equal(read(out[0], &inner, sizeof(inner)), sizeof(inner));
	close(out[0]);
	id = fresh((uint32_t)inner);
	assert_int_equal(identity_fill(id, NULL), 0);
	assert_field(id, ID_NS_PID, "1");
	identity_unref(id);
	assert_int_equal(kill(inner, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* "-" in the fixture means: absent. */
static void assert_piece(struct str got, const char *want, const char *path)
{
	if (strcmp(want, "-") == 0)
		want = "";
	if (got.n != strlen(want) || memcmp(got.p ? got.p : "", want, got.n) != 0)
		fail_msg("%s: got \"%.*s\", want \"%s\"", path, (int)got.n, got.p ? got.p : "",
			 want);
}

static void every_form_of_path_tells_its_container(void **state)
{
	FILE *f = fopen("tests/fixtures/identity/cgroups.txt", "re");
	char line[1024], path[512], runtime[64], container[128], pod[64];
	int cases = 0;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		struct cgroup_facts facts;

		if (line[0] == '#' || line[0] == '\n')
			continue;
		assert_int_equal(
			sscanf(line, "%511s %63s %127s %63s", path, runtime, container, pod), 4);
		cgroup_facts(str_from(path), &facts);
		for (size_t i = 0; pod[i] && i < facts.pod_uid.n; i++)
			if (facts.pod_uid.p[i] == '_' && pod[i] == '-')
				pod[i] = '_';
		assert_piece(str_from(facts.runtime), runtime, path);
		assert_piece(facts.id, container, path);
		assert_piece(facts.pod_uid, pod, path);
		cases++;
	}
	fclose(f);
	assert_true(cases > 40);
}

/* No prefix of any path may read outside of it. */
static void cut_paths_are_no_trouble(void **state)
{
	static const char path[] =
		"/docker/" HEX64
		"/kubepods-burstable-pod0a000000_0000_0000_0000_000000000000.slice/crio-" HEX64
		".scope";

	(void)state;
	for (size_t n = 0; n < sizeof(path); n++) {
		struct cgroup_facts facts;
		char *exact = malloc(n ? n : 1);

		memcpy(exact, path, n);
		cgroup_facts((struct str){exact, n}, &facts);
		free(exact);
	}
}

static void the_telling_hierarchy_is_chosen(void **state)
{
	static const struct {
		const char *text, *cgroup, *container, *runtime, *pod;
	} cases[] = {
		{"0::/user.slice\n", "/user.slice", NULL, NULL, NULL},
		{"0::/\n", "/", NULL, NULL, NULL},
		/* version 1 alone */
		{"9:memory:/docker/" HEX64 "\n1:name=systemd:/docker/" HEX64 "\n", "/docker/" HEX64,
		 HEX64, "docker", NULL},
		/* hybrid: the version 2 tree holds nobody */
		{"9:memory:/docker/" HEX64 "\n1:name=systemd:/\n0::/\n", "/docker/" HEX64, HEX64,
		 "docker", NULL},
		{"4:memory:/a\n1:name=systemd:/b\n0::/c\n", "/c", NULL, NULL, NULL},
		{"4:memory:/a\n1:name=systemd:/b\n0::/\n", "/b", NULL, NULL, NULL},
		{"0::/kubepods.slice/kubepods-pod0a000000_0000_0000_0000_000000000001.slice/"
		 "crio-" HEX64 ".scope\n",
		 "/kubepods.slice/kubepods-pod0a000000_0000_0000_0000_000000000001.slice/"
		 "crio-" HEX64 ".scope",
		 HEX64, "cri-o", "0a000000-0000-0000-0000-000000000001"},
		/* a path with colons, and text that is none */
		{"0::/a:b:c\n", "/a:b:c", NULL, NULL, NULL},
		{"nonsense\n\n::\n", NULL, NULL, NULL, NULL},
		{"", NULL, NULL, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct identity *id = fresh(1);

		assert_int_equal(cgroup_fill_text(id, cases[i].text), 0);
		assert_field(id, ID_CGROUP, cases[i].cgroup);
		assert_field(id, ID_CONTAINER_ID, cases[i].container);
		assert_field(id, ID_CONTAINER_RUNTIME, cases[i].runtime);
		assert_field(id, ID_K8S_POD_UID, cases[i].pod);
		assert_field(id, ID_CONTAINER_NAME, NULL);
		identity_unref(id);
	}
}

static void a_container_known_by_name_has_one(void **state)
{
	struct identity *id = fresh(1);

	(void)state;
	assert_int_equal(cgroup_fill_text(id, "0::/lxc.payload.web/init.scope\n"), 0);
	assert_field(id, ID_CONTAINER_ID, "web");
	assert_field(id, ID_CONTAINER_NAME, "web");
	assert_field(id, ID_CONTAINER_RUNTIME, "lxc");
	identity_unref(id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_name_is_a_prefix_of_another),
		cmocka_unit_test(values_are_copied_cut_and_cleared),
		cmocka_unit_test(the_wire_form_comes_back),
		cmocka_unit_test(a_cut_wire_form_gives_what_was_whole),
		cmocka_unit_test(lists_keep_their_elements),
		cmocka_unit_test(what_is_known_is_not_filled_up),
		cmocka_unit_test(ancestors_on_request),
		cmocka_unit_test(unknown_names_and_bad_numbers_are_skipped),
		cmocka_unit_test(this_process_is_described),
		cmocka_unit_test(start_times_order_and_match_the_clock),
		cmocka_unit_test(hard_names_are_no_trouble),
		cmocka_unit_test(a_reused_pid_is_somebody_else),
		cmocka_unit_test(the_pid_inside_its_namespace_is_told),
		cmocka_unit_test(every_form_of_path_tells_its_container),
		cmocka_unit_test(cut_paths_are_no_trouble),
		cmocka_unit_test(the_telling_hierarchy_is_chosen),
		cmocka_unit_test(a_container_known_by_name_has_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
