#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `tlslens -w - | tshark`: packets of a connection appear while it is open, and the file of a run that was
# killed, or whose disk filled up, is readable up to there.
source "$(dirname "$0")/lib.sh"
export HOME=$work

start_nginx || exit 1
mkfifo "$work/go" "$work/packets"
python3 "$(dirname "$0")/client.py" "$port" "$work/cert.pem" /hello 2 wait <"$work/go" >"$work/client" &
client=$!
started+=($client)
exec 6>"$work/go"
wait_for 10 grep -q waiting "$work/client" || exit 1

# tshark opens the pipe for reading, so the program can open it for writing
tshark -l -i "$work/packets" -Y http -T fields -e frame.interface_name -e http.request.uri -e http.response.code \
	>"$work/shown" 2>"$work/tshark.err" 6>&- &
shark=$!
started+=($shark)
start_tracing -p "$worker" -w "$work/packets" || exit 1
echo go >&6
shows() { [ "$(cut -f 2- "$work/shown" | tr '\t\n' ' ;')" = "$1" ]; }
check "the first exchange, the connection still open" wait_for 20 shows '/hello?n=0 ; 200;'
echo go >&6
check "the second over the same connection" wait_for 20 shows '/hello?n=0 ; 200;/hello?n=1 ; 200;'
check "the interface is named after the process" equal interfaces "$(cut -f 1 "$work/shown" | sort -u)" "nginx[$worker]"
check "the client still has its connection" kill -0 $client
exec 6>&-
wait $client
stop_tracing
check "tracing went well" equal status "$status" 0
wait $shark
check "tshark came to a proper end" equal "status of tshark" $? 0

# Killed, with a transaction flushed before: JSON lines are whole, packets readable.
start_tracing -p "$worker" -o json:"$work/json" -w "$work/pcapng" -o raw:"$work/raw" || exit 1
get /hello >/dev/null
wait_for 10 grep -q hello "$work/json"
kill -KILL $tracer
wait $tracer 2>/dev/null
check "killed: the line is whole" equal paths "$(json "$work/json" "[x['url.path'] for x in t]")" "['/hello']"
check "killed: the packets are readable" equal requests \
	"$(tshark -r "$work/pcapng" -Y http.request 2>/dev/null | wc -l)" 1
"$program" replay "$work/raw" -o json:"$work/again" 2>"$work/replay.err"
check "killed: the recording is read up to there" equal paths "$(json "$work/again" "[x['url.path'] for x in t]")" \
	"['/hello']"

# A disk of 1 MiB (a mount of our own, gone with the shell that made it)
full_disk() {
	unshare --mount bash -c '
		mkdir -p "$1/disk" && mount -t tmpfs -o size=1m none "$1/disk"
		"$2" -p "$3" --body 1M -o json:"$1/disk/json" -w "$1/disk/pcapng" --ready-fd 8 8>"$1/armed" 2>"$1/err" &
		read -r -t 20 <"$1/armed"
		for n in 1 2 3; do curl -s -o /dev/null --cacert "$1/cert.pem" "https://localhost:$4/big"; done
		wait $!
		echo $? >"$1/status"
		cp "$1"/disk/json "$1/json"
		cp "$1"/disk/pcapng "$1/pcapng"' - "$work" "$program" "$worker" "$port"
}
head -c 400000 /dev/urandom >"$work/www/big"
mkfifo "$work/armed"
full_disk
check "full disk: status" equal status "$(cat "$work/status")" 1
check "full disk: said" grep -q 'No space left' "$work/err"
check "full disk: said once" equal "said again" "$(grep 'No space left' "$work/err" | sort | uniq -d)" ""
check "full disk: the lines written are whole" equal sizes "$(json "$work/json" \
	"{x['http.response.body.size'] for x in t} <= {400000}")" True
check "full disk: the packets are readable" test "$(tshark -r "$work/pcapng" 2>/dev/null | wc -l)" -gt 10
finish
