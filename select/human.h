/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Facts as people read them: the words of the text writer and of the JSON field `message`. Everything
 * appends to a buffer, whose error is sticky.
 */
#ifndef TLSLENS_SELECT_HUMAN_H
#define TLSLENS_SELECT_HUMAN_H

#include "core/buf.h"
#include "core/txn.h"

/*
 * Bytes of the wire made fit for a terminal: control characters and ill-formed UTF-8 as \xNN, characters
 * that are invisible or turn the writing direction as \u{NNNN}. What comes out is valid UTF-8.
 */
void human_text(struct buf *b, struct str s);
void human_uint(struct buf *b, uint64_t v);
void human_size(struct buf *b, uint64_t bytes);	 /* 13B 1.2kB 3.4MB, cut, not rounded */
void human_duration(struct buf *b, uint64_t ns); /* 850us 2.0ms 1.23s */
/* comm[pid], or [pid] when the name is not known. */
void human_process(struct buf *b, const struct conn *conn);
/* An address in the usual form, IPv6 without brackets (RFC 5952); nothing for other families. */
void human_addr(struct buf *b, enum addr_family family, const struct endpoint *e);
/* What was asked for and, where it says more than bytes, the answer: `example.com = 192.0.2.1`. */
void human_target(struct buf *b, const struct txn *t);
/* `curl[4242] GET https://example.com/a?x=1 200 13B 2.0ms` */
void human_message(struct buf *b, const struct txn *t);

/* What happened to a process, without its name: `exec curl -s https://example.com/`, `exit SIGKILL` */
void human_event(struct buf *b, const struct txn *t);

/* ns from the first to the last byte; a clock that went back gives 0. */
uint64_t human_elapsed_ns(const struct txn *t);

/* Columns that a character takes on a terminal: 0, 1 or 2. Independent of the locale. */
unsigned int human_width(uint32_t cp);

#endif
