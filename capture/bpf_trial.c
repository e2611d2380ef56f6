/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A function of ours stands for one that makes a TLS context: when its entry and its return were seen, the
 * context it "made" is in the table. Nothing of it reaches the ring.
 */
#include "capture/bpf_trial.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "bpf/cookie.h"
#include "core/log.h"

#define TRIAL_CONTEXT 0x7461736b6f6e65ull

static __attribute__((noinline, noclone)) uint64_t trial_target(volatile uint64_t *what)
{
	return *what;
}

static void *trial_thread(void *arg)
{
	trial_target(arg);
	return NULL;
}

/* Where in its file a function of this process is. */
static int own_file_offset(uintptr_t address, uint64_t *offset)
{
	FILE *f = fopen("/proc/self/maps", "re");
	uint64_t from, to, at;
	char line[512];
	int err = -ENOENT;

	if (!f)
		return -errno;
	while (err && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %" SCNx64, &from, &to, &at) != 3)
			continue;
		if (address < from || address >= to)
			continue;
		*offset = address - from + at;
		err = 0;
	}
	fclose(f);
	return err;
}

static int call_from_thread(void)
{
	volatile uint64_t what = TRIAL_CONTEXT;
	pthread_t t;
	int err = pthread_create(&t, NULL, trial_thread, (void *)(uintptr_t)&what);

	if (err)
		return -err;
	return -pthread_join(t, NULL);
}

static void take_context(void *arg, const struct conn_key *key, const struct conn_state *conn)
{
	(void)conn;
	*(uint64_t *)arg = key->ctx;
}

static int trial_run(struct bpf_side *b, uint32_t pid, uint64_t epoch)
{
	char path[] = "/proc/self/exe";
	struct site site = {.cookie = COOKIE(0, 0, FN_NEW, LEN_RET, 0, 0, 0, 0),
			    .role = SITE_SESSION};
	struct tls_file file = {
		.open_path = path, .shown_path = path, .sites = &site, .site_count = 1};
	struct attacher *a = attacher_new(bpf_progs(b));
	const char *what = "";
	uint64_t made = 0;
	int err;

	if (!a)
		return -ENOMEM;
	err = own_file_offset((uintptr_t)trial_target, &site.offset);
	if (err)
		goto out;
	err = attacher_add(a, &file, &(struct attach_for){.pid = pid}, &what);
	if (err < 0) {
		log_debug("trial of %s probes: %s: error %d", attach_kind_name(bpf_progs(b)->kind),
			  what, -err);
		goto out;
	}
	err = call_from_thread();
	if (err)
		goto out;
	bpf_conns_take(b, pid, epoch, take_context, &made);
	if (made != TRIAL_CONTEXT)
		err = -ENXIO;
out:
	attacher_free(a);
	return err;
}

int bpf_trial(struct bpf_side *b)
{
	uint32_t pid = (uint32_t)getpid();
	struct proc_state p = {.epoch = 1};
	int err = bpf_proc_put(b, pid, &p);

	if (err)
		return err;
	err = trial_run(b, pid, p.epoch);
	bpf_proc_delete(b, pid);
	return err;
}
