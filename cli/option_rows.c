/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of options, and how each takes its value. A new option is a row here, and a setter where none of
 * those that stand fits.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/packet_filter.h"
#include "capture/source.h"
#include "cli/descriptors.h"
#include "cli/options.h"
#include "core/secrets.h"
#include "select/filter.h"
#include "writer/out_names.h"
#include "writer/writer.h"

#define BODY_BYTES_MAX (64ull << 20)
#define DURATION_MAX_S 1e9

/* Plain decimal; `*end` is the first character behind it. */
static bool number(const char *s, uint64_t *v, const char **end)
{
	*v = 0;
	for (*end = s; **end >= '0' && **end <= '9'; ++*end)
		if (__builtin_mul_overflow(*v, 10, v) ||
		    __builtin_add_overflow(*v, (uint64_t)(**end - '0'), v))
			return false;
	return *end > s;
}

static int set_flag(struct config *cfg, const struct option_row *row, const char *value,
		    struct why *why)
{
	(void)value, (void)why;
	*(bool *)((char *)cfg + row->at) = row->lo != 0;
	return 0;
}

static int set_mode(struct config *cfg, const struct option_row *row, const char *value,
		    struct why *why)
{
	(void)value, (void)why;
	cfg->mode = (enum mode)row->lo;
	return 0;
}

static int set_more(struct config *cfg, const struct option_row *row, const char *value,
		    struct why *why)
{
	(void)value, (void)why;
	++*(uint64_t *)((char *)cfg + row->at);
	return 0;
}

/* See capture/source.h. */
static const char *const probe_kinds[] = {"session", "multi", "perf"};

#define PROBE_KINDS (sizeof(probe_kinds) / sizeof(probe_kinds[0]))

static size_t probe_kind(const char *word, size_t n)
{
	size_t i = 0;

	while (i < PROBE_KINDS &&
	       (strlen(probe_kinds[i]) != n || memcmp(probe_kinds[i], word, n) != 0))
		i++;
	return i;
}

static int set_probes(struct config *cfg, const struct option_row *row, const char *value,
		      struct why *why)
{
	const char *p = value;
	size_t n, kind;

	(void)row;
	for (;; p += n + 1) {
		n = strcspn(p, ",");
		kind = probe_kind(p, n);
		if (kind == PROBE_KINDS || !p[n])
			break;
	}
	if (kind == PROBE_KINDS)
		return option_refuse(why, "--probes takes session, multi or perf, not '%s'", value);
	cfg->probes = value;
	return 0;
}

static int set_backend(struct config *cfg, const struct option_row *row, const char *value,
		       struct why *why)
{
	static const char *const backends[] = {"auto", "tracepoint", "kprobe", "sys_enter"};

	(void)row;
	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		if (strcmp(value, backends[i]) == 0) {
			cfg->backend = value;
			return 0;
		}
	}
	return option_refuse(why, "--backend is auto, tracepoint, kprobe or sys_enter, not '%s'",
			     value);
}

static int set_plain(struct config *cfg, const struct option_row *row, const char *value,
		     struct why *why)
{
	(void)value, (void)why;
	cfg->plain_given = true;
	cfg->plain = row->lo != 0;
	return 0;
}

static int set_given(struct config *cfg, const struct option_row *row, const char *value,
		     struct why *why)
{
	const char *reason = "no memory";
	int err = given_parse(&cfg->given, value, &reason);

	(void)row;
	if (err == -ENOSPC)
		return option_refuse(why, "more than %d --probe", GIVEN_MAX);
	return err ? option_refuse(why, "--probe '%.100s': %s", value, reason) : 0;
}

static int set_debug_file(struct config *cfg, const struct option_row *row, const char *value,
			  struct why *why)
{
	struct given *g = &cfg->given;

	(void)row;
	if (g->debug_file_count == DEBUG_FILES_MAX)
		return option_refuse(why, "more than %d --debug-file", DEBUG_FILES_MAX);
	if (access(value, R_OK))
		return option_refuse(why, "--debug-file %.100s: %s", value, strerror(errno));
	g->debug_files[g->debug_file_count++] = value;
	return 0;
}

static int set_sites(struct config *cfg, const struct option_row *row, const char *value,
		     struct why *why)
{
	(void)row;
	cfg->plain_sites = !strcmp(value, "entry");
	if (!cfg->plain_sites && strcmp(value, "cheap"))
		return option_refuse(why, "--sites is cheap or entry, not '%s'", value);
	return 0;
}

/* A count of things or, with a K or M behind it, of bytes. */
static int set_number(struct config *cfg, const struct option_row *row, const char *value,
		      struct why *why)
{
	const char *end;
	uint64_t v;
	bool ok = number(value, &v, &end);

	if (ok && (*end == 'k' || *end == 'K'))
		ok = !__builtin_mul_overflow(v, 1u << 10, &v) && *++end == '\0';
	else if (ok && (*end == 'm' || *end == 'M'))
		ok = !__builtin_mul_overflow(v, 1u << 20, &v) && *++end == '\0';
	if (!ok || *end || v < row->lo || v > row->hi)
		return option_refuse(why, "--%s takes a number from %llu to %llu, not '%s'",
				     row->name, (unsigned long long)row->lo,
				     (unsigned long long)row->hi, value);
	*(uint64_t *)((char *)cfg + row->at) = v;
	return 0;
}

static int set_ring(struct config *cfg, const struct option_row *row, const char *value,
		    struct why *why)
{
	int err = set_number(cfg, row, value, why);

	if (!err && (cfg->ring_mb & (cfg->ring_mb - 1)))
		return option_refuse(why, "--ring-mb takes a power of two, not '%s'", value);
	return err;
}

static int set_body(struct config *cfg, const struct option_row *row, const char *value,
		    struct why *why)
{
	cfg->body_given = true;
	return set_number(cfg, row, value, why);
}

static int set_count(struct config *cfg, const struct option_row *row, const char *value,
		     struct why *why)
{
	cfg->count_given = true;
	return set_number(cfg, row, value, why);
}

static int set_filter(struct config *cfg, const struct option_row *row, const char *value,
		      struct why *why)
{
	struct filter_error at;
	int err;

	(void)row;
	filter_free(cfg->filter);
	cfg->filter = NULL;
	err = filter_compile(&cfg->filter, value, &at);
	if (err == -EINVAL)
		return option_refuse(why, "--filter, column %zu: %s", at.column, at.text);
	return err ? option_refuse(why, "no memory") : 0;
}

static int set_packet_filter(struct config *cfg, const struct option_row *row, const char *value,
			     struct why *why)
{
	struct packet_filter *f;
	char reason[128];
	int err = packet_filter_compile(&f, value, LINKTYPE_ETHERNET, reason, sizeof(reason));

	(void)row;
	if (err == -EINVAL)
		return option_refuse(why, "--packet-filter '%.100s': %s", value, reason);
	if (err)
		return option_refuse(why, "no memory");
	packet_filter_free(f);
	cfg->packet_filter = value;
	return 0;
}

/* row->lo is how many of the field's unit one of what was given is. */
static int set_rotation(struct config *cfg, const struct option_row *row, const char *value,
			struct why *why)
{
	const char *end;
	uint64_t v;

	if (!number(value, &v, &end) || *end || !v || v > row->hi)
		return option_refuse(why, "-%c takes a number from 1 to %llu, not '%s'",
				     row->letter, (unsigned long long)row->hi, value);
	*(uint64_t *)((char *)cfg + row->at) = v * row->lo;
	return 0;
}

static int set_keep(struct config *cfg, const struct option_row *row, const char *value,
		    struct why *why)
{
	uint64_t v;
	const char *end;

	if (!number(value, &v, &end) || *end || !v || v > OUT_FILES_MAX)
		return option_refuse(why, "-%c takes a number from 1 to %u, not '%s'", row->letter,
				     OUT_FILES_MAX, value);
	cfg->rotation.files = (uint32_t)v;
	return 0;
}

static int set_redact(struct config *cfg, const struct option_row *row, const char *value,
		      struct why *why)
{
	int err = secret_rules_add(&cfg->secrets, value);

	(void)row;
	if (err == -ENOSPC)
		return option_refuse(why, "more than %d --redact", SECRET_RULES_MAX);
	return err ? option_refuse(why, "--redact takes header:NAME, param:NAME or NAME, not '%s'",
				   value)
		   : 0;
}

static int set_events(struct config *cfg, const struct option_row *row, const char *value,
		      struct why *why)
{
	(void)row;
	cfg->process_events = !strcmp(value, "process");
	return cfg->process_events
		       ? 0
		       : option_refuse(why, "--events takes 'process', not '%s'", value);
}

static int set_resource(struct config *cfg, const struct option_row *row, const char *value,
			struct why *why)
{
	int err = resources_add(&cfg->resources, value, strlen(value), false);

	(void)row;
	if (err == -ENOSPC)
		return option_refuse(why, "more than %d resource attributes", RESOURCES_MAX);
	return err ? option_refuse(why,
				   "--resource takes NAME=VALUE with a name of its own, not '%s'",
				   value)
		   : 0;
}

static int set_sample(struct config *cfg, const struct option_row *row, const char *value,
		      struct why *why)
{
	const char *end;

	(void)row;
	if (strncmp(value, "1/", 2) || !number(value + 2, &cfg->sample, &end) || *end ||
	    !cfg->sample)
		return option_refuse(why, "--sample takes a share such as 1/10, not '%s'", value);
	return 0;
}

/* row->lo is the kind. */
static int set_watch(struct config *cfg, const struct option_row *row, const char *value,
		     struct why *why)
{
	struct watch_rule rule = {.kind = (enum watch_kind)row->lo, .value = value};
	const struct passwd *user;
	const char *end;
	uint64_t uid;

	if (!*value)
		return option_refuse(why, "--%s needs a value: %s", row->name, row->arg);
	if (cfg->watch_count == WATCH_RULES_MAX)
		return option_refuse(why, "more than %d processes to watch for", WATCH_RULES_MAX);
	if (rule.kind == WATCH_UID) {
		user = getpwnam(value);
		if (!user && (!number(value, &uid, &end) || *end || uid >= UINT32_MAX))
			return option_refuse(why, "--uid: there is no user '%s'", value);
		rule.uid = user ? user->pw_uid : (uint32_t)uid;
	}
	cfg->watch[cfg->watch_count++] = rule;
	return 0;
}

static int set_all(struct config *cfg, const struct option_row *row, const char *value,
		   struct why *why)
{
	cfg->all = true;
	return set_watch(cfg, row, value ? value : "everything", why);
}

static int set_host_root(struct config *cfg, const struct option_row *row, const char *value,
			 struct why *why)
{
	(void)row;
	if (*value != '/')
		return option_refuse(why, "--host-root takes an absolute path, not '%s'", value);
	cfg->host_root = value;
	return 0;
}

static int set_summary(struct config *cfg, const struct option_row *row, const char *value,
		       struct why *why)
{
	const char *end;
	uint64_t s;

	(void)row;
	if (!number(value, &s, &end) || *end || s > (uint64_t)DURATION_MAX_S)
		return option_refuse(why, "--summary takes seconds, or 0 for the end, not '%s'",
				     value);
	cfg->summary = true;
	cfg->summary_ns = s * 1000000000u;
	return 0;
}

static int set_duration(struct config *cfg, const struct option_row *row, const char *value,
			struct why *why)
{
	char *end;
	double s;

	(void)row;
	s = strtod(value, &end);
	if (end == value || *end || !isfinite(s) || s <= 0 || s > DURATION_MAX_S)
		return option_refuse(why, "--duration takes seconds (such as 2.5), not '%s'",
				     value);
	cfg->duration_ns = (uint64_t)(s * 1e9);
	return 0;
}

static int add_pid(struct config *cfg, uint64_t pid, struct why *why)
{
	uint32_t *grown;

	for (size_t i = 0; i < cfg->pid_count; i++)
		if (cfg->pids[i] == pid)
			return 0;
	if (cfg->pid_count == CONFIG_PIDS_MAX)
		return option_refuse(why, "more than %d processes named", CONFIG_PIDS_MAX);
	grown = reallocarray(cfg->pids, cfg->pid_count + 1, sizeof(*grown));
	if (!grown)
		return option_refuse(why, "no memory");
	cfg->pids = grown;
	cfg->pids[cfg->pid_count++] = (uint32_t)pid;
	return 0;
}

static int set_pids(struct config *cfg, const struct option_row *row, const char *value,
		    struct why *why)
{
	const char *p = value;
	uint64_t pid;
	int err;

	(void)row;
	for (;; p++) {
		if (!number(p, &pid, &p) || pid == 0 || pid > INT_MAX || (*p && *p != ','))
			return option_refuse(
				why, "-p takes process ids (such as 4711,4712), not '%s'", value);
		err = add_pid(cfg, pid, why);
		if (err || !*p)
			return err;
	}
}

/* The row of a format, as -o names it; NULL when there is none. Static. */
static const char *format_name(const char *spec, size_t n)
{
	if (n == sizeof(FORMAT_RAW) - 1 && !memcmp(spec, FORMAT_RAW, n))
		return FORMAT_RAW;
	for (size_t i = 0; writer_rows[i]; i++)
		if (strlen(writer_rows[i]->name) == n && !memcmp(spec, writer_rows[i]->name, n))
			return writer_rows[i]->name;
	return NULL;
}

static int add_output(struct config *cfg, const char *label, const char *format, const char *path,
		      struct why *why)
{
	for (size_t i = 0; i < cfg->output_count; i++)
		if (!strcmp(cfg->outputs[i].path, path))
			return option_refuse(
				why, "two outputs on %s: give one of them a file of its own",
				strcmp(path, "-") ? path : "standard output");
	if (cfg->output_count == CONFIG_OUTPUTS_MAX)
		return option_refuse(why, "more than %d outputs", CONFIG_OUTPUTS_MAX);
	cfg->outputs[cfg->output_count++] = (struct output){label, format, path};
	return 0;
}

static int set_output(struct config *cfg, const struct option_row *row, const char *value,
		      struct why *why)
{
	size_t n = strcspn(value, ":");
	const char *format = format_name(value, n);
	const char *path = value[n] ? value + n + 1 : "-";

	(void)row;
	if (!format)
		return option_refuse(why,
				     "-o '%s': the formats are text, json, otlp-json, pcapng, "
				     "summary, summary-json "
				     "and raw",
				     value);
	if (!*path)
		return option_refuse(why, "-o '%s': the file name is empty", value);
	return add_output(cfg, value, format, path, why);
}

static int set_write(struct config *cfg, const struct option_row *row, const char *value,
		     struct why *why)
{
	(void)row;
	if (!*value)
		return option_refuse(why, "-w: the file name is empty");
	return add_output(cfg, value, "pcapng", value, why);
}

static int set_body_types(struct config *cfg, const struct option_row *row, const char *value,
			  struct why *why)
{
	(void)row;
	if (!*value)
		return option_refuse(why, "--body-types takes media types, not '%s'", value);
	cfg->body_types = value;
	return 0;
}

static int set_protos(struct config *cfg, const struct option_row *row, const char *value,
		      struct why *why)
{
	int err;

	(void)row;
	pb_types_free(cfg->protos);
	err = descriptors_read(&cfg->protos, value);
	if (err == -EBADMSG)
		return option_refuse(why, "%.100s is no output of protoc --descriptor_set_out",
				     value);
	return err ? option_refuse(why, "--proto-descriptors %.100s: %s", value, strerror(-err))
		   : 0;
}

static int set_framing(struct config *cfg, const struct option_row *row, const char *value,
		       struct why *why)
{
	(void)row;
	cfg->tcp_framing = !strcmp(value, "tcp");
	if (!cfg->tcp_framing && strcmp(value, "null"))
		return option_refuse(why, "--pcap-framing is null or tcp, not '%s'", value);
	return 0;
}

static int set_color(struct config *cfg, const struct option_row *row, const char *value,
		     struct why *why)
{
	static const char *const names[] = {"auto", "always", "never"}; /* enum color_mode */

	(void)row;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(value, names[i])) {
			cfg->color = (enum color_mode)i;
			return 0;
		}
	return option_refuse(why, "--color is auto, always or never, not '%s'", value);
}

static int set_ready_fd(struct config *cfg, const struct option_row *row, const char *value,
			struct why *why)
{
	const char *end;
	uint64_t fd;

	(void)row;
	if (!number(value, &fd, &end) || *end || fd > INT_MAX)
		return option_refuse(why, "--ready-fd takes a file descriptor, not '%s'", value);
	/* The command must not hold the other end's end-of-file back. */
	if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		return option_refuse(why, "--ready-fd %s: this descriptor is not open", value);
	cfg->ready_fd = (int)fd;
	return 0;
}

#define AT(field) offsetof(struct config, field)
#define LIVE MODE_TRACE
#define RUNS (MODE_TRACE | MODE_REPLAY)
#define ANY (RUNS | MODE_DOCTOR)

const struct option_row option_rows[] = {
	{'p', "pid", "PID[,PID...]", LIVE | MODE_DOCTOR, "trace these processes; repeatable",
	 set_pids, 0, 0, 0},
	{'f', "follow", NULL, LIVE, "trace their children too", set_flag, AT(follow), 1, 0},
	{0, "container", "NAME|ID", LIVE, "trace a container, also when it starts later", set_watch,
	 0, WATCH_CONTAINER, 0},
	{0, "pod", "[NS/]NAME", LIVE, "trace a Kubernetes pod", set_watch, 0, WATCH_POD, 0},
	{0, "cgroup", "PATH", LIVE, "trace a control group and what is below it", set_watch, 0,
	 WATCH_CGROUP, 0},
	{0, "uid", "USER", LIVE, "trace the processes of a user, by name or number", set_watch, 0,
	 WATCH_UID, 0},
	{0, "host-root", "DIR", LIVE, "where the host's file system is, in a container",
	 set_host_root, 0, 0, 0},
	{0, "no-descendants", NULL, LIVE,
	 "with -- CMD: only the command itself (it may then use ptrace)", set_flag,
	 AT(no_descendants), 1, 0},
	{0, "comm", "NAME", LIVE, "trace every process of this name, also when it starts later",
	 set_watch, 0, WATCH_COMM, 0},
	{0, "exe", "PATH", LIVE, "the same by executable", set_watch, 0, WATCH_EXE, 0},
	{0, "all", NULL, LIVE | MODE_DOCTOR, "every process that has a TLS library", set_all, 0,
	 WATCH_ALL, 0},
	{'o', "output", "FORMAT[:FILE]", ANY,
	 "text, json, otlp-json, pcapng, summary or raw, to FILE or stdout; repeatable", set_output,
	 0, 0, 0},
	{'w', "write", "FILE", RUNS, "short for -o pcapng:FILE", set_write, 0, 0, 0},
	{'C', "file-size", "MB", RUNS, "go on in a next file after so many million bytes",
	 set_rotation, AT(rotation.max_bytes), 1000000, 1000000000},
	{'G', "file-time", "SEC", RUNS, "go on in a next file every so many seconds", set_rotation,
	 AT(rotation.period_ns), 1000000000, 1000000000},
	{'W', "file-count", "FILES", RUNS, "with -C or -G: keep the newest files only", set_keep, 0,
	 0, 0},
	{0, "duration", "SEC", LIVE, "stop after so many seconds", set_duration, 0, 0, 0},
	{0, "count", "N", RUNS, "stop after so many transactions", set_count, AT(count), 1,
	 UINT64_MAX},
	{0, "body", "BYTES", RUNS, "keep so much of each body (0; 4096 with -vv)", set_body,
	 AT(body_bytes), 0, BODY_BYTES_MAX},
	{0, "body-types", "TYPE,...", RUNS, "only bodies of these media types: 'text/*,*json'",
	 set_body_types, 0, 0, 0},
	{0, "proto-descriptors", "FILE", RUNS,
	 "names for gRPC messages, from protoc --descriptor_set_out", set_protos, 0, 0, 0},
	{0, "filter", "EXPR", RUNS, "transactions that fit, such as 'event.duration > 100ms'",
	 set_filter, 0, 0, 0},
	{0, "early", NULL, RUNS, "show a request when it begins, too", set_flag, AT(early), 1, 0},
	{0, "rpc-messages", NULL, RUNS, "show each message of a gRPC call as it comes, too",
	 set_flag, AT(rpc_messages), 1, 0},
	{0, "events", "process", RUNS, "show forks, execs and exits, too", set_events, 0, 0, 0},
	{0, "ancestors", NULL, LIVE, "say whose child each process is, and so on up", set_flag,
	 AT(ancestors), 1, 0},
	{0, "labels", NULL, LIVE, "give the labels of containers and pods, too", set_flag,
	 AT(labels), 1, 0},
	{0, "sample", "1/N", RUNS, "one connection in so many", set_sample, 0, 0, 0},
	{0, "resource", "NAME=VALUE", RUNS, "json: a field for every object; repeatable",
	 set_resource, 0, 0, 0},
	{0, "summary", "SEC", RUNS, "who talks to whom: a table every SEC seconds; 0: at the end",
	 set_summary, 0, 0, 0},
	{0, "redact", "RULE", RUNS,
	 "mask also header:NAME, param:NAME (of URLs) or NAME (both); repeatable", set_redact, 0, 0,
	 0},
	{0, "no-redact", NULL, RUNS, "leave secrets in the output", set_flag, AT(no_redact), 1, 0},
	{0, "pcap-framing", "null|tcp", RUNS,
	 "pcapng: NULL-cipher TLS, which Wireshark reads by itself, or plain TCP", set_framing, 0,
	 0, 0},
	{0, "packet-filter", "EXPR", RUNS,
	 "pcapng, and replay of packets: only what fits, as in tcpdump", set_packet_filter, 0, 0,
	 0},
	{0, "ring-mb", "N", LIVE, "ring buffer, a power of two (16)", set_ring, AT(ring_mb), 1,
	 1024},
	{0, "snap", "BYTES", LIVE, "copy at most so much of a call (1M)", set_number,
	 AT(snap_bytes), 0, 1u << 30},
	{0, "probes", "KIND[,KIND]", LIVE, "attach only so: session, multi or perf", set_probes, 0,
	 0, 0},
	{0, "backend", "NAME", LIVE, "see sockets so: auto, tracepoint, kprobe or sys_enter",
	 set_backend, 0, 0, 0},
	{0, "plain", NULL, LIVE,
	 "sockets without TLS, too: the default with -p, --container, -- CMD", set_plain, 0, 1, 0},
	{0, "no-plain", NULL, LIVE, "only what goes through TLS", set_plain, 0, 0, 0},
	{0, "probe", "SPEC", LIVE | MODE_DOCTOR,
	 "also a function: 'write:PATH:NAME(ctx=1,buf=2,len=3)->len'", set_given, 0, 0, 0},
	{0, "debug-file", "FILE", LIVE | MODE_DOCTOR,
	 "symbols of a stripped file with the same build-id; repeatable", set_debug_file, 0, 0, 0},
	{0, "sites", "cheap|entry", LIVE,
	 "breakpoints where they cost least (cheap), or at first instructions only", set_sites, 0,
	 0, 0},
	{0, "no-return-probes", NULL, LIVE,
	 "see returns by breakpoints only: for programs with coroutines", set_flag,
	 AT(no_return_probes), 1, 0},
	{'v', "verbose", NULL, RUNS, "text: headers; -vv bodies; -vvv debug messages too", set_more,
	 AT(verbose), 0, 0},
	{'q', "quiet", NULL, ANY, "only errors and warnings on standard error", set_flag, AT(quiet),
	 1, 0},
	{0, "color", "auto|always|never", RUNS, "colours in text (auto: on a terminal)", set_color,
	 0, 0, 0},
	{0, "ready-fd", "N", LIVE, "write a byte to this descriptor when every probe is in place",
	 set_ready_fd, 0, 0, 0},
	{'h', "help", NULL, ANY, "this text", set_mode, 0, MODE_HELP, 0},
	{'V', "version", NULL, ANY, "the version", set_mode, 0, MODE_VERSION, 0},
	{0, NULL, NULL, 0, NULL, NULL, 0, 0, 0},
};

_Static_assert(sizeof(option_rows) / sizeof(option_rows[0]) - 1 <= OPTIONS_MAX, "rows");
