/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fixtures of protocols: files that a person can read, run in every way the bytes can come.
 *
 *   # a comment
 *   .late                     joined after the first byte
 *   .plain  .sni NAME         of the connection
 *   .follow                   goes on in the protocol that an upgrade names
 *   .limit NAME N             body, header-bytes, headers, pipeline, streams, early ...
 *   .own-losses               no runs with calls lost (see below): the whole run does not know all itself
 *   > GET / HTTP/1.1\r\n      bytes written by the traced process; lines of one mark are one call
 *   > Host: h\r\n\r\n
 *                             an empty line ends a call, another mark too
 *   < HTTP/1.1 200 OK\r\n     bytes read by it; \r \n \t \\ \xNN \*N{text} (text N times)
 *   <: 00 ff                  bytes in hex
 *   <~ 10                     ten lost bytes
 *   at 3                      the time of the next call; else its number, counted from 1
 *   expire                    what waits for the other direction has waited long enough
 *   ---
 *   what a run says, see proto_run.h
 *
 * Every file is run whole, byte by byte and with each call cut in two at every position: all must say what
 * the file says. Then once with each call lost: nothing may crash, no transaction may claim to be whole
 * that is not one of the file's, no value may appear that is not in the original, the loss must be stated.
 */
#ifndef TLSLENS_TESTS_PROTO_FIXTURE_H
#define TLSLENS_TESTS_PROTO_FIXTURE_H

#include "core/proto.h"

/* A cmocka test for each *.txt of the folder; for main(): what it returns is the exit status. */
int fixture_main(const struct proto_ops *ops, const char *folder);

#endif
