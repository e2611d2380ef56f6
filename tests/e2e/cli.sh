#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The command line as a user meets it: exit statuses, one clear line for each mistake, where data goes.
source "$(dirname "$0")/lib.sh"
here=$(dirname "$0")

# says STATUS LINES PATTERN ARGS...: runs tlslens; its standard error must be so many lines, one of them so.
says() {
	local want=$1 lines=$2 pattern=$3 got
	shift 3
	timeout 60 "$program" "$@" >"$work/out" 2>"$work/err" </dev/null
	got=$?
	equal status "$got" "$want" || return 1
	[ "$lines" = any ] || equal "lines of stderr" "$(wc -l <"$work/err")" "$lines" || return 1
	grep -qE -- "$pattern" "$work/err" || { echo "no line like '$pattern'" && return 1; }
}

prints() { # STATUS PATTERN ARGS...
	local want=$1 pattern=$2
	shift 2
	"$program" "$@" >"$work/out" 2>"$work/err"
	equal status $? "$want" && grep -qE -- "$pattern" "$work/out"
}

check "version" prints 0 '^tlslens [0-9]+\.[0-9]+' --version
check "help" prints 0 '^ *-p, --pid PID' --help
check "no arguments" says 2 1 'nothing to trace'
check "unknown option suggests" says 2 1 'unknown option --durration, did you mean --duration' --durration 3
check "two outputs on stdout" says 2 1 'two outputs on standard output' -p 1 -o text -o json

sleep 1000 &
plain=$!
started+=($plain)
gone=$(bash -c 'echo $$')
check "no such process" says 3 1 "no such process.*$gone|$gone.*no such process" -p "$gone"
echo text >"$work/text"
check "a file that is no ELF file" says 1 1 "$work/text is not an ELF file" --debug-file "$work/text" -p $plain
check "nor is one of --probe" says 1 1 "$work/text is not an ELF file" \
	--probe "write:$work/text:f(ctx=1,buf=2,len=3)->len" -p $plain
check "no TLS library in the process" says 3 any "[Nn]o TLS" --no-plain -p $plain
check "nor then, but plain sockets may come" says 0 any "[Nn]o TLS library in.*only its plain sockets" \
	--duration 0.1 -o json:"$work/none" -p $plain
check "unwritable output fails before attaching" says 1 1 'cannot write .*/nowhere/x: No such file' \
	-p $plain -o json:"$work/nowhere/x"
ln -s "$work/target" "$work/link"
check "output through a symbolic link" says 1 1 'cannot write .*/link' -p $plain -w "$work/link"
check "not root names what is missing" bash -c '
	setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all -- "$1" -p $2 >/dev/null 2>"$3"
	status=$?
	cat "$3"
	[ $status -eq 1 ] && [ "$(wc -l <"$3")" -eq 1 ] && grep -q CAP_ "$3"' - "$program" $plain "$work/err"

check "in a pid namespace of its own" bash -c '
	unshare --pid --fork --mount-proc "$1" -p 1 >/dev/null 2>"$2"
	[ $? -eq 1 ] && [ "$(wc -l <"$2")" -eq 1 ] && grep -q "pid namespace" "$2"' - "$program" "$work/err"

check "replay without its file" says 1 1 'nowhere' replay "$work/nowhere"
head -c 1000 /dev/urandom >"$work/noise"
check "replay of something else" says 1 1 'noise' replay "$work/noise"

# A command keeps its status, signals, input and output.
check "the command's exit status" says 7 any '' -- sh -c 'exit 7'
check "the signal that ended it" says 143 any '' -- sh -c 'kill -TERM $$'
check "a command that does not exist" says 127 1 'no-such-command' -- no-such-command
check "a file that cannot be run" says 126 1 'noise' -- "$work/noise"
piped() {
	echo "to its input" |
		"$program" -o json:"$work/j" -- sh -c 'cat; echo >&2 to its stderr' >"$work/out" 2>"$work/err"
	equal status $? 0 && equal stdout "$(cat "$work/out")" "to its input" && grep -qx "to its stderr" "$work/err"
}
check "the command's input and output" piped
# Signals 32 and 33 are the C library's own: threads and posix_spawn change them.
cat >"$work/look" <<'LOOK'
ulimit -c -n -s
trap
while read -r name value; do
	[[ $name != Sig[BIC]* ]] || printf '%s %x\n' "$name" $((0x$value & 0x7fffffff))
done </proc/self/status
ls /proc/self/fd
LOOK
limits() {
	local inside outside
	inside=$("$program" -q -o json:"$work/j" -- bash "$work/look")
	outside=$(bash "$work/look")
	equal "the command's limits, signals and descriptors" "$inside" "$outside"
}
check "the command's limits, signals and descriptors" limits

# Ctrl-C at the terminal is the command's: it may end of it, or make an end of its own, and is traced until then.
interrupted() { # STATUS COMMAND...
	local want=$1
	shift
	python3 "$here/terminal.py" "$program" -o json:"$work/j" "$@" >"$work/out"
	equal status $? "$want" && grep -q '^tlslens: .* connections' "$work/out"
}
check "Ctrl-C ends a command" interrupted 130 -- sh -c 'echo started; exec sleep 100'
cat >"$work/own_end.py" <<-'PYTHON'
	import sys, time
	try:
	    print("started", flush=True)
	    while True:  # short ones: a signal just before a sleep does not cut it short
	        time.sleep(0.05)
	except KeyboardInterrupt:
	    time.sleep(0.3)
	    sys.exit(5)
PYTHON
check "a command that makes its own end of Ctrl-C" interrupted 5 -- python3 "$work/own_end.py"

start_nginx || exit 1
duration() {
	local began=${EPOCHREALTIME/./}
	says 0 any 'tlslens: tracing ' -p $worker --duration 0.5 || return 1
	began=$((${EPOCHREALTIME/./} - began))
	[ $began -ge 500000 ] && [ $began -lt 10000000 ] || { echo "took $began us" && return 1; }
}
check "--duration ends the run" duration
check "nothing seen: the summary gives the reason" grep -q 'nothing to show: no TLS call was seen' "$work/err"

counted() {
	start_tracing -p $worker --count 2 -o json || return 1
	get /hello >/dev/null && get /hello >/dev/null && get /hello >/dev/null
	wait $tracer
	equal status $? 0 && equal transactions "$(wc -l <"$work/out")" 2
}
check "--count ends the run with so many transactions" counted

stopped() { # SIGNAL
	start_tracing -p $worker -o json || return 1
	grep -q '^tlslens: tracing ' "$work/err" || return 1
	get /hello >/dev/null
	kill -"$1" $tracer
	wait $tracer
	equal status $? 0 && equal transactions "$(wc -l <"$work/out")" 1 &&
		grep -qE 'captured [1-9][0-9]* \+ lost 0 \+ filtered 0 = generated [1-9]' "$work/err" &&
		! grep -q 'ADD UP' "$work/err"
}
check "SIGINT drains, writes and sums up" stopped INT
check "SIGTERM does too" stopped TERM

quiet() {
	start_tracing -q -p $worker -o json || return 1
	get /hello >/dev/null
	stop_tracing
	equal status $status 0 && equal transactions "$(wc -l <"$work/out")" 1 && equal stderr "$(cat "$work/err")" ""
}
check "-q says nothing" quiet
check "a backend that sees no plain sockets says so" says 0 any 'plain sockets are not seen' --backend sys_enter -- true

full_disk() {
	start_tracing -p $worker -o json:/dev/full -o text:"$work/text" || return 1
	get /hello >/dev/null
	wait $tracer
	equal status $? 1 && grep -q 'No space left' "$work/err" && equal "lines of text" "$(wc -l <"$work/text")" 1
}
check "a full disk is reported, and the other output is whole" full_disk

closed_pipe() {
	local fifo=$work/fifo
	mkfifo "$fifo" && exec 7<>"$fifo"
	start_tracing -p $worker -o json:"$fifo" || return 1
	exec 7>&-
	get /hello >/dev/null
	wait $tracer
	equal status $? 1 && grep -q 'Broken pipe' "$work/err"
}
check "a closed pipe ends the run with status 1" closed_pipe

as_it_goes() {
	start_tracing -p $worker -w - || return 1
	get /hello >/dev/null
	wait_for 5 grep -qa 'GET /hello' "$work/out" || return 1
	kill -0 $tracer || return 1
	stop_tracing
	equal status $status 0
}
check "-w - is flushed as it goes" as_it_goes

private() {
	start_tracing -p $worker -o json:"$work/p.json" -w "$work/p.pcapng" -o raw:"$work/p.raw" || return 1
	get /hello >/dev/null
	stop_tracing
	equal modes "$(stat -c %a "$work"/p.* | tr '\n' ' ')" "600 600 600 " && grep -q '0600' "$work/err"
}
check "files are for their owner only" private
piped_recording() {
	"$program" -o raw -- true 2>"$work/err" | cat >"$work/p.raw"
	equal status "${PIPESTATUS[0]}" 0 && ! grep -q '0600' "$work/err" &&
		grep -q 'recording to standard output: unredacted' "$work/err" && "$program" replay "$work/p.raw"
}
check "a recording to a pipe" piped_recording

doctor() {
	"$program" doctor -p $worker >"$work/out" 2>"$work/err"
	equal status $? 0 && grep -q 'libssl.*build-id [0-9a-f]\{40\}' "$work/out" &&
		grep -q 'libcrypto.*openssl, OpenSSL [0-9]' "$work/out" && ! grep -q '^NO' "$work/out"
}
check "doctor finds the library" doctor
doctor_json() {
	local server="(True, True, False, [('openssl', '.dynsym', ['BIO_write']), ('openssl', '.dynsym', ['SSL_read'])])"
	local without="(False, False, True, [])"

	"$program" doctor -p $worker,$plain -o json >"$work/out" 2>"$work/err"
	equal status $? 3 && equal facts "$(json "$work/out" "[(p['pid'] == $worker, p['traceable'], 'advice' in p,
		sorted((l['library'], l['found_by'], [f['name'] for f in l['functions'] if f['name'] in
		('SSL_read', 'BIO_write')]) for l in p['libraries']))
		for p in t[0]['processes']] + [t[0]['ok'], [c for c in t[0]['machine'] if not c['ok']]]")" \
		"[$server, $without, False, []]"
}
check "doctor as JSON" doctor_json
check "doctor of a process without one" prints 3 '^NO +process' doctor -p $plain

finish
