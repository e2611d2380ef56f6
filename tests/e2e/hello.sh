#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the hellos say, against what nginx itself logs of each request: version, suite, name of the server, ALPN
# and resumption, of TLS 1.2 and 1.3, new and resumed sessions, with and without a HelloRetryRequest; at both
# ends, over sockets and memory BIOs. A replay says the same.
source "$(dirname "$0")/lib.sh"

take_port() {
	taken=$((20000 + RANDOM % 12000))
	while ss -Hltn "sport = :$taken" | grep -q .; do taken=$((taken + 1)); done
}
take_port
tls=$taken
take_port
retry=$taken
start_nginx "" "log_format tls '\$request_uri \$ssl_protocol \$ssl_cipher \$ssl_server_name \$ssl_session_reused '
		'\$ssl_alpn_protocol';
	ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.2 TLSv1.3;
	server { listen 127.0.0.1:$tls ssl http2; ssl_session_cache shared:tls:1m; access_log tls.log tls; return 200; }
	server { listen 127.0.0.1:$retry ssl; ssl_ecdh_curve secp384r1; access_log tls.log tls; return 200; }" || exit 1

cat >"$work/memory.py" <<-'PYTHON'
import asyncio, ssl, sys
async def main(port):
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    tls.set_alpn_protocols(["http/1.1"])
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    r, w = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="memory.example")
    w.write(b"GET /memory HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n")
    await r.read()
    w.close()
asyncio.run(main(int(sys.argv[1])))
PYTHON
cat >"$work/clients.sh" <<-'SH'
ask() { # PATH PORT OPTIONS...
	path=$1
	shift
	printf 'GET %s HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n' "$path" |
		openssl s_client -quiet -connect "127.0.0.1:$@" >>"$work/s_client" 2>&1
}
name="-servername name.example"
for v in tls1_2 tls1_3; do
	ask /$v $tls $name -$v -sess_out "$work/$v"
	ask /$v-again $tls $name -$v -sess_in "$work/$v"
	ask /$v-nameless $tls -noservername -$v
	ask /$v-alpn $tls $name -$v -alpn http/1.1
done
ask /retry $retry $name -tls1_3 -groups X25519:P-384
ask /id $tls $name -tls1_2 -no_ticket -sess_out "$work/id"
ask /id-again $tls $name -tls1_2 -no_ticket -sess_in "$work/id"
ask /cbc $tls $name -tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256
ask /chacha $tls $name -tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256
for http in http1.1 http2; do
	for v in 1.2 1.3; do
		url="https://curl.example:$tls/curl-$http-$v"
		curl -sk --$http --tls-max $v --resolve "curl.example:$tls:127.0.0.1" \
			"$url" "$url-reused" -o "$work/curl1" -o "$work/curl2"
	done
done
/usr/bin/python3 "$work/memory.py" $tls
SH
requests=22

# told: of each request, by its path: version, suite, name of the server, resumption, ALPN, as nginx has it
told() {
	openssl ciphers -stdname ALL:@SECLEVEL=0 | awk '
		NR == FNR { standard[$3] = $1; next }
		{ print $1, substr($2, 5), standard[$3], $4, $5 == "r" ? "True" : "False", $2 == "TLSv1.3" || $6 == "" ? "-" : $6 }
	' - "$work/tls.log" | sort
}
seen() { # FILE ROLE: the same, as the JSON has it
	json "$1" "'\n'.join(sorted(' '.join([x['url.path']] + [str(x.get(k, '-')) for k in
		('tls.protocol.version', 'tls.cipher', 'tls.client.server_name', 'tls.resumed', 'tls.next_protocol')])
		for x in t if x['tlslens.role'] == '$2' and not x['url.path'].endswith('hello')))"
}

export work tls retry
"$program" -p "$worker" -o json:"$work/json" -o raw:"$work/raw" -w "$work/pcapng" -o text:"$work/text" -v \
	-- sh "$work/clients.sh" >"$work/out" 2>"$work/err"
check "nginx logged every request" equal requests "$(wc -l <"$work/tls.log")" $requests
check "some sessions were resumed" equal resumed "$(told | grep -c True)" 3
check "as nginx tells, at its end" equal "what the hellos say" "$(seen "$work/json" server)" "$(told)"
check "and at the clients'" equal "what the hellos say" "$(seen "$work/json" client)" "$(told)"
check "the name of the server is its address" equal addresses "$(json "$work/json" \
	"sorted({x['server.address'] for x in t})")" "['curl.example', 'memory.example', 'name.example', 'other.example']"
check "memory BIOs, too" equal evidence "$(json "$work/json" "[x['tlslens.conn.source'] for x in t
	if x['url.path'] == '/memory' and x['tlslens.role'] == 'client']")" "['record']"
check "in text" grep -q '\* TLS 1.2, TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, server name name.example, new session' \
	"$work/text"

"$program" replay "$work/raw" -o json:"$work/again" 2>>"$work/err"
check "a replay says the same" cmp "$work/json" "$work/again"
"$program" replay "$work/pcapng" -o json:"$work/packets" 2>>"$work/err"
names() { json "$1" "sorted((x['url.path'], x['server.address'], x.get('tls.client.server_name', '-')) for x in t)"; }
check "packets have the names" equal names "$(names "$work/packets")" "$(names "$work/json")"
"$program" replay "$work/raw" -o json:"$work/some" \
	--filter 'tls.resumed == true and tls.protocol.version == "1.3" and tls.client.server_name == "name.example"' \
	2>>"$work/err"
check "a filter by them" equal paths "$(json "$work/some" "[x['url.path'] for x in t]")" \
	"['/tls1_3-again', '/tls1_3-again']"
finish
