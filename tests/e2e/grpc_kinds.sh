#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# gRPC of C++ and of Python: servers and clients of both call each other, all four kinds, with deadlines, with
# compression, failing and given up. Method, status, its message, deadline, the count and the fields of the
# messages are shown as the client knows them. What was seen becomes $BUILD/grpc.md; docs/grpc.md is such a
# table: UPDATE_DOCS=1 renews it, and it must not say anything else.
source "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
python=/usr/bin/python3 # Debian's, which has Debian's grpc
table=$BUILD/grpc.md

build_calls() {
	protoc -I "$here/rpc" --cpp_out="$work" --python_out="$work" --grpc_out="$work" \
		--plugin=protoc-gen-grpc="$(command -v grpc_cpp_plugin)" --include_imports \
		--descriptor_set_out="$work/calls.pb" "$here/rpc/calls.proto" || return 1
	local files=("$work/calls.pb.cc" "$work/calls.grpc.pb.cc" "$here/rpc/calls.cc") file jobs=()
	for file in "${files[@]}"; do
		g++ -std=gnu++17 -O0 -I "$work" -c -o "$work/$(basename "$file").o" "$file" &
		jobs+=($!)
	done
	for file in "${jobs[@]}"; do wait "$file" || return 1; done
	# shellcheck disable=SC2046
	g++ -o "$work/calls" "$work"/*.cc.o $(pkg-config --libs grpc++ protobuf)
}

# start_server COMMAND...: sets $server
start_server() {
	rm -f "$work/port"
	"$@" server "$work/cert.pem" "$work/key.pem" >"$work/port" 2>"$work/server.log" &
	server=$!
	started+=($server)
	wait_for 20 test -s "$work/port"
}

# row NAME PACKAGE ROLE: a line of the table, and its check
row() {
	local differs counts
	differs=$($python "$here/rpc/compare.py" "$work/calls.txt" "$work/json" "$3" 2>"$work/counts")
	check "$1, $3: everything is as the client knows it" equal "what differs" "$differs" ""
	read -ra counts <"$work/counts"
	check "$1, $3: it is all there" equal "calls and messages" "${counts[1]} ${counts[3]}" \
		"${counts[0]} ${counts[2]}"
	echo "| $1 | $(dpkg-query -W -f '${Version}' "$2") | $3 | ${counts[0]} | ${counts[1]} | ${counts[2]} |" \
		"${counts[3]} |" >>"$table"
}

# pair SERVER_NAME PACKAGE CLIENT_NAME PACKAGE CLIENT...: the server runs
pair() {
	local names=("${@:1:4}")
	shift 4
	mkfifo "$work/go" && exec 6<>"$work/go"
	rm "$work/go"
	"$@" client "$work/cert.pem" "$(cat "$work/port")" <&6 6>&- >"$work/calls.txt" 2>"$work/client.log" &
	local client=$!
	started+=($client)
	start_tracing -p "$server,$client" --rpc-messages --body 64k --proto-descriptors "$work/calls.pb" \
		-o json:"$work/json" || return 1
	echo go >&6
	wait $client
	check "${names[2]}: the client ended well" equal status $? 0
	exec 6>&-
	stop_tracing
	check "tracing went well" equal status "$status" 0
	row "${names[0]}" "${names[1]}" server
	row "${names[2]}" "${names[3]}" client
}

check "the programs are built" build_calls || exit 1
make_certificate
cat >"$table" <<-MARKDOWN
	# gRPC, as tested

	Written by a run of \`tests/e2e/grpc_kinds.sh\`: the programs were traced from before their connections were
	made. Calls of all four kinds, with and without gzip and deadlines, some of which fail, and their messages in
	both directions are counted by the client; shown are those of which method, status, its message, the number
	of messages and every field of them are what the client knows.

	| program | version | role | calls | shown | messages | shown |
	|---|---|---|---|---|---|---|
MARKDOWN
start_server "$work/calls" || exit 1
pair libgrpc++ libgrpc++1.51 python3-grpcio python3-grpcio $python "$here/rpc/calls.py" "$work" || exit 1
start_server $python "$here/rpc/calls.py" "$work" || exit 1
pair python3-grpcio python3-grpcio libgrpc++ libgrpc++1.51 "$work/calls" || exit 1

# A call that goes on: each message is shown, at both ends and both ways, before the next one is sent.
mkfifo "$work/go" && exec 6<>"$work/go"
$python "$here/rpc/calls.py" "$work" chat "$work/cert.pem" "$(cat "$work/port")" <"$work/go" 6>&- \
	>"$work/client.log" 2>&1 &
client=$!
started+=($client)
exec 7>"$work/go" 6>&-
start_tracing -p "$server,$client" --early --rpc-messages --body 64k --proto-descriptors "$work/calls.pb" \
	-o json:"$work/json" || exit 1
# shown N PATTERN: in so many lines
shown() {
	[ "$(grep -c "$2" "$work/json")" = "$1" ]
}
for word in one two three; do
	echo $word >&7
	check "message $word before the next is sent" wait_for 20 shown 4 "\"rpc.message\".*\"text\":\"$word\""
	check "and not the call, which goes on" shown 0 '"rpc.response.status_code"'
done
check "the call was shown when it began" shown 2 '"rpc.exchange".*"tlslens.early":true'
exec 7>&-
wait $client
check "the call ended well" equal status $? 0
stop_tracing
check "it is shown when it is over" shown 2 '"rpc.response.status_code":"OK"'

# What differs from machine to machine is the version.
lines_of() {
	grep '^|' "$1" | cut -d '|' -f 2,4-
}
[ -z "${UPDATE_DOCS:-}" ] || cp "$table" "$here/../../docs/grpc.md"
check "docs/grpc.md says the same" equal table "$(lines_of "$here/../../docs/grpc.md")" "$(lines_of "$table")"
finish
