#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Recordings of real runs, replayed by whoever runs this, wherever: the same lines and the same packets, byte
# for byte, as when they were looked through. README in the folder says what each holds.
set -u
cd "$(dirname "$0")/fixtures/recordings" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# same NAME SUFFIX OPTIONS...
same() {
	local name=$1 suffix=$2
	shift 2
	if "$TLSLENS" replay "$name.raw" "$@" >"$work/out" 2>"$work/err" &&
		cmp "$name.$suffix" "$work/out" >>"$work/err" 2>&1; then
		echo "ok - $name.$suffix"
	else
		echo "not ok - $name.$suffix"
		sed 's/^/# /' "$work/err"
		failures=$((failures + 1))
	fi
}

for raw in *.raw; do
	name=${raw%.raw}
	same "$name" jsonl -o json
	same "$name" txt -o text -v
	same "$name" pcapng -w -
done
[ $failures -eq 0 ]
