#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each fuzz target for FUZZ_SECONDS, from the fixtures and from what earlier runs found. Inputs are short: what takes
# many bytes to happen is for the tests, and at the length of the longest fixture a target does a tenth as many.
set -eu
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}

for target in "$@"; do
	name=$(basename "$target")
	corpus=$BUILD/fuzz/corpus/$name
	mkdir -p "$corpus"
	case $name in
	fuzz_flow | fuzz_recording | fuzz_packets | fuzz_gopclntab) bytes=16384 ;;
	*) bytes=4096 ;;
	esac
	"$target" -max_len=$bytes -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="$BUILD/fuzz/$name-" "$corpus" tests/fixtures
done
