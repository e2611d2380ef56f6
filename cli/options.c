/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parser over the table of option_rows.c, and what does not go together. getopt is not used: it cannot tell the words before "--"
 * from those after, keeps its state in globals and does not suggest.
 */
#include "cli/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "capture/source.h"
#include "core/log.h"
#include "core/secrets.h"
#include "parsers/protobuf_types.h"
#include "select/filter.h"

#define BODY_BYTES_SHOWN 4096 /* -vv without --body */
#define NAME_MAX_BYTES 32     /* of options, for the nearest one */
#define TYPO_MAX 2	      /* edits between a word and the option it may have meant */

int option_refuse(struct why *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* Edits (Levenshtein) between two names, cut at NAME_MAX_BYTES. */
static size_t distance(const char *a, size_t an, const char *b)
{
	size_t bn = strnlen(b, NAME_MAX_BYTES), row[NAME_MAX_BYTES + 1], diagonal, up;

	for (size_t j = 0; j <= bn; j++)
		row[j] = j;
	for (size_t i = 0; i < an; i++) {
		diagonal = row[0]++;
		for (size_t j = 0; j < bn; j++) {
			up = row[j + 1];
			row[j + 1] = diagonal + (a[i] != b[j]);
			if (up + 1 < row[j + 1])
				row[j + 1] = up + 1;
			if (row[j] + 1 < row[j + 1])
				row[j + 1] = row[j] + 1;
			diagonal = up;
		}
	}
	return row[bn];
}

static int refuse_unknown(struct why *why, const char *word, size_t n)
{
	size_t best = TYPO_MAX + 1, d;
	const char *nearest = NULL;

	for (size_t i = 0; n <= NAME_MAX_BYTES && option_rows[i].name; i++) {
		d = distance(word, n, option_rows[i].name);
		if (d < best) {
			best = d;
			nearest = option_rows[i].name;
		}
	}
	if (nearest)
		return option_refuse(why, "unknown option --%.*s, did you mean --%s?", (int)n, word,
				     nearest);
	return option_refuse(why, "unknown option --%.*s (see --help)", n > 64 ? 64 : (int)n, word);
}

/* What is being read, and what was seen on the way. */
struct parse {
	struct config *cfg;
	struct why *why;
	char *const *argv;
	int argc, at;
	bool seen[OPTIONS_MAX];
};

static int apply(struct parse *p, const struct option_row *row, const char *value)
{
	p->seen[row - option_rows] = true;
	return row->set(p->cfg, row, value, p->why);
}

static int parse_long(struct parse *p, const char *word)
{
	const char *eq = strchr(word, '='), *value = eq ? eq + 1 : NULL;
	size_t n = eq ? (size_t)(eq - word) : strlen(word);
	const struct option_row *row = option_rows;

	while (row->name && (strlen(row->name) != n || memcmp(row->name, word, n)))
		row++;
	if (!row->name)
		return refuse_unknown(p->why, word, n);
	if (!row->arg && value)
		return option_refuse(p->why, "--%s takes no value", row->name);
	if (row->arg && !value) {
		if (p->at == p->argc)
			return option_refuse(p->why, "--%s needs a value: %s", row->name, row->arg);
		value = p->argv[p->at++];
	}
	return apply(p, row, value);
}

/* A cluster such as -vvp 4711: each letter an option, the last may take a value. */
static int parse_short(struct parse *p, const char *word)
{
	int err = 0;

	for (; *word && !err; word++) {
		const struct option_row *row = option_rows;

		while (row->name && row->letter != *word)
			row++;
		if (!row->name)
			return option_refuse(p->why, "unknown option -%c (see --help)",
					     *word >= ' ' && *word <= '~' ? *word : '?');
		if (!row->arg) {
			err = apply(p, row, NULL);
			continue;
		}
		if (word[1])
			return apply(p, row, word + 1);
		if (p->at == p->argc)
			return option_refuse(p->why, "-%c needs a value: %s", row->letter,
					     row->arg);
		return apply(p, row, p->argv[p->at++]);
	}
	return err;
}

/* The words that are no options: "replay FILE" or "doctor". */
static int parse_word(struct parse *p, const char *word)
{
	struct config *cfg = p->cfg;

	if (cfg->mode == MODE_TRACE && !strcmp(word, "replay"))
		cfg->mode = MODE_REPLAY;
	else if (cfg->mode == MODE_TRACE && !strcmp(word, "doctor"))
		cfg->mode = MODE_DOCTOR;
	else if (cfg->mode == MODE_REPLAY && !cfg->replay_path)
		cfg->replay_path = word;
	else
		return option_refuse(p->why, "unexpected '%.64s' (a command to run comes after --)",
				     word);
	return 0;
}

static const char *mode_name(enum mode m)
{
	return m == MODE_REPLAY ? "replay" : m == MODE_DOCTOR ? "doctor" : "tracing";
}

/* What each option allows by itself may still not go together. */
static int check_modes(struct parse *p)
{
	struct config *cfg = p->cfg;

	for (size_t i = 0; option_rows[i].name; i++)
		if (p->seen[i] && !(option_rows[i].modes & cfg->mode))
			return option_refuse(p->why, "--%s does not go with %s",
					     option_rows[i].name, mode_name(cfg->mode));
	if (cfg->command && cfg->mode != MODE_TRACE)
		return option_refuse(p->why, "a command does not go with %s", mode_name(cfg->mode));
	if (cfg->mode == MODE_REPLAY && !cfg->replay_path)
		return option_refuse(p->why, "replay needs the recording to read");
	if (cfg->mode == MODE_TRACE && !cfg->command && !cfg->pid_count && !cfg->watch_count)
		return option_refuse(
			p->why, "nothing to trace: give -p PID, --comm, --exe, --all, --container, "
				"--pod, --cgroup, --uid, or -- COMMAND (see --help)");
	if (cfg->command && cfg->watch_count)
		return option_refuse(
			p->why, "a command does not go with --comm, --exe, --all, --container, "
				"--pod, --cgroup and --uid");
	if (cfg->no_descendants && !cfg->command)
		return option_refuse(p->why, "--no-descendants goes with -- COMMAND only");
	return 0;
}

static int check_doctor_output(struct config *cfg, struct why *why)
{
	const struct output *o = &cfg->outputs[0];

	if (!cfg->output_count)
		return 0;
	cfg->doctor_json = !strcmp(o->format, "json");
	if (strcmp(o->path, "-") || (!cfg->doctor_json && strcmp(o->format, "text")))
		return option_refuse(why, "doctor writes text or json, to standard output");
	return 0;
}

static bool has_summary(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->output_count; i++)
		if (!strncmp(cfg->outputs[i].format, "summary", 7))
			return true;
	return false;
}

static int check_rotation(const struct config *cfg, struct why *why)
{
	bool rotates = cfg->rotation.max_bytes || cfg->rotation.period_ns;

	if (cfg->rotation.files && !rotates)
		return option_refuse(why, "-W goes with -C or -G only");
	for (size_t i = 0; rotates && i < cfg->output_count; i++)
		if (strcmp(cfg->outputs[i].path, "-") && strcmp(cfg->outputs[i].format, FORMAT_RAW))
			return 0;
	return rotates ? option_refuse(why, "-C and -G need an output to a file that is not raw")
		       : 0;
}

static int check_outputs(struct config *cfg, bool stdout_tty, struct why *why)
{
	static const struct output text = {"text", "text", "-"}, json = {"json", "json", "-"},
				   summary = {"summary", "summary", "-"};

	if (cfg->mode == MODE_DOCTOR)
		return check_doctor_output(cfg, why);
	if (!cfg->output_count)
		cfg->outputs[cfg->output_count++] = cfg->summary ? summary
						    : stdout_tty ? text
								 : json;
	if (cfg->summary && !has_summary(cfg))
		return option_refuse(why, "--summary beside other outputs: add -o summary:FILE");
	for (size_t i = 0; i < cfg->output_count; i++) {
		const struct output *o = &cfg->outputs[i];
		bool raw = !strcmp(o->format, FORMAT_RAW);

		if (raw && cfg->mode == MODE_REPLAY)
			return option_refuse(why, "-o raw does not go with replay: copy the file");
		if (stdout_tty && !strcmp(o->path, "-") && (raw || !strcmp(o->format, "pcapng")))
			return option_refuse(why, "%s on a terminal: give it a file or a pipe",
					     o->format);
	}
	return check_rotation(cfg, why);
}

/* What the environment says of where a live run is; in replay it would say it of another place. */
static void adopt_environment(struct config *cfg)
{
	const char *list = getenv("OTEL_RESOURCE_ATTRIBUTES");

	if (list && cfg->mode == MODE_TRACE && resources_add_list(&cfg->resources, list))
		log_warn("OTEL_RESOURCE_ATTRIBUTES is not name=value,name=value: ignored");
}

int options_parse(struct config *cfg, int argc, char *const argv[], bool stdout_tty,
		  struct why *why)
{
	struct parse p = {.cfg = cfg, .why = why, .argv = argv, .argc = argc, .at = 1};
	int err = 0;

	*cfg = (struct config){
		.mode = MODE_TRACE,
		.ring_mb = RING_MB_DEFAULT,
		.snap_bytes = SNAP_BYTES_DEFAULT,
		.ready_fd = -1,
	};
	while (!err && p.at < argc) {
		const char *word = argv[p.at++];

		if (!strcmp(word, "--")) {
			if (p.at == argc)
				return option_refuse(why, "no command after --");
			cfg->command = argv + p.at;
			break;
		}
		if (!strncmp(word, "--", 2))
			err = parse_long(&p, word + 2);
		else if (word[0] == '-' && word[1])
			err = parse_short(&p, word + 1);
		else
			err = parse_word(&p, word);
		if (cfg->mode & (MODE_HELP | MODE_VERSION))
			return err;
	}
	if (!err)
		err = check_modes(&p);
	if (!err)
		err = check_outputs(cfg, stdout_tty, why);
	if (!err)
		adopt_environment(cfg);
	if (cfg->verbose >= 2 && !cfg->body_given)
		cfg->body_bytes = BODY_BYTES_SHOWN;
	return err;
}

void config_free(struct config *cfg)
{
	given_free(&cfg->given);
	free(cfg->pids);
	cfg->pids = NULL;
	cfg->pid_count = 0;
	resources_free(&cfg->resources);
	filter_free(cfg->filter);
	secret_rules_free(cfg->secrets);
	pb_types_free(cfg->protos);
	cfg->filter = NULL;
}

void options_help(FILE *out)
{
	fputs("Usage: tlslens [OPTIONS] -p PID[,PID...]\n"
	      "       tlslens [OPTIONS] -- COMMAND [ARG...]\n"
	      "       tlslens [OPTIONS] replay FILE\n"
	      "       tlslens doctor [-p PID[,PID...] | --all] [-o json]\n"
	      "Show what processes say over TLS.\n\n",
	      out);
	for (const struct option_row *row = option_rows; row->name; row++) {
		char left[64];

		snprintf(left, sizeof(left), "%c%c%s --%s%s%s", row->letter ? '-' : ' ',
			 row->letter ? row->letter : ' ', row->letter ? "," : " ", row->name,
			 row->arg ? " " : "", row->arg ? row->arg : "");
		fprintf(out, "  %-28s %s\n", left, row->help);
	}
	fputs("\nWithout -o and -w: text on a terminal, else JSON lines, on standard output.\n"
	      "Exit status: 0 done, 1 failed, 2 usage, 3 nothing could be attached; with a "
	      "command\n"
	      "its own status. The manual page tlslens(8) has the details.\n",
	      out);
}
