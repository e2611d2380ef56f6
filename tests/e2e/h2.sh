#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# HTTP/2 of real programs: h2load runs 1,000 streams, 100 at a time, against every server; what it counts
# as done is what is shown. Then two clients that are no browser's kin.
source "$(dirname "$0")/lib.sh"
python=/usr/bin/python3 # Debian's, which has Debian's h2
streams=1000

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

# loaded NAME PID[,PID] PORT: traced from before its connections
loaded() {
	local done_count
	start_tracing -p "$2" -o json || { check "$1 is traced" false && return; }
	h2load -n $streams -c 2 -m 100 "https://127.0.0.1:$3/small" >"$work/h2load" 2>&1
	stop_tracing
	done_count=$(sed -n 's/.* \([0-9]*\) succeeded.*/\1/p' "$work/h2load")
	check "$1: h2load did its streams" equal streams "$done_count" $streams
	check "$1: every stream is shown once, and whole" equal shown "$(json "$work/out" "len({
		(x['tlslens.conn.id'], x['tlslens.stream.id']) for x in t if x['tlslens.role'] == 'server' and
		x['network.protocol.version'] == '2' and x['http.request.method'] == 'GET' and
		x['url.path'] == '/small' and x['http.response.status_code'] == 200 and
		x['http.response.body.size'] == 4000 and x['tlslens.lost_bytes'] == 0 and
		'tlslens.partial' not in x and 'tlslens.unknown_headers' not in x})")" "$done_count"
	check "$1: nothing else is shown" equal transactions \
		"$(json "$work/out" "sum(x['tlslens.role'] == 'server' for x in t)")" "$done_count"
	# a program that feeds the library from memory has a socket nobody can prove
	check "$1: no peer is wrong" equal peers "$(json "$work/out" "[x for x in t
		if x['tlslens.role'] == 'server' and x['tlslens.conn.source'] != 'unknown' and
		(x['network.local.port'], x['network.peer.address']) != ($3, '127.0.0.1')][:1]")" "[]"
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
loaded nginx "$worker" "$nginx_port"

take_port
nghttpd_port=$taken
start_server nghttpd nghttpd --address=127.0.0.1 -d "$work/www" "$taken" "$work/key.pem" "$work/cert.pem"
loaded nghttpd $pid "$nghttpd_port"

take_port
start_server nghttpx nghttpx --conf=/dev/null --workers=1 --single-process "--frontend=127.0.0.1,$taken" \
	"--backend=127.0.0.1,$nghttpd_port;;proto=h2;tls" --insecure "$work/key.pem" "$work/cert.pem"
loaded nghttpx $pid "$taken"

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
loaded haproxy $pid "$taken"

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
loaded apache2 $pid "$taken"

take_port
cat >"$work/server.js" <<-JS
	const fs = require("fs"), body = fs.readFileSync("$work/www/small");
	require("http2").createSecureServer({key: fs.readFileSync("$work/key.pem"),
		cert: fs.readFileSync("$work/cert.pem")}, (request, response) => response.end(body))
		.listen($taken, "127.0.0.1");
JS
start_server node node "$work/server.js"
loaded node $pid "$taken"

"$program" -o json:"$work/h2load.json" -- h2load -n $streams -c 2 -m 100 \
	"https://127.0.0.1:$nghttpd_port/small" >"$work/out" 2>"$work/err"
check "h2load as the client: every stream is shown once" equal streams "$(json "$work/h2load.json" "len({
		(x['tlslens.conn.id'], x['tlslens.stream.id']) for x in t if x['tlslens.role'] == 'client' and
	x['http.response.body.size'] == 4000 and 'tlslens.partial' not in x})")" $streams

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
finish
