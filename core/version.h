/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TLSLENS_CORE_VERSION_H
#define TLSLENS_CORE_VERSION_H

#define TLSLENS_VERSION "0.1.0"

#endif
