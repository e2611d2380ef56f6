#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Joined late: a gRPC server and its client, traced long after the connections were made and while 64 calls
# run on each. Every call that begins from then on is shown, with nothing wrong.
source "$(dirname "$0")/lib.sh"
here=$(dirname "$0")
python=/usr/bin/python3 # Debian's, which has Debian's grpc

make_certificate
$python "$here/grpc_calls.py" server "$work/cert.pem" "$work/key.pem" >"$work/port" 2>"$work/err" &
server=$!
started+=($server)
wait_for 20 test -s "$work/port" || exit 1

start_client() {
	rm -f "$work/calls"
	mkfifo "$work/go" && exec 6<>"$work/go"
	rm "$work/go"
	$python "$here/grpc_calls.py" client "$work/cert.pem" "$(cat "$work/port")" <&6 6>&- >"$work/calls" \
		2>"$work/client.err" &
	client=$!
	started+=($client)
	wait_for 30 grep -q busy "$work/calls"
}

stop_client() {
	echo stop >&6
	exec 6>&-
	wait $client
	check "the client ended well" equal status $? 0
}

# compare ROLE READY STOPPED
compare() {
	$python "$here/grpc_compare.py" "$work/calls" "$work/json" "$@" 2>>"$work/known"
}

start_client || exit 1
# a value is known before its name is; the calls are told apart by it
start_tracing -p "$server,$client" --no-redact -o json:"$work/json" || exit 1
ready=$(date +%s%N)
# enough LINES: so much is shown, of calls at either end
enough() {
	[ "$(wc -l <"$work/json")" -ge "$1" ]
}
check "calls are shown while they are made" wait_for 60 enough 3000
stopped=$(date +%s%N)
stop_client
stop_tracing
check "tracing went well" equal status "$status" 0
for role in server client; do
	check "every call since the join, at the $role" equal "what differs" \
		"$(compare $role "$ready" "$stopped")" ""
done

# from the beginning all of them is known
start_tracing -p $server --no-redact --rpc-messages -o json:"$work/json" || exit 1
start_client || exit 1
stop_client
stop_tracing
check "every call of the four kinds" equal "what differs" "$(compare server 0 "$(date +%s%N)")" ""
check "every message by itself" equal messages \
	"$(json "$work/json" "sum(x['event.name'] == 'rpc.message' for x in t)")" \
	"$(json "$work/json" "sum(x['tlslens.grpc.request.messages'] + x['tlslens.grpc.response.messages']
		for x in t if x['event.name'] == 'rpc.exchange')")"
cat "$work/known"
finish
