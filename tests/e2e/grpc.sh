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
mkfifo "$work/go"
$python "$here/grpc_calls.py" client "$work/cert.pem" "$(cat "$work/port")" \
	<"$work/go" >"$work/calls" 2>"$work/client.err" &
client=$!
started+=($client)
exec 6>"$work/go"
wait_for 30 grep -q busy "$work/calls" || exit 1

# a value is known before its name is; the calls are told apart by it
start_tracing -p "$server,$client" --no-redact -o json:"$work/json" || exit 1
ready=$(date +%s%N)
sleep 3
stopped=$(date +%s%N)
echo stop >&6
exec 6>&-
wait $client
check "the client ended well" equal status $? 0
stop_tracing
check "tracing went well" equal status "$status" 0
for role in server client; do
	check "every call since the join, at the $role" equal "what differs" \
		"$($python "$here/grpc_compare.py" "$work/calls" "$work/json" $role "$ready" "$stopped" \
			2>>"$work/known")" ""
done
cat "$work/known"
finish
