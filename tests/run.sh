#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs suites of tests and sums them up: tests/run.sh SUITE...   (lint unit replay seeds kernel e2e vm)
#
# Every test is a program that prints TAP: "ok ..." and "not ok ..." lines, a plan "1..N" if it likes.
# A program that ends with an error, in a signal or after its time, prints no result or fewer than it
# planned, or leaves a process behind, has failed. Only executable files are tests, others are their helpers.
# The last line is "N passed, N failed, N skipped"; the exit status is 0 when nothing failed.
#
# Tests find in their environment: BUILD (absolute), TLSLENS (the program), TMPDIR (theirs, removed afterwards).
set -u
cd "$(dirname "$0")/.."
BUILD=$(realpath -m "${BUILD:-build}")
TLSLENS=$BUILD/tlslens
export BUILD TLSLENS LC_ALL=C.UTF-8 CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=abort_on_error=0:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1

passed=0 failed=0 skipped=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo -E)

# The processes that a test started and left running, by the mark in their environment.
left_running() {
	local environ pid
	for environ in /proc/[0-9]*/environ; do
		if grep -qzsx "TLSLENS_TEST=$1" "$environ" 2>/dev/null; then
			pid=${environ#/proc/}
			echo "${pid%/environ}"
		fi
	done
}

# run_one NUMBER SECONDS PROGRAM [PREFIX...]: leaves $work/NUMBER.{out,status}
run_one() {
	local n=$1 seconds=$2 program=$3 mark="$$.$1.$RANDOM" pid
	shift 3
	mkdir "$work/$n.tmp"
	TMPDIR=$work/$n.tmp TLSLENS_TEST=$mark "$@" timeout -k 5 "$seconds" "$program" \
		>"$work/$n.out" 2>&1 </dev/null
	echo $? >"$work/$n.status"
	for pid in $(left_running "$mark"); do
		echo "not ok - left running: $pid $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")" \
			>>"$work/$n.out"
		"$@" kill -KILL "$pid"
	done
	"$@" rm -rf "$work/$n.tmp"
}

# account NUMBER PROGRAM: one line, and the whole output of what failed
account() {
	local out=$work/$1.out status good bad skip plan why=
	status=$(cat "$work/$1.status")
	skip=$(grep -cE '^ok\b.*# *(SKIP|skip)' "$out")
	good=$(($(grep -cE '^ok\b' "$out") - skip))
	bad=$(grep -cE '^not ok\b' "$out")
	plan=$(awk -F'[. ]+' '/^1\.\.[0-9]+/ { n += $2; seen = 1 } END { if (seen) print n }' "$out")
	if [ "$bad" -eq 0 ]; then
		if [ "$status" -ge 124 ]; then
			why="ended by signal or time limit (status $status)"
		elif [ "$status" -ne 0 ]; then
			why="exit status $status"
		elif [ $((good + skip)) -eq 0 ]; then
			why="printed no result"
		elif [ -n "$plan" ] && [ $((good + skip)) -ne "$plan" ]; then
			why="$plan tests planned, $((good + skip)) seen"
		fi
		[ -z "$why" ] || bad=1
	fi
	printf '%-44s %4d passed' "$2" "$good"
	[ "$bad" -eq 0 ] || printf ', %d FAILED' "$bad"
	[ "$skip" -eq 0 ] || printf ', %d skipped' "$skip"
	printf '%s\n' "${why:+: $why}"
	[ "$bad" -eq 0 ] || sed 's/^/    | /' "$out"
	passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + skip))
}

# suite NAME SECONDS JOBS PREFIX -- PROGRAM...
suite() {
	local name=$1 seconds=$2 jobs=$3 prefix=() program n=0 programs=()
	shift 3
	while [ "$1" != -- ]; do prefix+=("$1") && shift; done
	shift
	for program in "$@"; do
		[ -f "$program" ] && [ -x "$program" ] && programs+=("$program")
	done
	echo "== $name"
	for program in "${programs[@]}"; do
		while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
		run_one "$name$n" "$seconds" "$program" "${prefix[@]}" &
		n=$((n + 1))
	done
	wait
	n=0
	for program in "${programs[@]}"; do
		account "$name$n" "${program#"$BUILD"/}"
		n=$((n + 1))
	done
}

# built FOLDER PATTERN: the programs in the build folder whose source is still there
built() {
	local source
	for source in tests/$2.c; do
		[ ! -f "$source" ] || echo "$1/${source%.c}"
	done
}

for s in "$@"; do
	case $s in
	replay) suite replay 60 1 -- tests/replay.sh ;;
	lint) suite lint 120 2 -- tests/layers.sh tests/style.sh tests/manual.sh ;;
	unit) suite unit 300 2 -- $(built "$BUILD/san" 'unit/test_*') ;;
	seeds) suite seeds 120 2 -- $(built "$BUILD/san" 'fuzz/fuzz_*') ;;
	kernel) suite kernel 300 1 "${sudo[@]}" -- $(built "$BUILD" 'kernel/test_*') tests/kernel/*.sh ;;
	vm) suite vm 900 1 "${sudo[@]}" -- tests/vm/*.sh ;;
	e2e) suite e2e 400 1 "${sudo[@]}" -- tests/e2e/*.sh tests/e2e/*.py ;;
	*) echo "unknown suite $s" >&2 && failed=$((failed + 1)) ;;
	esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
