/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: what it accepts, what it refuses and in which words; --help and the manual agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"

#define ARGS_MAX 32

struct given_line {
	struct config cfg;
	struct why why;
	char line[512];
	char *argv[ARGS_MAX];
	int argc;
};

/* Splits at blanks, as nothing here needs quoting. */
static int parse_on(struct given_line *g, const char *line, bool tty)
{
	char *save, *word;

	g->why.text[0] = '\0';
	snprintf(g->line, sizeof(g->line), "tlslens %s", line);
	g->argc = 0;
	for (word = strtok_r(g->line, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(g->argc < ARGS_MAX - 1);
		g->argv[g->argc++] = word;
	}
	g->argv[g->argc] = NULL;
	return options_parse(&g->cfg, g->argc, g->argv, tty, &g->why);
}

static void accept_line(struct given_line *g, const char *line)
{
	if (parse_on(g, line, false))
		fail_msg("'%s' refused: %s", line, g->why.text);
}

static void refuse_line(const char *line, const char *reason)
{
	struct given_line g;
	int err = parse_on(&g, line, false);

	config_free(&g.cfg);
	if (!err)
		fail_msg("'%s' accepted", line);
	assert_int_equal(err, -EINVAL);
	if (!strstr(g.why.text, reason))
		fail_msg("'%s': said '%s', not '%s'", line, g.why.text, reason);
	assert_null(strchr(g.why.text, '\n'));
}

static void test_defaults(void **state)
{
	struct given_line g;

	(void)state;
	accept_line(&g, "-p 1");
	assert_int_equal(g.cfg.mode, MODE_TRACE);
	assert_int_equal(g.cfg.ring_mb, 16);
	assert_int_equal(g.cfg.snap_bytes, 1 << 20);
	assert_int_equal(g.cfg.body_bytes, 0);
	assert_int_equal(g.cfg.ready_fd, -1);
	assert_false(g.cfg.no_redact);
	assert_false(g.cfg.tcp_framing);
	assert_false(g.cfg.follow);
	assert_null(g.cfg.command);
	assert_int_equal(g.cfg.output_count, 1);
	assert_string_equal(g.cfg.outputs[0].format, "json");
	assert_string_equal(g.cfg.outputs[0].path, "-");
	config_free(&g.cfg);
	assert_int_equal(parse_on(&g, "-p 1", true), 0);
	assert_string_equal(g.cfg.outputs[0].format, "text");
	config_free(&g.cfg);
}

static void test_pids(void **state)
{
	struct given_line g;

	(void)state;
	accept_line(&g, "-p 10,20 --pid=30 -p40 --pid 10");
	assert_int_equal(g.cfg.pid_count, 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(g.cfg.pids[i], (i + 1) * 10);
	config_free(&g.cfg);
	refuse_line("-p 0", "process ids");
	refuse_line("-p 1,", "process ids");
	refuse_line("-p ,1", "process ids");
	refuse_line("-p 1,,2", "process ids");
	refuse_line("-p 12x", "process ids");
	refuse_line("-p -3", "process ids");
	refuse_line("-p 2147483648", "process ids");
	refuse_line("-p 99999999999999999999999", "process ids");
	refuse_line("-p", "needs a value");
	refuse_line("--pid", "needs a value");
}

static void test_command(void **state)
{
	struct given_line g;

	(void)state;
	accept_line(&g, "-q --no-descendants -- curl -p 5 --bogus -- x");
	assert_string_equal(g.cfg.command[0], "curl");
	assert_string_equal(g.cfg.command[4], "--");
	assert_string_equal(g.cfg.command[5], "x");
	assert_null(g.cfg.command[6]);
	assert_true(g.cfg.no_descendants);
	assert_int_equal(g.cfg.pid_count, 0);
	config_free(&g.cfg);
	refuse_line("--", "no command");
	refuse_line("curl http://x", "comes after --");
	refuse_line("-p 1 --no-descendants", "goes with -- COMMAND");
	refuse_line("", "nothing to trace");
	refuse_line("-f", "nothing to trace");
	refuse_line("--container x -- true", "a command does not go with");
	refuse_line("--container= ", "needs a value");
	refuse_line("--uid no-such-user", "there is no user");
	refuse_line("--uid root --host-root here", "absolute path");
	refuse_line("-p 1 --summary 5 -o json", "-o summary");
	refuse_line("-p 1 --summary x", "takes seconds");
	refuse_line("-p 1 --sample 2/3", "1/10");
	refuse_line("-p 1 --sample 1/0", "1/10");
	refuse_line("-p 1 --filter server.prt", "--filter, column 1: ");
}

static void test_outputs(void **state)
{
	struct given_line g;

	(void)state;
	accept_line(&g, "-p 1 -o text -o json:a:b.json -w x.pcapng --output=raw:r");
	assert_int_equal(g.cfg.output_count, 4);
	assert_string_equal(g.cfg.outputs[0].path, "-");
	assert_string_equal(g.cfg.outputs[1].path, "a:b.json");
	assert_string_equal(g.cfg.outputs[1].label, "json:a:b.json");
	assert_string_equal(g.cfg.outputs[2].format, "pcapng");
	assert_string_equal(g.cfg.outputs[3].format, FORMAT_RAW);
	config_free(&g.cfg);
	refuse_line("-p 1 -o text -o json", "two outputs on standard output");
	refuse_line("-p 1 -w - -o json:-", "two outputs on standard output");
	refuse_line("-p 1 -w a -o raw:a", "two outputs on a");
	refuse_line("-p 1 -o xml", "the formats are");
	refuse_line("-p 1 -o json:", "file name is empty");
	refuse_line("-p 1 -o :x", "the formats are");
	refuse_line("-p 1 -o raw:a replay r", "does not go with replay");
}

static void test_binary_on_terminal(void **state)
{
	struct given_line g;

	(void)state;
	assert_int_equal(parse_on(&g, "-p 1 -w -", true), -EINVAL);
	assert_non_null(strstr(g.why.text, "on a terminal"));
	config_free(&g.cfg);
	assert_int_equal(parse_on(&g, "-p 1 -o raw", true), -EINVAL);
	config_free(&g.cfg);
	assert_int_equal(parse_on(&g, "-p 1 -w file -o text", true), 0);
	config_free(&g.cfg);
}

static void test_numbers(void **state)
{
	struct given_line g;

	(void)state;
	accept_line(&g, "-p 1 --ring-mb 1024 --snap 64k --body=2M --count 7 --duration 2.5");
	assert_int_equal(g.cfg.ring_mb, 1024);
	assert_int_equal(g.cfg.snap_bytes, 65536);
	assert_int_equal(g.cfg.body_bytes, 2 << 20);
	assert_int_equal(g.cfg.count, 7);
	assert_int_equal(g.cfg.duration_ns, 2500000000);
	config_free(&g.cfg);
	accept_line(&g, "-p 1 --snap 0 --ring-mb 1");
	assert_int_equal(g.cfg.snap_bytes, 0);
	config_free(&g.cfg);
	refuse_line("-p 1 --ring-mb 3", "power of two");
	refuse_line("-p 1 --ring-mb 0", "from 1 to 1024");
	refuse_line("-p 1 --ring-mb 2048", "from 1 to 1024");
	refuse_line("-p 1 --ring-mb 4x", "from 1 to 1024");
	refuse_line("-p 1 --count 0", "takes a number from 1");
	refuse_line("-p 1 --snap 2000M", "takes a number");
	refuse_line("-p 1 --snap 18446744073709551615K", "takes a number");
	refuse_line("-p 1 --body 1KB", "takes a number");
	refuse_line("-p 1 --duration 0", "takes seconds");
	refuse_line("-p 1 --duration nan", "takes seconds");
	refuse_line("-p 1 --duration inf", "takes seconds");
	refuse_line("-p 1 --duration -1", "takes seconds");
	refuse_line("-p 1 --duration 5s", "takes seconds");
}

static void test_flags(void **state)
{
	struct given_line g;

	(void)state;
	accept_line(&g, "-fqvvp1 --no-redact --pcap-framing tcp --color=never");
	assert_true(g.cfg.follow);
	assert_true(g.cfg.quiet);
	assert_int_equal(g.cfg.verbose, 2);
	assert_int_equal(g.cfg.body_bytes, 4096);
	assert_true(g.cfg.no_redact);
	assert_true(g.cfg.tcp_framing);
	assert_int_equal(g.cfg.color, COLOR_NEVER);
	assert_int_equal(g.cfg.pids[0], 1);
	config_free(&g.cfg);
	accept_line(&g, "-vv --body 10 --redact header:x-seat --redact shelf -p 1");
	assert_int_equal(g.cfg.body_bytes, 10);
	assert_false(g.cfg.no_redact);
	config_free(&g.cfg);
	accept_line(&g, "-p 1 --probes perf,multi --backend sys_enter");
	assert_string_equal(g.cfg.probes, "perf,multi");
	assert_string_equal(g.cfg.backend, "sys_enter");
	config_free(&g.cfg);
	refuse_line("-p 1 --probes sys_enter", "--probes takes");
	refuse_line("-p 1 --backend fentry", "--backend is");
	refuse_line("-p 1 --probes perf,", "--probes takes");
	refuse_line("-p 1 --probes per", "--probes takes");
	accept_line(&g, "-p 1 --sites entry");
	assert_true(g.cfg.plain_sites);
	config_free(&g.cfg);
	accept_line(&g, "-p 1 --sites cheap");
	assert_false(g.cfg.plain_sites);
	config_free(&g.cfg);
	refuse_line("-p 1 --sites exit", "--sites is");
	refuse_line("-p 1 --color=blue", "auto, always or never");
	refuse_line("-p 1 --pcap-framing x", "null or tcp");
	refuse_line("-p 1 --follow=1", "takes no value");
}

static void test_unknown(void **state)
{
	(void)state;
	refuse_line("--durration 5", "did you mean --duration?");
	refuse_line("--folow", "did you mean --follow?");
	refuse_line("--pdi=4", "did you mean --pid?");
	refuse_line("--something-else", "unknown option --something-else (see");
	refuse_line("--a-very-long-option-that-is-longer-than-any-name-there-is", "unknown option");
	refuse_line("-Z", "unknown option -Z");
	refuse_line("-\x1b[31m", "unknown option -?");
}

static void test_modes(void **state)
{
	struct given_line g;

	(void)state;
	accept_line(&g, "replay run.raw -o text --count 3");
	assert_int_equal(g.cfg.mode, MODE_REPLAY);
	assert_string_equal(g.cfg.replay_path, "run.raw");
	config_free(&g.cfg);
	accept_line(&g, "doctor --all -o json");
	assert_true(g.cfg.all && g.cfg.doctor_json);
	config_free(&g.cfg);
	accept_line(&g, "doctor -p 3");
	assert_int_equal(g.cfg.mode, MODE_DOCTOR);
	assert_int_equal(g.cfg.output_count, 0);
	config_free(&g.cfg);
	accept_line(&g, "--help --bogus");
	assert_int_equal(g.cfg.mode, MODE_HELP);
	config_free(&g.cfg);
	accept_line(&g, "-p 1 -V");
	assert_int_equal(g.cfg.mode, MODE_VERSION);
	config_free(&g.cfg);
	refuse_line("replay", "needs the recording");
	refuse_line("replay a b", "unexpected 'b'");
	refuse_line("replay a -p 1", "--pid does not go with replay");
	refuse_line("replay a --duration 1", "--duration does not go with replay");
	refuse_line("replay a -- cmd", "a command does not go with replay");
	refuse_line("doctor -o pcapng", "doctor writes text or json");
	refuse_line("doctor -o json:file", "to standard output");
	refuse_line("--all -- ls", "a command does not go with");
}

static void test_ready_fd(void **state)
{
	struct given_line g;
	char line[64];
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	snprintf(line, sizeof(line), "-p 1 --ready-fd %d", fds[1]);
	accept_line(&g, line);
	assert_int_equal(g.cfg.ready_fd, fds[1]);
	assert_true(fcntl(fds[1], F_GETFD) & FD_CLOEXEC);
	config_free(&g.cfg);
	close(fds[1]);
	refuse_line(line, "not open");
	refuse_line("-p 1 --ready-fd x", "file descriptor");
	close(fds[0]);
}

static char *read_all(FILE *f, size_t *n)
{
	char *text = NULL;
	size_t cap = 0;
	ssize_t got;

	assert_non_null(f);
	rewind(f);
	got = getdelim(&text, &cap, '\0', f);
	assert_true(got > 0);
	*n = (size_t)got;
	fclose(f);
	return text;
}

/* Every row stands in the help with its letter and argument, and no line is too wide for a terminal. */
static void test_help(void **state)
{
	char want[96], *text, *line, *save;
	size_t n;
	FILE *f = tmpfile();

	(void)state;
	assert_non_null(f);
	options_help(f);
	text = read_all(f, &n);
	for (const struct option_row *r = option_rows; r->name; r++) {
		snprintf(want, sizeof(want), "--%s%s%s ", r->name, r->arg ? " " : "",
			 r->arg ? r->arg : "");
		if (!strstr(text, want))
			fail_msg("--help lacks '%s'", want);
	}
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strlen(line) > 110)
			fail_msg("too wide: %s", line);
	free(text);
}

/* The manual describes exactly the options of the table: ".It Fl p , -pid Ar PID" and the like. */
/* The arguments in the manifest for Kubernetes; that it is YAML is tests/e2e/pipelines.sh's business. */
static void test_daemonset(void **state)
{
	FILE *f = fopen("docs/daemonset.yaml", "r");
	char line[256], word[128], all[512] = "";
	struct given_line g;
	bool inside = false;

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		bool item = sscanf(line, " - \"%127[^\"]\"", word) == 1;

		if (inside && !item)
			break;
		if (inside)
			snprintf(all + strlen(all), sizeof(all) - strlen(all), " %s", word);
		inside |= strstr(line, " args:") != NULL;
	}
	fclose(f);
	accept_line(&g, all);
	assert_int_equal(g.cfg.mode, MODE_TRACE);
	assert_string_equal(g.cfg.host_root, "/host");
	assert_int_equal(g.cfg.output_count, 1);
	assert_string_equal(g.cfg.outputs[0].format, "json");
	assert_string_equal(g.cfg.outputs[0].path, "-");
	assert_int_equal(g.cfg.resources.count, 1);
	config_free(&g.cfg);
}

static void test_manual(void **state)
{
	size_t n, described = 0, rows = 0;
	char want[96], *text, *p;

	(void)state;
	text = read_all(fopen("docs/tlslens.8", "r"), &n);
	for (const struct option_row *r = option_rows; r->name; r++, rows++) {
		if (r->letter)
			snprintf(want, sizeof(want), "\n.It Fl %c , Fl \\-%s%s", r->letter, r->name,
				 r->arg ? " Ar " : "\n");
		else
			snprintf(want, sizeof(want), "\n.It Fl \\-%s%s", r->name,
				 r->arg ? " Ar " : "\n");
		if (!strstr(text, want))
			fail_msg("docs/tlslens.8 lacks '%s'", want + 1);
	}
	for (p = text; (p = strstr(p, "\n.It Fl ")); p++)
		described++;
	assert_int_equal(described, rows);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_pids),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_outputs),
		cmocka_unit_test(test_binary_on_terminal),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_ready_fd),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_daemonset),
		cmocka_unit_test(test_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
