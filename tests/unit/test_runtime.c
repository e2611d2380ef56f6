/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names from what runtimes keep on disk: tests/fixtures/runtimes is a host with one container of each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "identity/rows.h"

#define HEX(c) c c c c c c c c c c c c c c c c
#define ID_DOCKER HEX("dddd")
#define ID_CONTAINERD HEX("cccc")
#define ID_PODMAN HEX("9999")
#define ID_NERDCTL HEX("aaaa")
#define ID_ROOTLESS HEX("8888")
#define ID_K3S HEX("6666")
#define ID_DOCKER_POD HEX("2424")

static const struct identity_cfg host = {.host_root = "tests/fixtures/runtimes", .node = "node-7"};

struct expected {
	const char *id, *cgroup;
	struct {
		enum identity_field field;
		const char *value;
	} want[8];
};

static void expect(const struct expected *e)
{
	struct identity *id = identity_new((struct proc_key){.tgid = 1});
	const char *got;

	assert_non_null(id);
	if (e->id)
		identity_set(id, ID_CONTAINER_ID, e->id, strlen(e->id));
	if (e->cgroup)
		identity_set(id, ID_CGROUP, e->cgroup, strlen(e->cgroup));
	assert_int_equal(identity_runtime.fill(id, &host), 0);
	for (size_t i = 0; i < 8 && e->want[i].field; i++) {
		got = id->v[e->want[i].field].p;
		if (!e->want[i].value ? got != NULL : !got || strcmp(got, e->want[i].value))
			fail_msg("%s%s: %s is %s, not %s", e->id ? e->id : "",
				 e->cgroup ? e->cgroup : "", identity_fields[e->want[i].field].name,
				 got, e->want[i].value);
	}
	identity_unref(id);
}

static void test_docker(void **state)
{
	static const struct expected e = {ID_DOCKER,
					  "/docker/x",
					  {{ID_CONTAINER_NAME, "web"},
					   {ID_CONTAINER_IMAGE, "nginx:1.25"},
					   {ID_CONTAINER_RUNTIME, "docker"},
					   {ID_K8S_NODE, NULL},
					   {ID_K8S_POD, NULL}}};

	(void)state;
	expect(&e);
}

static void test_containerd(void **state)
{
	static const struct expected pod = {
		ID_CONTAINERD,
		NULL,
		{{ID_CONTAINER_NAME, "api"},
		 {ID_CONTAINER_IMAGE, "registry.example/shop/api:7"},
		 {ID_CONTAINER_RUNTIME, "containerd"},
		 {ID_K8S_CONTAINER, "api"},
		 {ID_K8S_POD, "api-5d9c"},
		 {ID_K8S_NAMESPACE, "shop"},
		 {ID_K8S_POD_UID, "a3c4d5e6-1111-2222-3333-444455556666"},
		 {ID_K8S_NODE, "node-7"}}};
	static const struct expected nerdctl = {ID_NERDCTL,
						NULL,
						{{ID_CONTAINER_NAME, "box"},
						 {ID_CONTAINER_RUNTIME, "containerd"},
						 {ID_CONTAINER_IMAGE, NULL}}};

	(void)state;
	expect(&pod);
	expect(&nerdctl);
}

static void test_storage(void **state)
{
	static char crio_id[65];
	struct expected crio = {crio_id,
				NULL,
				{{ID_CONTAINER_NAME, "pay"},
				 {ID_CONTAINER_IMAGE, "quay.io/shop/pay:2"},
				 {ID_K8S_POD, "pay-0"},
				 {ID_K8S_NAMESPACE, "shop"},
				 {ID_K8S_POD_UID, "b3c4d5e6-1111-2222-3333-444455556666"}}};
	static const struct expected podman = {
		ID_PODMAN,
		NULL,
		{{ID_CONTAINER_NAME, "db"},
		 {ID_CONTAINER_IMAGE, "docker.io/library/postgres:16"},
		 {ID_K8S_POD, NULL}}};

	(void)state;
	snprintf(crio_id, sizeof(crio_id), "%063d1", 0);
	expect(&crio);
	expect(&podman);
}

/* A user's own containers are in that user's home, and not looked for elsewhere. */
static void test_rootless(void **state)
{
	static const struct expected rows[] = {
		{ID_ROOTLESS,
		 "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID_ROOTLESS
		 ".scope/container",
		 {{ID_CONTAINER_NAME, "pgadmin"},
		  {ID_CONTAINER_IMAGE, "docker.io/dpage/pgadmin4:8"},
		  {ID_K8S_POD, NULL}}},
		{ID_ROOTLESS,
		 "/user.slice/user-1001.slice/user@1001.service/x",
		 {{ID_CONTAINER_NAME, NULL}}},
		{ID_ROOTLESS, "/machine.slice/x", {{ID_CONTAINER_NAME, NULL}}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(&rows[i]);
}

static void test_kubernetes_elsewhere(void **state)
{
	static const struct expected rows[] = {
		{ID_K3S,
		 NULL,
		 {{ID_CONTAINER_NAME, "coredns"},
		  {ID_CONTAINER_RUNTIME, "containerd"},
		  {ID_CONTAINER_IMAGE, "docker.io/rancher/mirrored-coredns-coredns:1.11.3"},
		  {ID_K8S_POD, "coredns-7b98449c4-x2x6k"},
		  {ID_K8S_NAMESPACE, "kube-system"}}},
		{ID_DOCKER_POD,
		 NULL,
		 {{ID_CONTAINER_NAME, "k8s_web_web-0_shop_d3c4d5e6-1111-2222-3333-444455556666_0"},
		  {ID_CONTAINER_RUNTIME, "docker"},
		  {ID_K8S_CONTAINER, "web"},
		  {ID_K8S_POD, "web-0"},
		  {ID_K8S_NAMESPACE, "shop"},
		  {ID_K8S_POD_UID, "d3c4d5e6-1111-2222-3333-444455556666"}}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(&rows[i]);
}

/* By the control group, in either version, also from a group that the container made below its own. */
static void test_runc(void **state)
{
	static const struct expected rows[] = {
		{NULL,
		 "/shop-1",
		 {{ID_CONTAINER_ID, "shop-1"},
		  {ID_CONTAINER_NAME, "shop-1"},
		  {ID_CONTAINER_IMAGE, "registry.example/shop:3"},
		  {ID_CONTAINER_RUNTIME, "runc"}}},
		{NULL, "/shop-1/inner", {{ID_CONTAINER_ID, "shop-1"}}},
		{NULL, "/apps/two", {{ID_CONTAINER_ID, "shop-2"}, {ID_CONTAINER_IMAGE, NULL}}},
		{NULL, "/shop-10", {{ID_CONTAINER_ID, NULL}}},
		{NULL, "/two", {{ID_CONTAINER_ID, NULL}}},
		{NULL, "/", {{ID_CONTAINER_ID, NULL}}},
		{NULL, NULL, {{ID_CONTAINER_ID, NULL}}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(&rows[i]);
}

static void expect_labels(const char *container, enum identity_field f, const char *want)
{
	static const struct identity_cfg with = {.host_root = "tests/fixtures/runtimes",
						 .labels = true};
	struct identity *id = identity_new((struct proc_key){.tgid = 1});
	struct str list, label;
	struct buf b = {0};

	assert_non_null(id);
	identity_set(id, ID_CONTAINER_ID, container, strlen(container));
	assert_int_equal(identity_runtime.fill(id, &with), 0);
	for (list = id->v[f]; identity_next(&list, &label); buf_putc(&b, '\n'))
		buf_put(&b, label.p, label.n);
	buf_putc(&b, '\0');
	assert_string_equal(b.p, want);
	buf_free(&b);
	identity_unref(id);
}

static void test_labels(void **state)
{
	char crio[65];

	(void)state;
	snprintf(crio, sizeof(crio), "%063d1", 0);
	expect_labels(ID_DOCKER, ID_CONTAINER_LABELS, "maintainer=NGINX Docker Maintainers\n");
	expect_labels(ID_DOCKER, ID_POD_LABELS, "");
	expect_labels(ID_DOCKER_POD, ID_POD_LABELS, "app=web\n");
	expect_labels(
		ID_NERDCTL, ID_CONTAINER_LABELS,
		"nerdctl/name=box\nnerdctl/namespace=default\nnerdctl/platform=linux/amd64\n");
	expect_labels(crio, ID_CONTAINER_LABELS,
		      "io.kubernetes.container.name=pay\nio.kubernetes.pod.name=pay-0\n");
	expect_labels(crio, ID_POD_LABELS, "app.kubernetes.io/name=pay\ntier=back\n");
}

static void test_nothing_there(void **state)
{
	static const struct expected rows[] = {
		{HEX("1234"), "/docker/1", {{ID_CONTAINER_NAME, NULL}, {ID_CONTAINER_IMAGE, NULL}}},
		{"../../../../etc", "/x", {{ID_CONTAINER_NAME, NULL}}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_docker),	 cmocka_unit_test(test_containerd),
		cmocka_unit_test(test_storage),	 cmocka_unit_test(test_runc),
		cmocka_unit_test(test_rootless), cmocka_unit_test(test_kubernetes_elsewhere),
		cmocka_unit_test(test_labels),	 cmocka_unit_test(test_nothing_there),
	};

	return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
