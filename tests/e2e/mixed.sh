#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One session of mixed traffic in one file, in a network of its own: HTTP/1 and HTTP/2, gRPC joined late, WebSocket with
# permessage-deflate, DNS over UDP, TLS and HTTPS, plain HTTP, Unix sockets; both ends of each connection; one of which
# only a part was copied and one that was cut. tshark without options dissects every message, and the packets read back
# give the same JSON.
if [ -z "${MIXED_SH_INSIDE:-}" ]; then
	(cd "$(dirname "$0")" && /usr/bin/python3 -B -c "import otlp; otlp.definitions()") # the way to npm is still open
	MIXED_SH_INSIDE=1 exec unshare --net "$0" "$@"
fi
source "$(dirname "$0")/lib.sh"
here=$(dirname "$0")
export HOME=$work
python=/usr/bin/python3 # Debian's, which has Debian's grpc and websockets
ip link set lo up

make_certificate
mkdir "$work/www"
head -c 200000 /dev/zero | tr '\0' 'z' >"$work/www/long"
head -c 3000 /dev/urandom >"$work/www/sums"
start_nginx "location /slow { limit_rate 20k; alias $work/www/long; }" "server {
	listen 127.0.0.1:443 ssl http2; ssl_certificate cert.pem; ssl_certificate_key key.pem;
	location /two { return 200 two; }
}
server {
	listen 127.0.0.1:80; listen unix:$work/plain.sock;
	location /plain { return 200 plain; }
}
server {
	listen unix:$work/tls.sock ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem;
	location /unix { return 200 unix; }
}" || exit 1

start_unbound <<-CONF || exit 1
	interface: 127.0.0.1@53
	interface: 127.0.0.1@853
	interface: 127.0.0.1@8443
	https-port: 8443
	tls-service-key: "$work/key.pem"
	tls-service-pem: "$work/cert.pem"
CONF

cat >"$work/ws.py" <<-PYTHON
	import asyncio, ssl
	import websockets

	async def echo(socket):
	    async for message in socket:
	        await socket.send(message)

	async def main():
	    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
	    context.load_cert_chain("$work/cert.pem", "$work/key.pem")
	    async with websockets.serve(echo, "127.0.0.1", 0, ssl=context) as server:
	        print(server.sockets[0].getsockname()[1], flush=True)
	        await asyncio.Future()

	asyncio.run(main())
PYTHON
cat >"$work/ws.js" <<-JS
	const WebSocket = require("/usr/share/nodejs/ws");
	const s = new WebSocket("wss://127.0.0.1:" + process.argv[2] + "/echo", {rejectUnauthorized: false,
		perMessageDeflate: {threshold: 0}});
	let got = 0;
	s.on("open", () => {
		for (let i = 0; i < 6; i++)
			s.send(i % 3 ? "hello ".repeat(i + 1) : Buffer.alloc(1 + i * 100, i));
	});
	s.on("message", () => { if (++got == 6) s.close(1000, "enough"); });
JS
$python "$work/ws.py" >"$work/ws.port" 2>"$work/ws.log" &
ws=$!
started+=($ws)
$python "$here/grpc_calls.py" server "$work/cert.pem" "$work/key.pem" >"$work/port" 2>"$work/err" &
server=$!
started+=($server)
wait_for 20 test -s "$work/port" -a -s "$work/ws.port" || exit 1
mkfifo "$work/enough" "$work/go" && exec 6<>"$work/go"
$python "$here/grpc_calls.py" client "$work/cert.pem" "$(cat "$work/port")" 1 0.02 <&6 6>&- >"$work/calls" 2>/dev/null &
client=$!
started+=($client)
wait_for 30 grep -q busy "$work/calls" || exit 1

cat >"$work/session.sh" <<SH
exec 2>>"$work/session.err"
c="curl -s -o /dev/null --cacert $work/cert.pem"
url=https://localhost:$port
for i in 1 2 3 4 5; do \$c "\$url/hello?\$i"; done
\$c -d user=me "\$url/upload"
\$c "\$url/sums"
\$c "\$url/long"
\$c --max-time 0.7 "\$url/slow"
\$c --http2 https://localhost/two "https://localhost/two?again"
\$c http://localhost/plain "http://localhost/plain?again"
\$c --unix-socket $work/plain.sock http://localhost/plain?unix
\$c --unix-socket $work/tls.sock https://localhost/unix
node $work/ws.js $(cat "$work/ws.port")
$python "$here/grpc_calls.py" client "$work/cert.pem" $(cat "$work/port") 1 0.02 0<>"$work/enough" |
	{ read busy; echo >"$work/enough"; cat >/dev/null; }
# From whom a datagram is, unbound's are known after the first.
until grep -q '"event.duration":[1-9][0-9]*,"message":"unbound[^"]*first.test' "$work/json"; do
	dig +short +tries=1 @127.0.0.1 first.test
done
kdig +short @127.0.0.1 a.test MX
kdig +tls +short @127.0.0.1 a.test
kdig +https=/dns-query +short @127.0.0.1 -p 8443 a.test
exit 0
SH
"$program" -p "$worker,$server,$client,$ws,$unbound" --snap 8192 --body 4096 -o json:"$work/json" -w "$work/pcapng" \
	-o raw:"$work/raw" -- sh "$work/session.sh" >"$work/out" 2>"$work/err"
status=$?
echo stop >&6
exec 6>&-
wait $client

ask() { # OPTIONS...: of the packets
	tshark -r "$work/pcapng" "$@" 2>/dev/null
}
exchanges() { # CONDITION
	json "$work/json" "sum(bool($1) for x in t)"
}
# each WHAT FILTER CONDITION: as many packets as lines, of which there are some
each() {
	local lines
	lines=$(exchanges "$3")
	check "every $1 is dissected" equal packets "$(ask -Y "$2" | wc -l)" "$lines"
	check "$1: there are some" test "$lines" -gt 1
}
# followed MODE FILTER TEXT: the text is in the stream of the first packet that fits
followed() {
	local stream
	stream=$(ask -Y "$2" -T fields -e tcp.stream | head -n 1)
	ask -q -z "follow,$1,ascii,$stream${4:-}" | tee "$work/followed"
	grep -qF "$3" "$work/followed"
}
valid() {
	$python -c '
import json, sys, jsonschema
v = jsonschema.Draft202012Validator(json.load(open(sys.argv[1])))
for line in open(sys.argv[2], encoding="utf-8"):
    v.validate(json.loads(line))' "$here/../../docs/schema.json" "$work/json"
}
back() {
	"$program" replay "$work/pcapng" --body 4096 -o json:"$work/back" 2>"$work/back.err" &&
		"$here/../same_lines.py" "$work/json" "$work/back" && ! grep skipped "$work/back.err"
}

check "tracing went well" equal status "$status" 0
each "HTTP/1 request" http.request "x.get('network.protocol.version') == '1.1'"
each "HTTP/2 request from the first byte" 'http2.headers.path contains "/two"' "x.get('url.path') == '/two'"
each "WebSocket message" websocket "x['event.name'] == 'websocket.message'"
each "text of a WebSocket message" 'websocket.payload.text contains "hello hello"' \
	"x.get('tlslens.websocket.opcode') == 'text'"
for over in udp:udp 'dot:tls && !http2' doh:http2; do
	each "DNS question over ${over#*:}" "dns.flags.response == 0 && dns.qry.name == a.test && ${over#*:}" \
		"x.get('tlslens.dns.transport') == '${over%:*}' and x['dns.question.name'] == 'a.test'"
done
calls=$(exchanges "x['event.name'] == 'rpc.exchange' and x['process.pid'] not in ($server, $client)")
check "every gRPC call of a client seen from its first byte is dissected" equal calls \
	"$(ask -Y 'http2.headers.path contains "/test.Calls"' -T fields -e frame.interface_name -e http2.headers.path |
		grep -v "\[$server\]\|\[$client\]" | grep -o /test.Calls | wc -l)" "$calls"
check "gRPC: there are some" test "$calls" -ge 10
late=$(exchanges "x['event.name'] == 'rpc.exchange' and x['process.pid'] == $client")
check "some are joined late" test "$late" -gt 10
check "some are truncated" test "$(exchanges "x['tlslens.truncated']")" -gt 1
check "a process is an interface" equal requests \
	"$(ask -Y "http.request && frame.interface_name contains \"nginx[$worker]\"" | wc -l)" \
	"$(exchanges "x['process.pid'] == $worker and x.get('network.protocol.version') == '1.1'")"
check "a stream is followed: TCP" followed tcp 'tcp.port == 80' "GET /plain"
check "a stream is followed: TLS" followed tls 'http.request.uri contains "/hello?3"' "hello over TLS"
check "a stream is followed: HTTP" followed http 'http.request.uri contains "/upload"' taken
check "a stream is followed: HTTP/2" followed http2 'http2.headers.path contains "/two"' /two ,1
mkdir "$work/objects"
ask -q --export-objects "http,$work/objects" >"$work/check.out"
check "an object has the right sum" equal sha256 "$(sha256sum <"$work/objects/sums")" "$(sha256sum <"$work/www/sums")"
check "one of which a part was copied has its length" equal length "$(stat -c %s "$work/objects/long")" 200000
check "tshark reads it whole" ask -q -z expert,error
check "no packet is malformed" equal errors "$(grep -c Errors "$work/check.out")$(ask -Y _ws.malformed | wc -l)" 00
check "every line is valid by the schema" valid
check "OTLP: the parser takes every line, and reads what the JSON says" "$here/otlp.py" "$work/raw"
check "the packets read back give the same JSON" back
finish
