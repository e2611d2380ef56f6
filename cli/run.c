/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "capture/elf.h"
#include "capture/source.h"
#include "cli/command.h"
#include "cli/host.h"
#include "cli/outputs.h"
#include "cli/settings.h"
#include "cli/signals.h"
#include "cli/status.h"
#include "cli/summary.h"
#include "core/log.h"
#include "flow/flow.h"
#include "select/filter.h"
#include "select/filter_ends.h"
#include "select/select.h"

#define WAIT_MS 50	   /* at most, so that signals and limits are seen in time */
#define READER_MS 10	   /* the same while an output waits for its reader */
#define FLUSH_RECORDS 1024 /* at a busy source; an idle one flushes at once */
#define DESCRIPTION_BYTES 512

struct run {
	const struct config *cfg;
	const struct source_ops *ops;
	void *source;
	struct outputs outputs;
	struct settings settings;
	struct status *status; /* NULL: none */
	struct selector *select;
	struct flow *flow;
	uint64_t deadline_ns; /* CLOCK_MONOTONIC, 0: none */
	unsigned int unflushed;
	bool may_copy_less; /* what does not fit the filter need not be copied */
	bool stopping;
	int err; /* the first */
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void fail(struct run *r, int err)
{
	if (err < 0 && !r->err)
		r->err = err;
}

/* A file named by hand that is there but no ELF file is a mistake; one that is not may be in a container. */
static int check_named(const char *path)
{
	struct elf_file *e = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;

	if (fd < 0)
		return 0;
	err = elf_open(&e, fd);
	if (err == -ENOEXEC)
		log_error("%s is not an ELF file of this machine", path);
	elf_close(e);
	close(fd);
	return err == -ENOEXEC ? -ENOEXEC : 0;
}

static int check_given(const struct given *g)
{
	int err = 0;

	for (size_t i = 0; i < g->count && !err; i++)
		err = check_named(g->v[i].path);
	for (size_t i = 0; i < g->debug_file_count && !err; i++)
		err = check_named(g->debug_files[i]);
	return err;
}

/*
 * Sockets without TLS are of use where somebody named what is to be seen; of all processes of a machine, a name
 * or a user they would be very many.
 */
static bool wants_plain(const struct config *cfg)
{
	if (cfg->plain_given)
		return cfg->plain;
	for (size_t i = 0; i < cfg->watch_count; i++)
		if (cfg->watch[i].kind != WATCH_CONTAINER && cfg->watch[i].kind != WATCH_POD)
			return false;
	return true;
}

/* Packets and recordings hold what the filter leaves out, too. */
static bool may_copy_less(const struct run *r)
{
	return r->cfg->filter && !r->outputs.recording && !fanout_wants_chunks(r->outputs.fanout);
}

static int open_source(struct run *r)
{
	const struct config *cfg = r->cfg;
	struct ends_wanted ends;
	struct source_cfg scfg = {
		.pids = cfg->pids,
		.pid_count = cfg->pid_count,
		.follow = cfg->follow,
		.watch = cfg->watch,
		.watch_count = cfg->watch_count,
		.identity = {.host_root = cfg->host_root,
			     .node = getenv("NODE_NAME"),
			     .ancestors = cfg->ancestors,
			     .labels = cfg->labels},
		.command = cfg->command,
		.command_tree = cfg->command && !cfg->no_descendants,
		.ring_mb = (unsigned int)cfg->ring_mb,
		.snap_bytes = (uint32_t)cfg->snap_bytes,
		.plain = wants_plain(cfg),
		.judge_streams = r->may_copy_less && filter_asks_protocol(cfg->filter),
		.ends = r->may_copy_less && filter_ends(cfg->filter, &ends) ? &ends : NULL,
		.probes = cfg->probes,
		.backend = cfg->backend,
		.plain_sites = cfg->plain_sites,
		.no_return_probes = cfg->no_return_probes,
		.given = &cfg->given,
		.path = cfg->replay_path,
		.packet_filter = cfg->packet_filter,
	};
	int err = 0;

	if (cfg->mode == MODE_TRACE && !host_pids()) {
		log_error("in a pid namespace of its own it cannot tell processes apart: run it in "
			  "the host's (docker run --pid=host)");
		return -EOPNOTSUPP;
	}
	if (cfg->mode == MODE_TRACE && check_given(&cfg->given))
		return -ENOEXEC;
	r->ops = &source_bpf;
	if (cfg->mode == MODE_REPLAY)
		err = source_of_file(&scfg, &r->ops);
	return err ? err : r->ops->open(&r->source, &scfg);
}

/* A socket of which nothing will be shown need not be copied from. What cannot be told costs time, no bytes. */
static void refuse_socket(void *arg, uint64_t sock, bool all)
{
	const struct run *r = arg;

	r->ops->refuse(r->source, sock, all);
}

/* By what the filter asks of the protocol. */
static bool is_wanted(void *arg, const struct proto_ops *row)
{
	struct filter *f = arg;

	for (const char *const *name = row->txn_names; name && *name; name++)
		if (filter_may_match_protocol(f, *name))
			return true;
	return !row->txn_names;
}

/* flow -> select -> writers, as the settings say. */
static int open_pipeline(struct run *r)
{
	struct select_cfg scfg = {
		.redact = !r->cfg->no_redact,
		.secrets = r->cfg->secrets,
		.bodies = {r->settings.body_bytes, r->cfg->body_types, r->cfg->protos},
		.filter = r->cfg->filter,
		.sample = r->cfg->sample,
		.count = r->settings.count};
	struct flow_cfg fcfg = {.limits = limits_default};

	fcfg.limits.body_bytes = r->settings.body_bytes;
	fcfg.limits.early = r->cfg->early;
	fcfg.limits.rpc_messages = r->cfg->rpc_messages;
	fcfg.limits.secrets = r->cfg->secrets;
	fcfg.process_events = r->cfg->process_events;
	if (r->ops->refuse) {
		fcfg.unwanted = refuse_socket;
		fcfg.unwanted_arg = r;
	}
	if (may_copy_less(r) && filter_asks_protocol(r->cfg->filter)) {
		fcfg.wants = is_wanted;
		fcfg.wants_arg = r->cfg->filter;
	}
	fcfg.chunks = fanout_wants_chunks(r->outputs.fanout);
	r->status = status_new(r->cfg);
	if (r->status)
		fanout_set_before(r->outputs.fanout, status_hide, r->status);
	r->select = select_new(&scfg, fanout_sink(r->outputs.fanout));
	if (r->select)
		r->flow = flow_new(&fcfg, select_sink(r->select));
	if (!r->flow) {
		log_error("no memory");
		return -ENOMEM;
	}
	return 0;
}

/* For scripts: the line on stderr, then the byte. */
static void announce(struct run *r)
{
	char what[DESCRIPTION_BYTES];
	ssize_t n;

	if (r->ops->describe(r->source, what, sizeof(what)) == 0)
		log_info("tracing %s", what);
	if (r->cfg->ready_fd >= 0) {
		do
			n = write(r->cfg->ready_fd, "\n", 1);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			log_warn("--ready-fd: %s", strerror(errno));
		close(r->cfg->ready_fd);
	}
	if (r->cfg->duration_ns)
		r->deadline_ns = now_ns() + r->cfg->duration_ns;
}

static void show_status(struct run *r)
{
	struct flow_stats st;

	if (!r->status || !status_due(r->status, now_ns()))
		return;
	flow_stats(r->flow, &st);
	status_show(r->status,
		    &(struct status_facts){.txns = select_txns(r->select),
					   .conns = st.conns,
					   .conns_live = st.conns_live,
					   .lost_bytes = st.gap_bytes,
					   .dropped = fanout_lost(r->outputs.fanout)},
		    now_ns());
}

/* After the first error of an output the others still get everything, so nothing returns early here. */
static void take(struct run *r, const struct ev_hdr *ev)
{
	if (r->outputs.recording)
		fail(r, recording_put(r->outputs.recording, ev));
	fail(r, flow_event(r->flow, ev));
	if (++r->unflushed == FLUSH_RECORDS) {
		fail(r, outputs_flush(&r->outputs));
		r->unflushed = 0;
		show_status(r);
	}
}

/* Waiting is the moment to let everything written so far be seen. */
static int wait_next(struct run *r, const struct ev_hdr **ev)
{
	int timeout_ms = WAIT_MS;

	fail(r, outputs_flush(&r->outputs));
	r->unflushed = 0;
	show_status(r);
	if (outputs_wait(&r->outputs))
		timeout_ms = READER_MS;
	if (r->deadline_ns && !r->stopping) {
		uint64_t now = now_ns();
		uint64_t left_ms = r->deadline_ns > now ? (r->deadline_ns - now) / 1000000 + 1 : 0;

		if (left_ms < (uint64_t)timeout_ms)
			timeout_ms = (int)left_ms;
	}
	return r->ops->next(r->source, ev, timeout_ms);
}

/*
 * The processes of -p may live on for ever, and so may what the command left in the background: with the
 * first, and when the terminal interrupted it, the run ends with the command itself.
 */
static bool command_over(const struct run *r)
{
	return r->cfg->command && (r->cfg->pid_count || signals_command_interrupted()) &&
	       r->ops->command_status(r->source) >= 0;
}

static bool must_stop(const struct run *r)
{
	return r->err || signals_stop_asked() || select_done(r->select) || command_over(r) ||
	       (r->deadline_ns && now_ns() >= r->deadline_ns);
}

/* Until the source is at its end. 0 or a negative errno of the source. */
static int pump(struct run *r)
{
	const struct ev_hdr *ev;
	int n;

	for (;;) {
		if (signals_reopen_asked())
			fail(r, outputs_reopen(&r->outputs));
		if (!r->stopping && must_stop(r)) {
			r->stopping = true;
			signals_stopping();
			n = r->ops->stop(r->source);
			if (n < 0)
				return n;
		}
		n = r->ops->next(r->source, &ev, 0);
		if (n == 0)
			n = wait_next(r, &ev);
		if (n == 1)
			take(r, ev);
		else if (n == -EPIPE)
			return 0;
		else if (n < 0 && n != -EINTR)
			return n;
	}
}

/* A recording says in its first record how the run was set up that made it. */
static int pump_replay(struct run *r)
{
	const struct ev_hdr *ev;
	int n, err;

	do
		n = r->ops->next(r->source, &ev, WAIT_MS);
	while ((n == 0 || n == -EINTR) && !signals_stop_asked());
	if (n == 1)
		settings_adopt(&r->settings, r->cfg, ev);
	err = open_pipeline(r);
	if (err)
		return err;
	if (n < 0 && n != -EINTR)
		return n == -EPIPE ? 0 : n;
	if (n == 1)
		take(r, ev);
	return pump(r);
}

static int pump_live(struct run *r)
{
	int err = open_pipeline(r);

	if (!err && r->outputs.recording)
		err = settings_record(&r->settings, r->outputs.recording);
	if (err)
		return err;
	announce(r);
	return pump(r);
}

static void summarise(struct run *r)
{
	struct summary_totals totals = {
		.txns = select_txns(r->select),
		.why = r->ops->why,
		.why_source = r->source,
		.interrupted = r->err != 0,
		.packets = r->ops->packets,
		.copied_less = r->may_copy_less,
	};

	if (r->ops->stats(r->source, &totals.source) < 0)
		totals.source = (struct source_stats){0};
	if (r->cfg->mode == MODE_TRACE)
		r->ops->report(r->source, stderr);
	summary_write(stderr, r->flow, &totals);
	fflush(stderr);
}

static int exit_status(const struct run *r)
{
	int status;

	if (r->err)
		return EXIT_FAILED;
	status = r->cfg->command ? r->ops->command_status(r->source) : -1;
	if (status < 0)
		return EXIT_DONE; /* it runs on */
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Why a source did not open was said by itself. */
static int open_failed(const struct config *cfg, int err)
{
	bool nothing = cfg->mode == MODE_TRACE && (err == -ENOENT || err == -ESRCH);

	return nothing ? EXIT_NOTHING : EXIT_FAILED;
}

int run(const struct config *cfg)
{
	struct run r = {.cfg = cfg, .settings = settings_of(cfg)};
	int status = cfg->command ? command_check(cfg->command[0]) : 0, err;

	if (status)
		return status;
	status = EXIT_FAILED;
	signals_install(cfg->command != NULL, cfg->mode == MODE_TRACE && outputs_files(cfg));
	if (outputs_open(&r.outputs, cfg))
		goto out;
	r.may_copy_less = may_copy_less(&r);
	err = open_source(&r);
	if (err) {
		status = open_failed(cfg, err);
		goto out;
	}
	fail(&r, cfg->mode == MODE_REPLAY ? pump_replay(&r) : pump_live(&r));
	if (r.flow)
		fail(&r, flow_finish(r.flow));
	status_hide(r.status);
	signals_finishing();
	fail(&r, outputs_close(&r.outputs));
	if (r.flow && !cfg->quiet)
		summarise(&r);
	status = exit_status(&r);
	r.ops->close(r.source);
out:
	flow_free(r.flow);
	select_free(r.select);
	outputs_close(&r.outputs);
	status_free(r.status);
	txn_pool_drain();
	return status;
}
