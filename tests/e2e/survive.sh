#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The traced program comes first: its answers are the same with and without a tracer, and it runs on when the
# tracer is killed at any moment.
source "$(dirname "$0")/lib.sh"

start_nginx || exit 1
head -c 3000000 /dev/urandom >"$work/www/big"
sums() {
	local n
	for n in 1 2 3; do
		get /big | sha256sum
		get /hello -i | grep -v '^Date:' | sha256sum
	done
}
untraced=$(sums)
start_tracing -p "$worker" -o json:"$work/json" || exit 1
check "the same answers while traced" equal answers "$(sums)" "$untraced"
stop_tracing
check "the same answers afterwards" equal answers "$(sums)" "$untraced"

# With perf events it takes as long as the kernel does for each.
gone_in_time() { # KIND
	local began
	start_tracing --probes "$1" -p "$worker" -o json:"$work/json" || return 1
	[[ $(cat "$work/err") =~ ([0-9]+)\ probes\ \($1\) ]] && [ "${BASH_REMATCH[1]}" -ge 40 ] ||
		{ echo "fewer than 40 probes" && return 1; }
	began=$(date +%s%N)
	stop_tracing
	[ $((($(date +%s%N) - began) / 1000000)) -lt 1000 ] || { echo "it took a second or more" && return 1; }
}
check "40 probes are gone within a second, by sessions" gone_in_time session
check "and by links of many" gone_in_time multi

# While it starts (every 25 ms of its first half second), while it works, with load running.
wrk -t 1 -c 4 -d 60 "https://localhost:$port/hello" >/dev/null 2>&1 &
load=$!
started+=($load)
killed=0
for n in $(seq 0 19); do
	"$program" -p "$worker" -o json:"$work/json" 2>/dev/null &
	tracer=$!
	sleep "$(printf '0.%03d' $((n * 25)))"
	kill -KILL $tracer 2>/dev/null || { echo "# no tracer to kill, $n" && break; }
	wait $tracer 2>/dev/null
	[ "$(get /hello)" = "hello over TLS" ] || { echo "# no answer after kill $n" && break; }
	killed=$((killed + 1))
done
check "killed 20 times, the server answers" equal kills $killed 20
kill $load
check "the same worker still serves" kill -0 "$worker"
check "the same answers in the end" equal answers "$(sums)" "$untraced"

# A command and its descendants run on, too.
cat >"$work/script" <<-SCRIPT
for n in 1 2 3 4 5; do sh -c 'sleep 0.2; echo \$0' \$n; done
echo done
SCRIPT
"$program" -o json:"$work/json" -- sh "$work/script" >"$work/out" 2>/dev/null &
tracer=$!
wait_for 20 grep -q 2 "$work/out"
kill -KILL $tracer
wait $tracer 2>/dev/null
check "a command runs on to its end" wait_for 10 grep -q done "$work/out"
finish
