#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The manual page is well-formed. That it names every option is tests/unit/test_options.c's business.
set -u
cd "$(dirname "$0")/.."

complaints=$(mandoc -T lint -W warning docs/tlslens.8 2>&1)
if [ -z "$complaints" ]; then
	echo "ok - mandoc has nothing to say"
else
	echo "not ok - mandoc has nothing to say"
	echo "$complaints"
fi
