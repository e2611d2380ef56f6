/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one check that every record passes before anybody reads its fields: after it the lengths inside agree
 * with the length of the whole, and texts end where the record does.
 */
#include "capture/source.h"

#include <string.h>

_Static_assert(sizeof(struct ev_hdr) == 40, "records are stored: their layout is fixed");
_Static_assert(sizeof(struct ev_data) == 104, "");
_Static_assert(sizeof(struct ev_peer) == 24, "");
_Static_assert(sizeof(struct ev_sock) == 120, "");
_Static_assert(sizeof(struct ev_conn_end) == 88, "");
_Static_assert(sizeof(struct ev_sock_close) == 48, "");
_Static_assert(sizeof(struct ev_sock_io) == 72, "");
_Static_assert(sizeof(struct ev_cipher) == 88, "");
_Static_assert(sizeof(struct ev_proc) == 72, "");
_Static_assert(sizeof(struct ev_exec) == 344, "");
_Static_assert(sizeof(struct ev_thread) == 56, "");
_Static_assert(sizeof(struct ev_clock) == 56, "");
_Static_assert(sizeof(struct ev_counters) == 160, "");

static bool check_data(const struct ev_hdr *ev)
{
	const struct ev_data *d = (const struct ev_data *)ev;
	size_t before = sizeof(*d) + (ev->flags & EV_DATA_PEER ? sizeof(struct ev_peer) : 0);

	return ev->len >= before && d->got == ev->len - before && d->got <= d->want && d->dir < 2 &&
	       d->off + d->want >= d->off;
}

static bool check_sock_io(const struct ev_hdr *ev)
{
	const struct ev_sock_io *d = (const struct ev_sock_io *)ev;

	return ev->len >= sizeof(*d) && d->got == ev->len - sizeof(*d) && d->got <= d->want &&
	       d->dir < 2 && d->off + d->want >= d->off;
}

static bool check_exec(const struct ev_hdr *ev)
{
	const struct ev_exec *e = (const struct ev_exec *)ev;

	if (ev->len == sizeof(e->proc))
		return true;
	return ev->len >= sizeof(*e) && e->args_len == ev->len - sizeof(*e) &&
	       memchr(e->exe, '\0', sizeof(e->exe));
}

/* Pairs of NUL-terminated strings fill the rest exactly. */
static bool check_pairs(const struct ev_hdr *ev)
{
	const char *p = (const char *)ev;
	size_t strings = 0;

	if (ev->len > sizeof(*ev) && p[ev->len - 1] != '\0')
		return false;
	for (size_t i = sizeof(*ev); i < ev->len; i++)
		strings += p[i] == '\0';
	return strings % 2 == 0;
}

static bool check_lib(const struct ev_hdr *ev)
{
	const struct ev_lib *l = (const struct ev_lib *)ev;

	return ev->len > offsetof(struct ev_lib, name) && ((const char *)l)[ev->len - 1] == '\0';
}

bool ev_check(const struct ev_hdr *ev, size_t avail)
{
	if (avail < sizeof(*ev) || ev->len < sizeof(*ev) || ev->len > avail ||
	    ev->len > EV_RECORD_MAX_BYTES)
		return false;
	switch (ev->type) {
	case EV_DATA:
		return check_data(ev);
	case EV_SOCK:
		return ev->len == sizeof(struct ev_sock);
	case EV_CIPHER:
		return ev->len == sizeof(struct ev_cipher);
	case EV_CONN_END:
		return ev->len == sizeof(struct ev_conn_end);
	case EV_SOCK_CLOSE:
		return ev->len == sizeof(struct ev_sock_close);
	case EV_EXEC:
		return check_exec(ev);
	case EV_THREAD:
		return ev->len == sizeof(struct ev_thread);
	case EV_FORK:
	case EV_EXIT:
		return ev->len == sizeof(struct ev_proc);
	case EV_SOCK_IO:
		return check_sock_io(ev);
	case EV_CONFIG:
	case EV_IDENTITY:
		return check_pairs(ev);
	case EV_CLOCK:
		return ev->len == sizeof(struct ev_clock);
	case EV_LIB:
		return check_lib(ev);
	case EV_COUNTERS:
		return ev->len == sizeof(struct ev_counters);
	default:
		return true; /* of a later version: its length says where the next begins */
	}
}
