/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The doctor's facts for people. */
#ifndef TLSLENS_CLI_DOCTOR_TEXT_H
#define TLSLENS_CLI_DOCTOR_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* `facts` as cli/doctor.c makes them; its strings are fit for a terminal. */
void doctor_text(const json_t *facts, FILE *out);

#endif
