/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What /proc says of a process itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "identity/rows.h"

#define STATUS_BYTES 8192
#define PASSWD_MAX_BYTES (1 << 20) /* a longer /etc/passwd is not read */

int identity_read(uint32_t tgid, const char *name, char *p, size_t size)
{
	char path[64];
	size_t got = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/%s", tgid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((n = read(fd, p + got, size - 1 - got)) > 0 || (n < 0 && errno == EINTR))
		got += n > 0 ? (size_t)n : 0;
	n = n < 0 ? -errno : (ssize_t)got;
	close(fd);
	p[got] = '\0';
	return (int)n;
}

/*
 * /proc counts in clock ticks, the kernel's own records in nanoseconds: the former is the latter
 * cut off.
 */
static uint64_t tick_ns(void)
{
	long hz = sysconf(_SC_CLK_TCK);

	return 1000000000u / (uint64_t)(hz > 0 ? hz : 100);
}

bool identity_same_start(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns / tick_ns() == b_ns / tick_ns();
}

int identity_start_time(uint32_t tgid, uint64_t *start_ns)
{
	char text[1024], *p;
	int n = identity_read(tgid, "stat", text, sizeof(text));
	unsigned long long ticks;

	if (n < 0)
		return n;
	/* The name is field 2 and may hold spaces and parentheses; the last ')' ends it. */
	p = strrchr(text, ')');
	if (!p || sscanf(p + 1,
			 " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
			 " %*s %llu",
			 &ticks) != 1)
		return -EBADMSG;
	*start_ns = ticks * tick_ns();
	return 0;
}

/* The value of a line "Name:\tvalue" of /proc/PID/status, up to the end of the line. */
static struct str status_value(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, name, len) == 0 && p[len] == ':') {
			p += len + 1;
			p += strspn(p, " \t");
			return (struct str){p, strcspn(p, "\n")};
		}
	}
	return STR_NONE;
}

/* One of the numbers of a value, counted from 0; from the end when at < 0. */
static struct str word(struct str v, int at)
{
	struct str found = STR_NONE;
	int count = 0;

	for (size_t i = 0; i < v.n;) {
		size_t n = 0;

		while (i < v.n && (v.p[i] == ' ' || v.p[i] == '\t'))
			i++;
		while (i + n < v.n && v.p[i + n] != ' ' && v.p[i + n] != '\t')
			n++;
		if (n && (at < 0 || count++ == at))
			found = (struct str){v.p + i, n};
		i += n;
	}
	return found;
}

static int set_str(struct identity *id, enum identity_field f, struct str v)
{
	return v.n ? identity_set(id, f, v.p, v.n) : 0;
}

static int fill_status(struct identity *id)
{
	char text[STATUS_BYTES];
	struct str pids;
	int rc = identity_read(id->key.tgid, "status", text, sizeof(text));

	if (rc < 0)
		return rc;
	rc = set_str(id, ID_PARENT_PID, word(status_value(text, "PPid"), 0));
	/* real, effective, saved, file system: what it may do is the effective one */
	if (rc == 0)
		rc = set_str(id, ID_USER_ID, word(status_value(text, "Uid"), 1));
	pids = status_value(text, "NSpid");
	if (rc == 0 && word(pids, 1).n)
		rc = set_str(id, ID_NS_PID, word(pids, -1));
	return rc;
}

static int fill_exe(struct identity *id)
{
	static const char deleted[] = " (deleted)";
	char path[64], exe[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/exe", id->key.tgid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n <= 0)
		return 0; /* not ours to read, or a kernel thread */
	exe[n] = '\0';
	if ((size_t)n > sizeof(deleted) - 1 &&
	    strcmp(exe + n - (sizeof(deleted) - 1), deleted) == 0)
		n -= (ssize_t)sizeof(deleted) - 1;
	return identity_set(id, ID_EXE, exe, (size_t)n);
}

/* The arguments end in a NUL each, the last one too; a program may have written over them as it likes. */
static int fill_cmdline(struct identity *id)
{
	char *text = malloc(IDENTITY_VALUE_MAX_BYTES + 1);
	int n, rc = 0;

	if (!text)
		return -ENOMEM;
	n = identity_read(id->key.tgid, "cmdline", text, IDENTITY_VALUE_MAX_BYTES + 1);
	while (n > 0 && text[n - 1] == '\0')
		n--;
	if (n > 0)
		rc = identity_set(id, ID_CMDLINE, text, (size_t)n);
	free(text);
	return rc;
}

/* "net:[4026531840]" */
static int fill_namespaces(struct identity *id)
{
	static const struct {
		const char *name;
		enum identity_field field;
	} rows[] = {{"pid", ID_PID_NS}, {"net", ID_NET_NS}, {"mnt", ID_MNT_NS}};
	char path[64], link[64];
	int rc = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !rc; i++) {
		const char *digits;
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%u/ns/%s", id->key.tgid, rows[i].name);
		n = readlink(path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		digits = strchr(link, '[');
		if (digits)
			rc = identity_set(id, rows[i].field, digits + 1,
					  strspn(digits + 1, "0123456789"));
	}
	return rc;
}

/* As its own /etc/passwd has it: ids mean something else in every container. */
static int fill_user(struct identity *id)
{
	char path[64];
	struct passwd *user;
	unsigned long uid;
	struct stat st;
	int fd, rc = 0;
	FILE *f;

	if (!id->v[ID_USER_ID].p)
		return 0;
	uid = strtoul(id->v[ID_USER_ID].p, NULL, 10);
	snprintf(path, sizeof(path), "/proc/%u/root/etc/passwd", id->key.tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	f = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= PASSWD_MAX_BYTES
		    ? fdopen(fd, "r")
		    : NULL;
	if (!f) {
		close(fd);
		return 0;
	}
	while ((user = fgetpwent(f)) && user->pw_uid != uid)
		;
	if (user)
		rc = identity_set(id, ID_USER_NAME, user->pw_name, strlen(user->pw_name));
	fclose(f);
	return rc;
}

/* NAME[PID] and the parent of a process; false when it is gone. */
static bool describe_parent(uint32_t pid, char *out, size_t size, uint32_t *parent)
{
	char text[STATUS_BYTES];
	struct str name;

	if (identity_read(pid, "status", text, sizeof(text)) < 0)
		return false;
	name = status_value(text, "Name");
	*parent = (uint32_t)strtoul(word(status_value(text, "PPid"), 0).p, NULL, 10);
	snprintf(out, size, "%.*s[%u]", (int)name.n, name.p, pid);
	return true;
}

static int fill_ancestors(struct identity *id)
{
	const char *ppid = id->v[ID_PARENT_PID].p;
	uint32_t pid = ppid ? (uint32_t)strtoul(ppid, NULL, 10) : 0, next;
	char text[64];
	int rc = 0;

	for (int i = 0; i < ANCESTORS_MAX && pid && !rc; i++, pid = next) {
		if (!describe_parent(pid, text, sizeof(text), &next))
			break;
		rc = identity_add(id, ID_ANCESTORS, text, strlen(text));
	}
	return rc;
}

static int fill(struct identity *id, const struct identity_cfg *cfg)
{
	char comm[64];
	int n = identity_read(id->key.tgid, "comm", comm, sizeof(comm)), rc;

	if (n < 0)
		return n;
	if (n > 0 && comm[n - 1] == '\n')
		n--;
	rc = identity_set(id, ID_COMM, comm, (size_t)n);
	if (rc == 0)
		rc = fill_status(id);
	if (rc == 0)
		rc = fill_exe(id);
	if (rc == 0)
		rc = fill_namespaces(id);
	if (rc == 0)
		rc = fill_user(id);
	if (rc == 0 && cfg && cfg->ancestors)
		rc = fill_ancestors(id);
	return rc ? rc : fill_cmdline(id);
}

const struct identity_ops identity_process = {.name = "process", .fill = fill};
