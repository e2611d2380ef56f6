#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Go's crypto/tls: many goroutines whose stacks are moved all the time, in programs with symbols, without, and
# position independent; late, and with a tracer that is killed; caddy. What the programs print stays the same.
source "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
export GOMAXPROCS=2 GOGC=1 CGO_ENABLED=0 GO111MODULE=off
GOCACHE=$(realpath "$BUILD")/gocache
export GOCACHE

make_certificate
pair=("$work/cert.pem" "$work/key.pem")
go build -o "$work/plain" "$here/target/goroutines.go" || exit 1
go build -ldflags="-s -w" -o "$work/stripped" "$here/target/goroutines.go" || exit 1
go build -buildmode=pie -ldflags="-s -w" -o "$work/pie" "$here/target/goroutines.go" || exit 1
go build -o "$work/talk" "$here/talk/talk.go" || exit 1

"$work/plain" "${pair[@]}" 6 8 >"$work/untraced" || exit 1
check "untraced, every body came back" equal answers "$(wc -l <"$work/untraced")" 48

same() { # PROGRAM OPTIONS...
	local target=$1
	shift
	rm -rf "$work/objects"
	NOTES=$work/notes "$program" "$@" -o json:"$work/json" -w "$work/pcapng" -- \
		"$work/$target" "${pair[@]}" 6 8 >"$work/traced" 2>"$work/err" || return 1
	cmp "$work/untraced" "$work/traced"
}
# Transactions of both ends, their peers and the bytes of all bodies, by the program's own notes.
complete() {
	mkdir -p "$work/objects"
	HOME=$work tshark -q -r "$work/pcapng" --export-objects "http,$work/objects" >/dev/null 2>&1
	python3 "$here/go_notes.py" "$work/notes" "$work/json" "$work/objects"
}
for target in plain stripped pie; do
	check "$target: prints the same" same $target
	check "$target: complete, peers right" complete
done
check "at entries: prints the same" same plain --sites entry
check "at entries: complete, peers right" complete

# Steps: a request for each line that the program reads.
begin_steps() {
	mkfifo "$work/word" && exec 7<>"$work/word" 5<"$work/word"
	rm "$work/word"
	steps=0
	: >"$work/steps"
	"$work/stripped" "${pair[@]}" 1 9 wait <&5 >"$work/steps" 7>&- &
	target=$!
	started+=($target)
	exec 5<&-
}
answered() { [ "$(wc -l <"$work/steps")" -ge $steps ]; }
step() {
	steps=$((steps + 1))
	echo >&7
	wait_for 10 answered || { echo "no answer to request $steps" && return 1; }
}
end_steps() {
	while [ $steps -lt 9 ]; do step || return 1; done
	exec 7>&-
	wait $target
	equal status $? 0 && diff <("$work/plain" "${pair[@]}" 1 9) <(head -9 "$work/steps")
}
late() {
	begin_steps
	step && step && start_tracing -p $target -o json:"$work/json" && step && step || return 1
	stop_tracing
	# The server was within a Read at first.
	end_steps && equal "seen by client and server" "$(json "$work/json" \
		"[[x.get('url.path') for x in t if x['tlslens.role'] == r] for r in ('client', 'server')]")" \
		"[['/0/2', '/0/3'], [None, '/0/3']]"
}
check "attached between two requests, gone before the end" late
killed() {
	begin_steps
	step && start_tracing -p $target -o json:"$work/json" && step || return 1
	kill -KILL $tracer
	wait $tracer 2>/dev/null
	end_steps
}
check "the tracer is killed between two requests" killed
killed_in_traffic() {
	"$work/stripped" "${pair[@]}" 6 8 >"$work/want"
	"$work/stripped" "${pair[@]}" 6 8 wait <"$work/many" >"$work/got" &
	local target=$! done
	started+=($target)
	rm -f "$work/json"
	start_tracing -p $target -o json:"$work/json" || return 1
	yes | head -24 >&7
	wait_for 10 test -s "$work/json" || { echo "nothing was traced" && return 1; }
	yes | head -24 >&7
	done=$(wc -l <"$work/got")
	kill -KILL $tracer
	wait $tracer 2>/dev/null
	exec 7>&-
	wait $target
	equal status $? 0 && cmp <(sort "$work/want") <(sort "$work/got") &&
		{ [ "$done" -lt 48 ] || { echo "all was over before" && return 1; }; }
}
mkfifo "$work/many" && exec 7<>"$work/many"
check "the tracer is killed in the midst of traffic" killed_in_traffic

# Without the check of the stack against R14, Read looks as before Go 1.17; the server never comes to calling it.
at=$(nm "$work/talk" | awk '$3 == "crypto/tls.(*Conn).Read" { print $1 }')
python3 - "$work/talk" "$work/old" "$at" <<-'PYTHON'
	import sys
	code, at = bytearray(open(sys.argv[1], "rb").read()), int(sys.argv[3], 16) - 0x400000 # as Go lays files out
	check = code.index(b"\x4d\x3b\x66\x10" if code[at] == 0x4c else b"\x49\x3b\x66\x10", at, at + 32)
	code[check] &= ~1
	open(sys.argv[2], "wb").write(code)
PYTHON
chmod +x "$work/old"
said() { # TEXT
	"$program" doctor -p "$server" >"$work/doctor"
	grep -qF "$1" "$work/doctor" || { cat "$work/doctor" && return 1; }
}
serve() { # PROGRAM
	"$work/$1" server "${pair[@]}" >"$work/port" &
	server=$!
	started+=("$server")
	wait_for 10 test -s "$work/port"
}
serve old
check "doctor: the stack ABI" said "go1.19.8): crypto/tls.(*Conn).Read does not use the register ABI of Go 1.17"
serve talk
check "doctor: the release" said "go, go1.19"

caddy_speaks() {
	start_caddy && start_tracing -p $caddy -o json:"$work/json" || return 1
	get /hello --http1.1 && get /hello --http2 || return 1
	stop_tracing
	equal transactions "$(json "$work/json" "[(x['url.path'], x['http.response.status_code'],
		x['network.protocol.version'], x['tlslens.conn.source'], x['tlslens.lost_bytes']) for x in t]")" \
		"[('/hello', 200, '1.1', 'nested', 0), ('/hello', 200, '2', 'nested', 0)]"
}
check "caddy: HTTP/1 and HTTP/2" caddy_speaks
finish
