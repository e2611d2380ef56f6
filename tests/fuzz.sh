#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each fuzz target for FUZZ_SECONDS, from the fixtures and from what earlier runs found.
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}

for target in "$@"; do
	name=$(basename "$target")
	corpus=$BUILD/fuzz/corpus/$name
	mkdir -p "$corpus"
	"$target" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$BUILD/fuzz/$name-" "$corpus" tests/fixtures
done
