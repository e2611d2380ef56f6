#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# wrk at full speed, an id in every request: the ids that the server logged are the ids in the JSON, and what
# is missing is what the summary counts as lost. The recording of it replays to the same bytes.
source "$(dirname "$0")/lib.sh"

start_nginx 'location /id { return 200 "hello\n"; }' || exit 1
cat >"$work/ids.lua" <<'LUA'
local threads = 0
function setup(thread)
	thread:set("number", threads)
	threads = threads + 1
end
function init()
	n = 0
end
function request()
	n = n + 1
	return wrk.format("GET", "/id?id=" .. number .. "." .. n)
end
LUA
wrk_for() { # SECONDS PORT
	wrk -t 2 -c 16 -d "$1" -s "$work/ids.lua" "https://127.0.0.1:$2/" >"$work/wrk" 2>&1
}

# Ids in the server's log, ids in the JSON.
compare() {
	sed -n 's/.*id?id=\([0-9.]*\) HTTP.*/\1/p' "$work/access.log" | sort >"$work/ids.log"
	sed -n 's/.*"url.query":"id=\([0-9.]*\)".*/\1/p' "$work/json" | sort >"$work/ids.json"
}

: >"$work/access.log"
start_tracing -p "$worker" -o json:"$work/json" -w "$work/pcapng" -o raw:"$work/raw" || exit 1
wrk_for 5 "$port"
stop_tracing
check "tracing went well" equal status "$status" 0
compare
check "requests were made" test "$(wc -l <"$work/ids.log")" -gt 1000
lost=$(sed -n 's/.* + lost \([0-9]*\) .*/\1/p' "$work/err" | head -1)
if [ "$lost" = 0 ]; then
	check "the ids of the log are the ids of the JSON" cmp "$work/ids.log" "$work/ids.json"
else
	missing=$(comm -23 "$work/ids.log" "$work/ids.json" | wc -l)
	check "nothing invented" equal invented "$(comm -13 "$work/ids.log" "$work/ids.json" | wc -l)" 0
	check "what is missing was counted as lost" test "$missing" -gt 0 -a "$lost" -ge $((missing * 20))
fi
check "each id once" equal duplicates "$(uniq -d "$work/ids.json" | wc -l)" 0
check "captured + lost + filtered = generated" bash -c "! grep -q 'ADD UP' '$work/err'"
echo "# $(wc -l <"$work/ids.log") requests, lost $lost bytes"

mkdir "$work/again"
"$program" replay "$work/raw" -o json:"$work/again/json" -w "$work/again/pcapng" 2>"$work/err"
check "replay: status" equal status $? 0
check "replay: the same JSON" cmp "$work/json" "$work/again/json"
check "replay: the same packets" cmp "$work/pcapng" "$work/again/pcapng"
# As on another machine: another user, no /proc of these processes, another host name and time zone
chmod 644 "$work/raw" && cp "$program" "$work/tlslens"
unshare --mount --uts bash -c 'mount --bind "$1" /mnt && mount -t tmpfs none /proc && hostname elsewhere &&
	TZ=Asia/Tokyo exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
	/mnt/tlslens replay /mnt/raw -o json' - "$work" \
	>"$work/again/json" 2>"$work/err"
check "replay elsewhere: status" equal status $? 0
check "replay elsewhere: the same JSON" cmp "$work/json" "$work/again/json"
rm -f "$work"/raw "$work"/again/* "$work"/pcapng

# A small ring and a tracer that stands still for a second: what the server counted is captured + lost.
python3 "$(dirname "$0")/server.py" "$work/cert.pem" "$work/key.pem" >"$work/server" &
server=$!
started+=($server)
wait_for 10 grep -q port "$work/server" || exit 1
port4=$(awk '/^port/ { print $2 }' "$work/server")
start_tracing -p $server --ring-mb 1 -o json:"$work/json" || exit 1
wrk_for 5 "$port4" &
load=$!
sleep 1.5
kill -STOP $tracer
sleep 1
kill -CONT $tracer
wait $load
counted() {
	kill -USR1 $server
	sleep 0.2
	now=$(grep '^read' "$work/server" | tail -1)
	[ -n "$now" ] && [ "$now" = "${before:-}" ] || { before=$now && return 1; }
}
wait_for 10 counted
stop_tracing
check "stopped tracer: tracing went well" equal status "$status" 0
total=$(awk '{ print $2 + $4 }' <<<"$now")
check "stopped tracer: what the server counted is what was generated" \
	grep -q "= generated $total bytes" "$work/err"
check "stopped tracer: the sum adds up" bash -c "! grep -q 'ADD UP' '$work/err'"
check "stopped tracer: something was lost, and said so" grep -qE 'lost [1-9][0-9]* \(ring full' "$work/err"
echo "# $now; $(grep captured "$work/err")"
finish
