#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Files that follow each other: each whole by itself, together all there was, the same in replay; moved away
# under the tracer and reopened by SIGHUP; on a full disk.
source "$(dirname "$0")/lib.sh"
requests=60

head -c 100000 /dev/urandom >"$work/body"
start_nginx || exit 1
cp "$work/body" "$work/www/body"
urls() { seq -f "https://localhost:$port/body?n=%g" $requests; }

start_tracing -p "$worker" -o raw:"$work/raw" -o json:"$work/all.jsonl" -o json:"$work/live-%Y.jsonl" \
	-w "$work/live.pcapng" -C 1 -W 4 || exit 1
urls | xargs curl -s --cacert "$work/cert.pem" >"$work/got"
kill -HUP $tracer # nothing was moved: nothing happens
mv "$work/all.jsonl" "$work/all.moved"
kill -HUP $tracer
reopened() { [ -e "$work/all.jsonl" ]; }
check "a file that was moved is made anew on SIGHUP" wait_for 10 reopened
get "/hello?after" >/dev/null
stop_tracing
check "tracing went well" equal status "$status" 0
check "nothing is lost by SIGHUP" equal lines "$(cat "$work/all.moved" "$work/all.jsonl" | wc -l)" $((requests + 1))
check "what came after it stands in the new file" equal lines "$(grep -c 'hello?after' "$work/all.jsonl")" 1
check "four files are kept" equal files "$(ls "$work"/live*.pcapng | wc -l)" 4
check "the first ones are gone" test ! -e "$work/live.pcapng"

mkdir "$work/1" "$work/2"
for i in 1 2; do
	(cd "$work/$i" && TZ=Pacific/Auckland "$program" replay "$work/raw" -C 1 -G 3600 -o json:%H%M%S.jsonl -w p.pcapng \
		2>>"$work/err")
done
check "replay makes the same files" diff -r "$work/1" "$work/2"
check "and the same lines" cmp <(cat "$work/all.moved" "$work/all.jsonl") <(cat "$work"/1/*.jsonl)
sized() { find "$work/1" -name '*.pcapng' -size "$1" | wc -l; }
check "files as large as asked for, but the last" equal sizes "$(sized -1000000c) $(sized +1300000c)" "1 0"
check "more than five of them" test "$(ls "$work"/1/*.pcapng | wc -l)" -gt 5
check "their owner's only" equal modes "$(stat -c %a "$work"/1/* | sort -u)" 600

seen=0
complaints=
for file in "$work"/1/*.pcapng; do
	seen=$((seen + $(HOME=$work tshark -r "$file" -Y http.request 2>>"$work/err" | wc -l)))
	complaints+=$(HOME=$work tshark -r "$file" -q -z expert,error 2>>"$work/err" | grep Errors)
done
check "tshark reads each file by itself, and every request in one of them" equal requests $seen $((requests + 1))
check "tshark has no complaint" equal "expert errors" "$complaints" ""

# A disk of two megabytes for three of packets: what is lost is told, what is there is whole.
cat >"$work/full.sh" <<'SCRIPT'
mount -t tmpfs -o size=2500k tmpfs "$1/full" && cd "$1/full" && shift && "$@" -C 1 -w p.pcapng
status=$?
for file in *.pcapng; do
	HOME=/nonexistent tshark -r "$file" >/dev/null || echo "$file is not whole"
done
exit $status
SCRIPT
mkdir "$work/full"
if [ "$(id -u)" -eq 0 ]; then
	unshare -m bash "$work/full.sh" "$work" "$program" replay "$work/raw" >"$work/out" 2>"$work/err"
	check "a full disk fails the run" equal status $? 1
	check "the loss is told" grep -qE 'the disk was full, records lost: [1-9]' "$work/err"
	check "what is there is whole" equal complaints "$(cat "$work/out")" ""
	unshare -m bash "$work/full.sh" "$work" "$program" replay "$work/raw" -W 1 >"$work/out" 2>"$work/err"
	check "one that keeps a single file has room" equal status $? 0
fi
check "-W needs -C or -G" equal status "$("$program" -W 2 -p 1 -o json:/dev/null 2>/dev/null; echo $?)" 2
check "-C needs a file" equal status "$("$program" -C 2 -p 1 2>/dev/null; echo $?)" 2
check "a wrong packet filter is one line, status 2" equal "line and status" \
	"$("$program" -p 1 --packet-filter 'port http or' 2>&1; echo $?)" \
	"tlslens: error: --packet-filter 'port http or': can't parse filter expression: syntax error
2"
finish
