#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What probes may do to the programs they are in: longjmp over a probed call, fork, vfork, execve, stacks that are
# switched within calls, seccomp, a debugger in the same function, a tracer that leaves while a call is under way.
# Each program prints what it received: that is the same with a tracer as without one.
source "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")/target" && pwd)

for name in odd coroutines; do
	gcc -O2 -o "$work/$name" "$here/$name.c" -lssl -lcrypto -lpthread || exit 1
done
start_nginx || exit 1

# same ANSWERS OPTIONS -- COMMAND: its output and its status do not change, and so many answers are in the JSON.
same() {
	local answers=$1 options=()
	shift
	while [ "$1" != -- ]; do options+=("$1") && shift; done
	shift
	"$@" >"$work/untraced" || { echo "untraced: status $?" && return 1; }
	sort -o "$work/untraced" "$work/untraced"
	"$program" -q "${options[@]}" -o json:"$work/json" -- "$@" >"$work/traced" 2>"$work/err" ||
		{ echo "traced: status $?" && return 1; }
	sort -o "$work/traced" "$work/traced"
	cmp "$work/untraced" "$work/traced" && equal answers "$(answers)" "$answers"
}
answers() { json "$work/json" 'sum(x.get("http.response.status_code") == 200 for x in t)'; }

for sites in cheap entry; do
	check "longjmp out of SSL_read, sites $sites" same 20 --sites $sites -- "$work/odd" longjmp "$port"
	check "fork in the midst of a conversation, sites $sites" \
		same 40 --sites $sites -- "$work/odd" fork "$port"
	check "vfork and execve, sites $sites" same 20 --sites $sites -- "$work/odd" vfork "$port"
	check "a new image again and again, sites $sites" same 120 --sites $sites -- "$work/odd" exec "$port"
	check "four threads at once, sites $sites" same 400 --sites $sites -- "$work/odd" threads "$port"
	# Return probes end such a program: the tracer has to find out by itself.
	check "coroutines that switch within calls, sites $sites" \
		same 160 --sites $sites -- "$work/coroutines" "$port" 8 20
done
unknown_all() { equal sources "$(json "$work/json" 'sorted({x["tlslens.conn.source"] for x in t})')" "['unknown']"; }
check "whose socket is whose, nobody claims to know" unknown_all
is_said() { "$program" -o json:"$work/json" -- "$work/coroutines" "$port" 1 1 2>&1 >"$work/out" |
	grep -q "no return probes, as it switches stacks within a thread"; }
check "and it is said" is_said

# The kernels that would let this filter end the program are 6.11 to 6.13 without a later fix: here the second line
# shows that returns are seen without return probes, the first one could not fail for another reason.
check "a seccomp filter that knows few calls" same 20 -- "$work/odd" filter "$port"
check "the same without return probes" same 20 --no-return-probes -- "$work/odd" filter "$port"
check "requests and answers without return probes" same 400 --no-return-probes -- "$work/odd" threads "$port"

# A pipe to the program's standard input: 7 to write to, 5 for it to read from.
open_word() {
	mkfifo "$work/word" && exec 7<>"$work/word" 5<"$work/word"
	rm "$work/word"
}

# The tracer leaves while SSL_read waits, at either kind of site.
leaves_within_a_call() {
	open_word
	"$work/odd" slow "$port" <&5 >"$work/slow" 7>&- &
	local target=$!
	started+=($target)
	wait_for 10 grep -q reads "$work/slow" || return 1
	start_tracing --sites "$1" -p $target -o json:"$work/json" || return 1
	stop_tracing
	echo >&7
	wait $target
	equal status $? 0 && equal answers "$(grep -c '200 OK\|HTTP/1.1 200' "$work/slow")" 3
}
enters_before_a_call() {
	open_word
	"$program" -q --no-descendants --sites "$1" -o json:"$work/json" -- "$work/odd" slow "$port" <&5 \
		>"$work/slow" 2>"$work/err" 7>&- &
	tracer=$!
	started+=($tracer)
	wait_for 10 grep -q reads "$work/slow" || return 1
	kill -KILL $tracer
	wait $tracer 2>/dev/null
	echo >&7
	wait_for 10 grep -q slow-2 "$work/slow"
}
for sites in cheap entry; do
	check "comes and goes while SSL_read waits, sites $sites" leaves_within_a_call $sites
	check "is killed while SSL_read waits, sites $sites" enters_before_a_call $sites
done

# A debugger with a breakpoint in a probed function: a request after each thing that either of them does.
begin_steps() {
	steps=0
	: >"$work/steps"
	open_word
	"$work/odd" steps "$port" <&5 >"$work/steps" 7>&- &
	target=$!
	started+=($target)
	exec 5<&-
	step
}
answered() { [ "$(grep -c 'HTTP/1.1 200' "$work/steps")" -eq $steps ]; }
step() {
	steps=$((steps + 1))
	echo >&7
	wait_for 10 answered || { echo "no answer to request $steps" && return 1; }
}
end_steps() {
	exec 7>&-
	wait $target
	equal status $? 0
}
debugger_on() {
	mkfifo "$work/word" && exec 6<>"$work/word"
	rm "$work/word"
	cat >&6 <<-GDB
	set pagination off
	set confirm off
	handle SIGALRM nostop
	$1
	commands
	silent
	continue
	end
	continue
	GDB
	gdb -q -p $target <&6 >"$work/gdb" 2>&1 6>&- 7>&- &
	debugger=$!
	started+=($debugger)
	wait_for 30 grep -q Continuing "$work/gdb"
}
stopped() { grep -qE '^State:\s+[tT]' "/proc/$target/status"; }
debugger_off() {
	kill -INT $target
	wait_for 10 stopped
	printf 'delete\ndetach\nquit\n' >&6
	wait $debugger
	exec 6>&-
}
tracing_on() { start_tracing -p $target -o json:"$work/json"; }
tracing_off() { stop_tracing; }

# in_order BREAKPOINT STEP...
in_order() {
	local what at=$1
	shift
	begin_steps || return 1
	for what in "$@"; do
		$what "$at" || { echo "$what" && return 1; }
		step || { echo "after $what" && return 1; }
	done
	end_steps
}
for at in "break SSL_read" "break *SSL_read"; do
	check "$at: the tracer comes first and goes last" \
		in_order "$at" tracing_on debugger_on debugger_off tracing_off
	check "$at: the debugger comes first and goes last" \
		in_order "$at" debugger_on tracing_on tracing_off debugger_off
	check "$at: the tracer comes first and goes first" \
		in_order "$at" tracing_on debugger_on tracing_off debugger_off
done
finish
