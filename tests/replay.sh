#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Recordings of real runs, replayed by whoever runs this, wherever: the same lines and the same packets, byte
# for byte, as when they were looked through. README in the folder says what each holds.
set -u
cd "$(dirname "$0")/fixtures/recordings" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# same FILE RESULT OPTIONS...
same() {
	local file=$1 result=$2
	shift 2
	if "$TLSLENS" replay "$file" "$@" >"$work/out" 2>"$work/err" &&
		cmp "$result" "$work/out" >>"$work/err" 2>&1; then
		echo "ok - $file: $result"
	else
		echo "not ok - $file: $result"
		sed 's/^/# /' "$work/err"
		failures=$((failures + 1))
	fi
}

# back NAME OPTIONS...: what the packets of a recording say when they are read back
back() {
	local name=$1
	shift
	if "$TLSLENS" replay "$name.raw" --body 65536 "$@" -o "json:$work/a" -w "$work/packets" 2>"$work/err" &&
		"$TLSLENS" replay "$work/packets" --body 65536 "$@" -o "json:$work/b" 2>>"$work/err" &&
		../../same_lines.py "$work/a" "$work/b" >>"$work/err" &&
		! grep skipped "$work/err" >/dev/null; then
		echo "ok - $name.raw and its packets say the same${*:+ ($*)}"
	else
		echo "not ok - $name.raw and its packets say the same${*:+ ($*)}"
		sed 's/^/# /' "$work/err"
		failures=$((failures + 1))
	fi
}

# valid FILE: what the documents say of every line; the packets of others, too
valid() {
	rm -rf "$work/lines" && mkdir "$work/lines"
	if "$TLSLENS" replay "$1" --body 65536 -o "json:$work/lines/json" -o "summary-json:$work/lines/sums" \
		2>"$work/err" && ../json/validate.py ../../../docs/schema.json --in "$work/lines" 2>>"$work/err"; then
		echo "ok - $1: every line is valid by the schemas"
	else
		echo "not ok - $1: every line is valid by the schemas"
		sed 's/^/# /' "$work/err"
		failures=$((failures + 1))
	fi
}

for raw in *.raw; do
	valid "$raw"
	name=${raw%.raw}
	same "$raw" "$name.jsonl" -o json
	same "$raw" "$name.txt" -o text -v
	same "$raw" "$name.pcapng" -w -
	back "$name"
	back "$name" --pcap-framing tcp
	back "$name" --no-redact
done
cd ../packets || exit 1
same ethernet.pcap ethernet.jsonl -o json
same foreign.pcapng ethernet.jsonl -o json
for file in *.pcap*; do valid "$file"; done
same cooked.pcap cooked.jsonl -o json
[ $failures -eq 0 ]
