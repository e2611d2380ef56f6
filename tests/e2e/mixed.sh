#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One session of mixed traffic in one file: HTTP/1 and HTTP/2 at both ends, gRPC joined late, a connection
# of which only a part was copied. tshark without options dissects every message, and the packets read back
# give the same JSON.
source "$(dirname "$0")/lib.sh"
here=$(dirname "$0")
export HOME=$work
python=/usr/bin/python3 # Debian's, which has Debian's grpc

make_certificate
mkdir "$work/www"
head -c 200000 /dev/zero | tr '\0' 'z' >"$work/www/long"
head -c 3000 /dev/urandom >"$work/www/sums"
other=$((40000 + RANDOM % 9000))
start_nginx "" "server {
	listen 127.0.0.1:$other ssl http2; ssl_certificate cert.pem; ssl_certificate_key key.pem;
	location /two { return 200 two; }
}" || exit 1
$python "$here/grpc_calls.py" server "$work/cert.pem" "$work/key.pem" >"$work/port" 2>"$work/err" &
server=$!
started+=($server)
wait_for 20 test -s "$work/port" || exit 1
mkfifo "$work/go" && exec 6<>"$work/go"
$python "$here/grpc_calls.py" client "$work/cert.pem" "$(cat "$work/port")" <&6 6>&- >"$work/calls" 2>/dev/null &
client=$!
started+=($client)
wait_for 30 grep -q busy "$work/calls" || exit 1

cat >"$work/session.sh" <<'SH'
url=https://localhost:$1
c="curl -s --cacert $2/cert.pem"
for i in 1 2 3 4 5; do $c "$url/hello?$i" >/dev/null; done
$c -d user=me "$url/upload" >/dev/null
$c "$url/sums" >/dev/null
$c "$url/long" >/dev/null
$c --http2 "https://localhost:$3/two" "https://localhost:$3/two?again" >/dev/null
SH
"$program" -p "$worker,$server,$client" --snap 8192 --body 4096 -o json:"$work/json" -w "$work/pcapng" \
	-- sh "$work/session.sh" "$port" "$work" "$other" >"$work/out" 2>"$work/err"
status=$?
echo stop >&6
exec 6>&-
wait $client

ask() { # OPTIONS...: of the packets
	tshark -r "$work/pcapng" "$@" 2>/dev/null
}
exchanges() { # CONDITION
	json "$work/json" "sum($1 for x in t)"
}
back() {
	"$program" replay "$work/pcapng" --body 4096 -o json:"$work/back" 2>"$work/back.err" &&
		"$here/../same_lines.py" "$work/json" "$work/back" && ! grep skipped "$work/back.err"
}
check "tracing went well" equal status "$status" 0
check "HTTP/1, gRPC and truncated ones are there" equal kinds "$(json "$work/json" "[
	sum(x['event.name'] == 'http.exchange' for x in t) >= 16, any(x['event.name'] == 'rpc.exchange' for x in t),
	any(x.get('tlslens.truncated') for x in t)]")" "[True, True, True]"
check "every HTTP/1 request is dissected" equal requests "$(ask -Y http.request | wc -l)" \
	"$(exchanges "x.get('network.protocol.version') == '1.1'")"
check "every HTTP/2 request from the first byte is dissected" equal requests \
	"$(ask -Y 'http2.headers.path contains "/two"' | wc -l)" "$(exchanges "x.get('url.path') == '/two'")"
check "they are seen at both ends" equal ends "$(exchanges "x.get('url.path') == '/two'")" 4
check "a process is an interface" equal requests \
	"$(ask -Y 'http.request && frame.interface_name contains "nginx["' | wc -l)" 8
mkdir "$work/objects"
ask -q --export-objects "http,$work/objects" >"$work/check.out"
check "an object has the right sum" cmp "$work/www/sums" "$work/objects/sums"
check "tshark reads it whole" ask -q -z expert,error
check "nothing is malformed" equal errors "$(grep -c Errors "$work/check.out")" 0
check "every line is valid by the schema" $python -c '
import json, sys, jsonschema
v = jsonschema.Draft202012Validator(json.load(open(sys.argv[1])))
for line in open(sys.argv[2], encoding="utf-8"):
    v.validate(json.loads(line))' "$here/../../docs/schema.json" "$work/json"
check "the packets read back give the same JSON" back
finish
