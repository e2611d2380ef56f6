#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Real programs, each as it does TLS: apache2, curl, python3, openssl s_client and s_server.
source "$(dirname "$0")/lib.sh"

# shown FILE METHOD PATH STATUS ROLE: exactly one such transaction, whole, with a proven peer.
shown() {
	equal transactions "$(json "$1" "sum((x['http.request.method'], x['url.path'],
		x['http.response.status_code'], x['tlslens.role'], x['tlslens.lost_bytes']) ==
		('$2', '$3', $4, '$5', 0) and 'tlslens.partial' not in x
		and x['tlslens.conn.source'] in ('nested', 'cached') for x in t)")" 1
}

start_nginx || exit 1

"$program" -o json:"$work/curl" -- curl -s -o /dev/null --cacert "$work/cert.pem" \
	"https://localhost:$port/hello" 2>"$work/err"
check "curl" shown "$work/curl" GET /hello 200 client
"$program" -o json:"$work/curl6" -- curl -s -o /dev/null --cacert "$work/cert.pem" \
	"https://[::1]:$port/hello" 2>"$work/err"
check "curl over IPv6" shown "$work/curl6" GET /hello 200 client
check "its addresses" equal peer "$(json "$work/curl6" \
	"[(x['network.type'], x['network.peer.address'], x['network.peer.port']) for x in t]")" "[('ipv6', '::1', $port)]"

# ssl is imported, and libssl opened, long after the program began
cat >"$work/late.py" <<-PYTHON
import time
time.sleep(0.2)
import http.client, ssl
c = http.client.HTTPSConnection("127.0.0.1", $port, context=ssl.create_default_context(cafile="$work/cert.pem"))
c.request("POST", "/upload", body=b"x" * 1000)
print(c.getresponse().status)
PYTHON
"$program" -o json:"$work/python" -- python3 "$work/late.py" >"$work/out" 2>"$work/err"
check "python3 http.client, library opened late" shown "$work/python" POST /upload 200 client
check "its body" equal size "$(json "$work/python" "[x['http.request.body.size'] for x in t]")" "[1000]"

# HTTP/2, both sides; the path tells the requests apart
for _ in 1 2 3 4 5; do
	port4=$((20000 + RANDOM % 20000))
	nghttpd --address=127.0.0.1 -d "$work/www" $port4 "$work/key.pem" "$work/cert.pem" 2>"$work/nghttpd" &
	h2server=$!
	started+=($h2server)
	wait_for 5 curl -s -o /dev/null --cacert "$work/cert.pem" "https://localhost:$port4/" && break
done
head -c 70000 /dev/urandom >"$work/www/h2"
"$program" -p $h2server -o json:"$work/h2" -w "$work/h2.pcapng" -- curl -s --http2 --cacert "$work/cert.pem" \
	-o /dev/null "https://localhost:$port4/h2" -o /dev/null "https://localhost:$port4/none" 2>"$work/err"
for role in client server; do
	check "HTTP/2 as $role" shown "$work/h2" GET /h2 200 $role
	check "HTTP/2 as $role, second request" shown "$work/h2" GET /none 404 $role
done
check "its version and body" equal "versions and sizes" "$(json "$work/h2" "sorted({(x['network.protocol.version'],
	x['http.response.body.size']) for x in t if x['url.path'] == '/h2'})")" "[('2', 70000)]"
check "tshark reads HTTP/2 of both ends" equal requests "$(HOME=$work tshark -r "$work/h2.pcapng" \
	-Y 'http2.headers.method == "GET"' 2>/dev/null | wc -l)" 4

# GnuTLS
"$program" -o json:"$work/wget" -- wget -q -O /dev/null --ca-certificate="$work/cert.pem" \
	"https://localhost:$port/hello" 2>"$work/err"
check "wget" shown "$work/wget" GET /hello 200 client
check "its library" equal library "$(json "$work/wget" "[x['tlslens.tls.library'] for x in t]")" "['gnutls']"

cat >"$work/script" <<-SCRIPT
(sh -c 'curl -s --cacert $work/cert.pem https://localhost:$port/hello; true'; true) | cat
SCRIPT
"$program" -o json:"$work/grandchild" -- sh "$work/script" >"$work/out" 2>"$work/err"
check "a grandchild of a script" shown "$work/grandchild" GET /hello 200 client
check "and its output" equal output "$(cat "$work/out")" "hello over TLS"

printf 'GET /hello HTTP/1.1\r\nHost: s_client\r\nConnection: close\r\n\r\n' >"$work/request"
"$program" -o json:"$work/s_client" -- openssl s_client -quiet -CAfile "$work/cert.pem" \
	-connect "127.0.0.1:$port" <"$work/request" >"$work/out" 2>"$work/err"
check "openssl s_client" shown "$work/s_client" GET /hello 200 client

# s_server -www reads and writes through the filter BIO, which calls none of SSL_read and SSL_write
for _ in 1 2 3 4 5; do
	port2=$((20000 + RANDOM % 20000))
	openssl s_server -accept "127.0.0.1:$port2" -cert "$work/cert.pem" -key "$work/key.pem" -www \
		>"$work/s_server" 2>&1 &
	server=$!
	started+=($server)
	wait_for 5 grep -q ACCEPT "$work/s_server" && break
done
start_tracing -p $server -o json || exit 1
curl -s -o /dev/null --cacert "$work/cert.pem" "https://localhost:$port2/status"
stop_tracing
check "openssl s_server -www" shown "$work/out" GET /status 200 server

for _ in 1 2 3 4 5; do
	port3=$((20000 + RANDOM % 20000))
	modules=/usr/lib/apache2/modules
	cat >"$work/apache.conf" <<-CONF
	ServerName localhost
	ServerRoot "$work"
	PidFile "$work/apache.pid"
	Mutex posixsem
	ErrorLog "$work/apache.log"
	Listen 127.0.0.1:$port3
	LoadModule mpm_prefork_module $modules/mod_mpm_prefork.so
	LoadModule authz_core_module $modules/mod_authz_core.so
	LoadModule ssl_module $modules/mod_ssl.so
	DocumentRoot "$work/www"
	SSLEngine on
	SSLCertificateFile "$work/cert.pem"
	SSLCertificateKeyFile "$work/key.pem"
	CONF
	apache2 -X -f "$work/apache.conf" 2>"$work/apache.err" &
	apache=$!
	started+=($apache)
	wait_for 5 curl -s -o /dev/null --cacert "$work/cert.pem" "https://localhost:$port3/" && break
done
head -c 50000 /dev/urandom >"$work/www/file"
start_tracing -p $apache -o json || exit 1
curl -s -o /dev/null --cacert "$work/cert.pem" "https://localhost:$port3/file"
stop_tracing
check "apache2" shown "$work/out" GET /file 200 server
check "its body" equal size "$(json "$work/out" "[x['http.response.body.size'] for x in t]")" "[50000]"
finish
