/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes a rule means, and that this program is never one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bpf/state.h"
#include "capture/watch.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct identity *web(const char *container_id)
{
	static const struct {
		enum identity_field f;
		const char *v;
	} rows[] = {
		{ID_CONTAINER_NAME, "shop-web-1"}, {ID_K8S_CONTAINER, "web"},
		{ID_K8S_NAMESPACE, "shop"},	   {ID_K8S_POD, "web-0"},
		{ID_CGROUP, "/apps/web/inner"},	   {ID_USER_ID, "33"},
		{ID_COMM, "a-name-cut-shor"},	   {ID_EXE, "/usr/bin/web (deleted)"},
	};
	struct identity *id = identity_new((struct proc_key){.tgid = 7});

	assert_non_null(id);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		identity_set(id, rows[i].f, rows[i].v, strlen(rows[i].v));
	identity_set(id, ID_CONTAINER_ID, container_id, strlen(container_id));
	return id;
}

static void test_rules(void **state)
{
	static const struct {
		struct watch_rule rule;
		bool fits;
	} rows[] = {
		{{WATCH_CONTAINER, "shop-web-1", 0}, true},
		{{WATCH_CONTAINER, "web", 0}, true},
		{{WATCH_CONTAINER, "shop-web", 0}, false},
		{{WATCH_CONTAINER, HEX64, 0}, true},
		{{WATCH_CONTAINER, "0123", 0}, true},
		{{WATCH_CONTAINER, "0123456789ab", 0}, true},
		{{WATCH_CONTAINER, "012", 0}, false},
		{{WATCH_CONTAINER, HEX64 "0", 0}, false},
		{{WATCH_CONTAINER, "1234", 0}, false},
		{{WATCH_POD, "shop/web-0", 0}, true},
		{{WATCH_POD, "web-0", 0}, true},
		{{WATCH_POD, "shop/web", 0}, false},
		{{WATCH_POD, "other/web-0", 0}, false},
		{{WATCH_POD, "/web-0", 0}, false},
		{{WATCH_COMM, "a-name-cut-shor", 0}, true},
		{{WATCH_COMM, "a-name-cut-shorter", 0}, true},
		{{WATCH_COMM, "a-name", 0}, false},
		{{WATCH_EXE, "/usr/bin/web", 0}, true},
		{{WATCH_EXE, "/usr/bin/web (deleted)", 0}, true},
		{{WATCH_EXE, "/usr/bin/we", 0}, false},
		{{WATCH_EXE, "web", 0}, false},
		{{WATCH_ALL, "", 0}, true},
		{{WATCH_CGROUP, "/apps/web/inner", 0}, true},
		{{WATCH_CGROUP, "/apps/web", 0}, true},
		{{WATCH_CGROUP, "/apps/web/", 0}, true},
		{{WATCH_CGROUP, "/sys/fs/cgroup/apps", 0}, true},
		{{WATCH_CGROUP, "/", 0}, true},
		{{WATCH_CGROUP, "/apps/we", 0}, false},
		{{WATCH_CGROUP, "/apps/web/inner/deeper", 0}, false},
		{{WATCH_UID, "www-data", 33}, true},
		{{WATCH_UID, "root", 0}, false},
	};
	struct identity *id = web(HEX64);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (watch_fits(&rows[i].rule, 1, id) != rows[i].fits)
			fail_msg("%s", rows[i].rule.value);
	identity_unref(id);
}

/* An id that is a name is not abbreviated: shop is not shop-2. */
static void test_names_are_whole(void **state)
{
	const struct watch_rule part = {WATCH_CONTAINER, "shopping", 0},
				whole = {WATCH_CONTAINER, "shopping-2", 0};
	struct identity *id = web("shopping-2");

	(void)state;
	assert_false(watch_fits(&part, 1, id));
	assert_true(watch_fits(&whole, 1, id));
	identity_unref(id);
}

static void test_outside_of_containers(void **state)
{
	static const struct watch_rule rules[] = {
		{WATCH_CONTAINER, "x", 0}, {WATCH_POD, "x", 0}, {WATCH_CGROUP, "/x", 0}};
	struct identity *id = identity_new((struct proc_key){.tgid = 7});

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_false(watch_fits(&rules[i], 1, id));
	identity_unref(id);
}

/* Of one kind any, of several kinds each. */
static void test_rules_together(void **state)
{
	static const struct watch_rule any[] = {{WATCH_CONTAINER, "db", 0},
						{WATCH_CONTAINER, "web", 0}};
	static const struct watch_rule each[] = {{WATCH_CONTAINER, "web", 0},
						 {WATCH_UID, "root", 0}};
	struct identity *id = web(HEX64);

	(void)state;
	assert_true(watch_fits(any, 2, id));
	assert_false(watch_fits(any, 1, id));
	assert_false(watch_fits(each, 2, id));
	assert_true(watch_fits(each, 1, id));
	assert_false(watch_fits(any, 0, id));
	identity_unref(id);
}

/* What the kernel side may decide by itself. */
static void test_bits(void **state)
{
	static const struct watch_rule rules[] = {{WATCH_CONTAINER, "web", 0},
						  {WATCH_CONTAINER, "db", 0},
						  {WATCH_UID, "root", 0},
						  {WATCH_COMM, "nginx", 0}};
	static const struct watch_rule both[] = {{WATCH_CONTAINER, "web", 0},
						 {WATCH_CGROUP, "/apps", 0}};
	struct identity *id = web(HEX64);

	(void)state;
	assert_int_equal(watch_bits(rules, 2), WATCH_BIT_CGROUP);
	assert_int_equal(watch_bits(rules, 3), WATCH_BIT_CGROUP | WATCH_BIT_UID);
	assert_int_equal(watch_bits(rules + 2, 1), WATCH_BIT_UID);
	assert_true(watch_bits(rules, 4) & WATCH_BIT_OTHER);
	assert_true(watch_bits(both, 2) & WATCH_BIT_OTHER);
	assert_int_equal(watch_cgroup_id(rules, 1, id), 0);
	identity_set(id, ID_CGROUP_ID, "4711", 4);
	assert_int_equal(watch_cgroup_id(rules, 1, id), 4711);
	assert_int_equal(watch_cgroup_id(rules + 2, 1, id), 0);
	identity_unref(id);
}

struct seen {
	uint32_t child;
	bool child_seen, self_seen;
};

static void see(void *arg, uint32_t pid)
{
	struct seen *s = arg;

	s->child_seen |= pid == s->child;
	s->self_seen |= pid == (uint32_t)getpid();
}

static void test_scan(void **state)
{
	const struct watch_rule rule = {WATCH_UID, "", geteuid()}, all = {WATCH_ALL, "", 0};
	pid_t child = fork();
	struct seen s = {.child = (uint32_t)child};

	(void)state;
	assert_true(child >= 0);
	if (!child) {
		pause();
		_exit(0);
	}
	watch_scan(&rule, 1, NULL, see, &s);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_true(s.child_seen);
	assert_false(s.self_seen);
	assert_false(watch_fits_pid(&rule, 1, NULL, (uint32_t)child));
	assert_false(watch_fits_pid(&all, 1, NULL, (uint32_t)getpid()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_names_are_whole),
		cmocka_unit_test(test_outside_of_containers),
		cmocka_unit_test(test_rules_together),
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_scan),
	};

	return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
