#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Both ends of one connection in one run: the same transactions from both sides, addresses and ports
# mirrored, and tshark counts the requests of both ends in the one file.
source "$(dirname "$0")/lib.sh"
requests=20

start_nginx || exit 1
mkfifo "$work/go"
python3 "$(dirname "$0")/client.py" "$port" "$work/cert.pem" /hello $requests <"$work/go" >"$work/client" &
client=$!
started+=($client)
exec 6>"$work/go"
wait_for 10 grep -q waiting "$work/client" || exit 1

start_tracing -p "$worker,$client" -o json:"$work/json" -w "$work/pcapng" || exit 1
echo go >&6
exec 6>&-
wait $client
stop_tracing

side() { # PID
	json "$work/json" "[(x['http.request.method'], x['url.query'], x['http.response.status_code'],
		x['http.request.body.size'], x['http.response.body.size'], x['tlslens.lost_bytes'],
		x['client.address'], x['client.port'], x['server.port']) for x in t if x['process.pid'] == $1]"
}
check "tracing went well" equal status "$status" 0
check "the client got its answers" equal answers "$(grep -c '^200 15$' "$work/client")" $requests
check "every request seen at the server" equal requests \
	"$(json "$work/json" "sum(x['process.pid'] == $worker for x in t)")" $requests
check "the same transactions from both sides" equal "at the client" "$(side $client)" "$(side "$worker")"
check "addresses and ports mirrored" equal pairs "$(json "$work/json" "{
	(x['network.local.address'], x['network.local.port'], x['network.peer.address'], x['network.peer.port'])
		for x in t if x['process.pid'] == $worker} ^ {
	(x['network.peer.address'], x['network.peer.port'], x['network.local.address'], x['network.local.port'])
		for x in t if x['process.pid'] == $client}")" "set()"
check "roles" equal roles "$(json "$work/json" \
	"sorted({(x['process.pid'] == $client, x['tlslens.role']) for x in t})")" \
	"[(False, 'server'), (True, 'client')]"
check "the peer is proven" equal evidence "$(json "$work/json" \
	"{x['tlslens.conn.source'] for x in t} <= {'nested', 'cached'}")" True
check "tshark counts the requests of both ends" equal requests \
	"$(HOME=$work tshark -r "$work/pcapng" -Y http.request 2>/dev/null | wc -l)" $((2 * requests))
finish
