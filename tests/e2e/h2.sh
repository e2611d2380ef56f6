#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# HTTP/2 of real programs: h2load runs 1,000 streams, 100 at a time, against every server; what it counts
# as done is what is shown. Then clients that are no browser's kin, and WebSocket. What was seen becomes
# $BUILD/http2.md; docs/http2.md is such a table: UPDATE_DOCS=1 renews it, and it must not say anything else.
source "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
python=/usr/bin/python3 # Debian's, which has Debian's h2 and websockets
streams=1000
table=$BUILD/http2.md

cat >"$table" <<-MARKDOWN
	# HTTP/2 and WebSocket, as tested

	Written by a run of \`tests/e2e/h2.sh\`: each line is a program that was traced from before its connections
	were made, how many streams or messages there were by the count of the program or of its peer, and how many
	of them tlslens showed, whole.

	| program | version | role | protocol | of | counted | shown |
	|---|---|---|---|---|---|---|
MARKDOWN

# row PROGRAM PACKAGE ROLE PROTOCOL UNIT COUNTED SHOWN
row() {
	check "$1, $3: every one of its $5 is shown, and whole" equal "$5" "$7" "$6"
	echo "| $1 | $(dpkg-query -W -f '${Version}' "$2") | $3 | $4 | $5 | $6 | $7 |" >>"$table"
}

# take_port: sets $taken to one that nobody listens on
take_port() {
	taken=$((20000 + RANDOM % 12000))
	while ss -Hltn "sport = :$taken" | grep -q .; do taken=$((taken + 1)); done
}

# start_server NAME COMMAND...: waits until something answers HTTP/2 on $taken; sets $pid
start_server() {
	local name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 &
	pid=$!
	started+=($pid)
	check "$name answers" wait_for 10 curl -sk --http2 -o /dev/null "https://127.0.0.1:$taken/small"
}

# loaded NAME PACKAGE PID[,PID] PORT: traced from before its connections
loaded() {
	local done_count
	start_tracing -p "$3" -o json || { check "$1 is traced" false && return; }
	h2load -n $streams -c 2 -m 100 "https://127.0.0.1:$4/small" >"$work/h2load" 2>&1
	stop_tracing
	done_count=$(sed -n 's/.* \([0-9]*\) succeeded.*/\1/p' "$work/h2load")
	check "$1: h2load did its streams" equal streams "$done_count" $streams
	row "$1" "$2" server HTTP/2 streams "$done_count" "$(json "$work/out" "len({
		(x['tlslens.conn.id'], x['tlslens.stream.id']) for x in t if x['tlslens.role'] == 'server' and
		x['network.protocol.version'] == '2' and x['http.request.method'] == 'GET' and
		x['url.path'] == '/small' and x['http.response.status_code'] == 200 and
		x['http.response.body.size'] == 4000 and x['tlslens.lost_bytes'] == 0 and
		'tlslens.partial' not in x and 'tlslens.unknown_headers' not in x})")"
	check "$1: nothing else is shown" equal transactions \
		"$(json "$work/out" "sum(x['tlslens.role'] == 'server' for x in t)")" "$done_count"
	# a program that feeds the library from memory has a socket nobody can prove
	check "$1: no peer is wrong" equal peers "$(json "$work/out" "[x for x in t
		if x['tlslens.role'] == 'server' and x['tlslens.conn.source'] != 'unknown' and
		(x['network.local.port'], x['network.peer.address']) != ($4, '127.0.0.1')][:1]")" "[]"
}

children() {
	tr ' ' '\n' <"/proc/$1/task/$1/children" | grep .
}

mkdir -p "$work/www"
head -c 4000 /dev/urandom >"$work/www/small"
make_certificate
cat "$work/cert.pem" "$work/key.pem" >"$work/both.pem"

take_port
nginx_port=$taken
start_nginx "" "server { listen 127.0.0.1:$nginx_port ssl http2; ssl_certificate cert.pem;
	ssl_certificate_key key.pem; root www; }" || exit 1
loaded nginx nginx "$worker" "$nginx_port"

take_port
nghttpd_port=$taken
start_server nghttpd nghttpd --address=127.0.0.1 -d "$work/www" "$taken" "$work/key.pem" "$work/cert.pem"
loaded nghttpd nghttp2-server $pid "$nghttpd_port"

take_port
start_server nghttpx nghttpx --conf=/dev/null --workers=1 --single-process "--frontend=127.0.0.1,$taken" \
	"--backend=127.0.0.1,$nghttpd_port;;proto=h2;tls" --insecure "$work/key.pem" "$work/cert.pem"
loaded nghttpx nghttp2-proxy $pid "$taken"

take_port
cat >"$work/haproxy.cfg" <<-CONF
	defaults
		mode http
		timeout connect 5s
		timeout client 5s
		timeout server 5s
	frontend front
		bind 127.0.0.1:$taken ssl crt $work/both.pem alpn h2
		default_backend back
	backend back
		server one 127.0.0.1:$nghttpd_port ssl verify none alpn h2
CONF
start_server haproxy haproxy -db -f "$work/haproxy.cfg"
loaded haproxy haproxy $pid "$taken"

take_port
modules=/usr/lib/apache2/modules
cat >"$work/apache.conf" <<-CONF
	ServerName localhost
	ServerRoot "$work"
	PidFile "$work/apache.pid"
	Mutex posixsem
	ErrorLog "$work/apache.log"
	Listen 127.0.0.1:$taken
	LoadModule mpm_event_module $modules/mod_mpm_event.so
	LoadModule authz_core_module $modules/mod_authz_core.so
	LoadModule ssl_module $modules/mod_ssl.so
	LoadModule http2_module $modules/mod_http2.so
	Protocols h2
	DocumentRoot "$work/www"
	SSLEngine on
	SSLCertificateFile "$work/cert.pem"
	SSLCertificateKeyFile "$work/key.pem"
CONF
start_server apache2 apache2 -X -f "$work/apache.conf"
loaded apache2 apache2-bin $pid "$taken"

take_port
cat >"$work/server.js" <<-JS
	const fs = require("fs"), body = fs.readFileSync("$work/www/small");
	require("http2").createSecureServer({key: fs.readFileSync("$work/key.pem"),
		cert: fs.readFileSync("$work/cert.pem")}, (request, response) => response.end(body))
		.listen($taken, "127.0.0.1");
JS
start_server node node "$work/server.js"
loaded node nodejs $pid "$taken"

"$program" -o json:"$work/h2load.json" -- h2load -n $streams -c 2 -m 100 \
	"https://127.0.0.1:$nghttpd_port/small" >"$work/out" 2>"$work/err"
row h2load nghttp2-client client HTTP/2 streams \
	"$(sed -n 's/.* \([0-9]*\) succeeded.*/\1/p' "$work/out")" "$(json "$work/h2load.json" "len({
		(x['tlslens.conn.id'], x['tlslens.stream.id']) for x in t if x['tlslens.role'] == 'client' and
	x['http.response.body.size'] == 4000 and 'tlslens.partial' not in x})")"

"$program" -o json:"$work/curl.json" -- curl -sk --http2 --parallel -o /dev/null -w '%{http_code}\n' \
	"https://127.0.0.1:$nghttpd_port/small?[1-40]" >"$work/out" 2>"$work/err"
row curl curl client HTTP/2 streams "$(grep -c 200 "$work/out")" "$(json "$work/curl.json" "len({
	(x['tlslens.conn.id'], x['tlslens.stream.id']) for x in t if x['network.protocol.version'] == '2' and
	x['http.response.status_code'] == 200 and x['http.response.body.size'] == 4000})")"

# Without TLS, known beforehand, and upgraded to from HTTP/1 (RFC 7540 section 3.2).
take_port
plain_port=$taken
nghttpd --no-tls --address=127.0.0.1 -d "$work/www" "$taken" >"$work/plain.log" 2>&1 &
pid=$!
started+=($pid)
check "nghttpd answers without TLS" wait_for 10 curl -s --http2-prior-knowledge -o /dev/null \
	"http://127.0.0.1:$taken/small"
start_tracing -p $pid --plain -o json || exit 1
h2load -n $streams -c 2 -m 100 "http://127.0.0.1:$taken/small" >"$work/h2load" 2>&1
stop_tracing
row nghttpd nghttp2-server server "HTTP/2 without TLS" streams \
	"$(sed -n 's/.* \([0-9]*\) succeeded.*/\1/p' "$work/h2load")" "$(json "$work/out" "len({
	(x['tlslens.conn.id'], x['tlslens.stream.id']) for x in t if x['tlslens.role'] == 'server' and
	x['url.full'] == 'http://127.0.0.1:$taken/small' and x['http.response.body.size'] == 4000 and
	'tlslens.partial' not in x})")"

take_port
nghttpx --conf=/dev/null --workers=1 --single-process "--frontend=127.0.0.1,$taken;no-tls" \
	"--backend=127.0.0.1,$plain_port;;proto=h2" >"$work/upgrade.log" 2>&1 &
started+=($!)
check "nghttpx answers without TLS" wait_for 10 curl -s -o /dev/null "http://127.0.0.1:$taken/small"
"$program" --plain -o json:"$work/upgrade.json" -- curl -s --http2 -o /dev/null -w '%{http_code}\n' \
	"http://127.0.0.1:$taken/small?[1-20]" >"$work/out" 2>"$work/err"
row curl curl client "HTTP/2, upgraded to" streams "$(grep -c 200 "$work/out")" "$(json "$work/upgrade.json" "len({
	(x['tlslens.conn.id'], x['tlslens.stream.id']) for x in t if x.get('network.protocol.version') == '2' and
	x['http.response.status_code'] == 200 and x['http.response.body.size'] == 4000})")"

cat >"$work/h2client.py" <<-PYTHON
	import socket, ssl
	import h2.config, h2.connection, h2.events

	context = ssl.create_default_context(cafile="$work/cert.pem")
	context.set_alpn_protocols(["h2"])
	s = context.wrap_socket(socket.create_connection(("127.0.0.1", $nginx_port)), server_hostname="localhost")
	c = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
	c.initiate_connection()
	for stream in (1, 3, 5):
	    c.send_headers(stream, [(":method", "POST"), (":path", "/%d" % stream), (":scheme", "https"),
	                            (":authority", "localhost")])
	    c.send_data(stream, b"x" * 100, pad_length=stream)
	for stream in (5, 3):
	    c.send_data(stream, b"y" * stream)
	    c.send_headers(stream, [("x-trailer", "late")], end_stream=True)
	c.reset_stream(1, 8)
	s.sendall(c.data_to_send())
	ended = 0
	while ended < 2:
	    data = s.recv(65536)
	    assert data
	    ended += sum(isinstance(e, h2.events.StreamEnded) for e in c.receive_data(data))
	    s.sendall(c.data_to_send())
	c.close_connection()
	s.sendall(c.data_to_send())
PYTHON
"$program" -o json:"$work/h2.json" -- $python "$work/h2client.py" >"$work/out" 2>"$work/err"
check "python3-h2 ends well" equal status $? 0
check "python3-h2: padding, trailers and a reset" equal streams "$(json "$work/h2.json" "sorted(
		(x['tlslens.stream.id'], x['http.request.body.size'], x.get('error.type')) for x in t)")" \
	"[(1, 100, 'CANCEL'), (3, 103, '404'), (5, 105, '404')]"
row python3-h2 python3-h2 client HTTP/2 streams 3 "$(json "$work/h2.json" "len(t)")"

# A WebSocket server and client with permessage-deflate: each has 40 texts and 20 binaries of the other.
cat >"$work/ws.py" <<-PYTHON
	import asyncio, ssl, sys
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
		for (let i = 0; i < 60; i++)
			s.send(i % 3 ? "hello ".repeat(i + 1) : Buffer.alloc(1 + i * 100, i));
	});
	s.on("message", () => { if (++got == 60) s.close(1000, "enough"); });
	s.on("close", () => console.log(s.extensions, got));
JS
$python "$work/ws.py" >"$work/port" 2>"$work/ws.log" &
pid=$!
started+=($pid)
wait_for 10 test -s "$work/port" || exit 1
start_tracing -p $pid -o json || exit 1
"$program" -o json:"$work/ws.json" -- node "$work/ws.js" "$(cat "$work/port")" >"$work/ws.counts" 2>"$work/err"
stop_tracing
check "permessage-deflate was agreed on" grep -q '^permessage-deflate' "$work/ws.counts"
counted=$(($(cut -d ' ' -f 2 "$work/ws.counts") * 2)) # each came back

# messages JSON_FILE: how many are what was sent, in both directions
messages() {
	json "$1" "sum(x['tlslens.websocket.size'] in sizes[x['tlslens.websocket.opcode']]
		and x['tlslens.websocket.compressed_size'] > 0 for sizes in [{
			'text': [6 * (i + 1) for i in range(60) if i % 3],
			'binary': [1 + i * 100 for i in range(60) if i % 3 == 0]}]
		for x in t if x['event.name'] == 'websocket.message' and x['tlslens.websocket.opcode'] in sizes)"
}
row python3-websockets python3-websockets server "WebSocket, permessage-deflate" messages "$counted" \
	"$(messages "$work/out")"
row "node ws" node-ws client "WebSocket, permessage-deflate" messages "$counted" "$(messages "$work/ws.json")"

# ... and on a stream of HTTP/2 (RFC 8441): a client and a server that know how many messages they saw.
cat >"$work/ws2.js" <<-JS
	const http2 = require("http2"), fs = require("fs");
	const text = (mask, words) => Buffer.concat([Buffer.from([0x81, (mask ? 0x80 : 0) | words.length]),
		Buffer.from(mask ? [1, 2, 3, 4] : []),
		Buffer.from(words).map((c, i) => mask ? c ^ (i % 4 + 1) : c)]);
	const server = http2.createSecureServer({key: fs.readFileSync("$work/key.pem"),
		cert: fs.readFileSync("$work/cert.pem"), settings: {enableConnectProtocol: true}});
	server.on("stream", s => {
		s.respond({":status": 200});
		s.on("data", () => s.write(text(false, "welcome")));
		s.on("end", () => s.end());
	});
	server.listen(0, "127.0.0.1", () => {
		const c = http2.connect("https://127.0.0.1:" + server.address().port, {rejectUnauthorized: false});
		let messages = 0;
		c.once("remoteSettings", () => {
			const s = c.request({":method": "CONNECT", ":protocol": "websocket", ":path": "/chat",
				":authority": "localhost", "sec-websocket-version": "13"}, {endStream: false});
			const say = () => { messages++; s.write(text(true, "hello " + messages)); };
			s.on("response", say);
			s.on("data", () => { messages++; messages < 40 ? say() : s.end(); });
			s.on("close", () => { console.log(messages); c.close(); server.close(); });
		});
	});
JS
"$program" --body 100 -o json:"$work/ws2.json" -- node "$work/ws2.js" >"$work/ws2.counts" 2>"$work/err"
for role in client server; do
	row node nodejs $role "WebSocket over HTTP/2" messages "$(cat "$work/ws2.counts")" \
		"$(json "$work/ws2.json" "len([x for x in t if x['event.name'] == 'websocket.message' and
		x['tlslens.role'] == '$role' and x['url.full'] == 'https://localhost/chat' and
		x['tlslens.websocket.content'].startswith(('hello ', 'welcome'))])")"
done

# What differs from machine to machine is the version.
lines_of() {
	grep '^|' "$1" | cut -d '|' -f 2,4-
}
[ -z "${UPDATE_DOCS:-}" ] || cp "$table" "$here/../../docs/http2.md"
check "docs/http2.md says the same" equal table "$(lines_of "$here/../../docs/http2.md")" "$(lines_of "$table")"
finish
