/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tlslens doctor: what can be captured on this machine and of the processes named, and if not, why.
 * Attaches nothing.
 */
#ifndef TLSLENS_CLI_DOCTOR_H
#define TLSLENS_CLI_DOCTOR_H

#include <stdio.h>

#include "cli/config.h"

/* Exit status: 0 when everything needed is there, 3 when something that capturing needs is not. */
int doctor(const struct config *cfg, FILE *out);

#endif
