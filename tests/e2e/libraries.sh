#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every row of the table of TLS libraries against the real thing, as client and as server. What was seen becomes
# $BUILD/libraries.md; docs/libraries.md is such a table: UPDATE_DOCS=1 renews it, and it must not say anything else.
source "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
table=$BUILD/libraries.md
android=/usr/lib/$(uname -m)-linux-gnu/android

cat >"$table" <<-MARKDOWN
	# TLS libraries, as tested

	Written by a run of \`tests/e2e/libraries.sh\`: each line is a program that was traced while it made or served one
	request over the loopback, and what tlslens showed of it.

	| library | how | program | version | role | request | response |
	|---|---|---|---|---|---|---|
MARKDOWN

version() { # PACKAGE
	dpkg-query -W -f '${Version}' "$1"
}

# one JSON_FILE EXPRESSION: of its only transaction, or what is wrong
one() {
	json "$1" "($2) if len(t) == 1 else '%d transactions' % len(t)"
}

# row LIBRARY HOW PROGRAM VERSION ROLE JSON_FILE PATH
row() {
	local request response
	request=$(one "$6" "t[0]['http.request.method'] + ' ' + t[0]['url.path']")
	response=$(one "$6" "t[0].get('http.response.status_code')")
	check "$1 ($2): $3, request" equal request "$request" "GET $7"
	check "$1 ($2): $3, response" equal response "$response" 200
	check "$1 ($2): $3, whole" equal "library, role, bytes lost" \
		"$(one "$6" "[t[0][x] for x in ('tlslens.tls.library', 'tlslens.role', 'tlslens.lost_bytes')]")" \
		"['$1', '$5', 0]"
	echo "| $1 | $2 | $3 | $4 | $5 | $request | $response |" >>"$table"
}

# build NAME SOURCE FLAGS...
build() {
	local name=$1 source=$2
	shift 2
	gcc -O2 -o "$work/$name" "$here/talk/$source.c" "$@"
}

# build_go NAME FLAGS...
build_go() {
	local name=$1
	shift
	CGO_ENABLED=0 GO111MODULE=off GOCACHE=$(realpath "$BUILD")/gocache \
		go build -o "$work/$name" "$@" "$here/talk/talk.go"
}

# With the crates of the distribution; those are compiled once.
build_rust() {
	cp -r "$here/talk/$1" "$work/$1.crate"
	(cd "$work/$1.crate" && CARGO_HOME=$work/cargo CARGO_TARGET_DIR=$BUILD/cargo cargo build --quiet --release --offline \
		--config 'source.crates-io.replace-with="dist"' \
		--config 'source.dist.directory="/usr/share/cargo/registry"') && cp "$BUILD/cargo/release/talk" "$work/$1"
}

# serve COMMAND...: starts a server that prints its port; sets $server and $port
serve() {
	rm -f "$work/port"
	"$@" >"$work/port" 2>"$work/server.err" &
	server=$!
	started+=("$server")
	wait_for 10 test -s "$work/port" || { cat "$work/server.err" && return 1; }
	read -r port <"$work/port"
}

# client LIBRARY HOW NAME VERSION
client() {
	serve "$work/plain" server "$work/cert.pem" "$work/key.pem"
	"$program" -o json:"$work/json" -- "$work/$3" client "$port" >"$work/out" 2>"$work/err"
	row "$1" "$2" "a client of ours" "$4" client "$work/json" /hello
}

# server LIBRARY HOW NAME VERSION: found by its process id, before it has done anything
server() {
	serve "$work/$3" server "$work/cert.pem" "$work/key.pem"
	start_tracing --duration 20 -p "$server" -o json || return
	"$work/plain" client "$port"
	wait "$tracer"
	row "$1" "$2" "a server of ours" "$4" server "$work/out" /hello
}

both() {
	client "$@"
	server "$@"
}

build_rust rustls & # takes longest
rust=$!
make_certificate
build plain openssl -lssl -lcrypto
build boringssl openssl -I/usr/include/android -L"$android" -Wl,-rpath,"$android" -lssl -lcrypto
build static openssl -Wl,-Bstatic -lssl -lcrypto -Wl,-Bdynamic
build exported openssl -rdynamic -Wl,-Bstatic -lssl -lcrypto -Wl,-Bdynamic && strip "$work/exported"
build gnutls gnutls -lgnutls
build wolfssl wolfssl -lwolfssl
build mbedtls mbedtls -lmbedtls -lmbedx509 -lmbedcrypto
# shellcheck disable=SC2046
build nss nss $(pkg-config --cflags --libs nss)

build_go go
build_go go-stripped -ldflags="-s -w"

both openssl shared plain "OpenSSL $(version libssl3)"
both openssl "static, symbols in .symtab" static "OpenSSL $(version libssl-dev)"
both openssl "static, symbols in .dynsym" exported "OpenSSL $(version libssl-dev)"
both openssl "BoringSSL, shared" boringssl "BoringSSL $(version android-libboringssl)"
both gnutls shared gnutls "GnuTLS $(version libgnutls30)"
both wolfssl shared wolfssl "wolfSSL $(dpkg-query -W -f '${source:Version}' libwolfssl-dev)"
both mbedtls shared mbedtls "Mbed TLS $(version libmbedtls-dev)"
both go "static, symbols in .symtab" go "$(go env GOVERSION)"
both go "static, stripped" go-stripped "$(go env GOVERSION)"
wait $rust
both rustls "static, symbols in .symtab" rustls "rustls $(version librust-rustls-dev)"
client nss shared nss "NSS $(version libnss3)"

cp "$work/static" "$work/bare" && strip "$work/bare"
both openssl "static, stripped, by code shape" bare "OpenSSL $(version libssl-dev)"
objcopy --only-keep-debug "$work/static" "$work/static.debug"
serve "$work/plain" server "$work/cert.pem" "$work/key.pem"
"$program" -o json:"$work/json" --debug-file "$work/static.debug" -- "$work/bare" client "$port" \
	>"$work/out" 2>"$work/err"
row openssl "static, stripped, --debug-file" "a client of ours" "OpenSSL $(version libssl-dev)" \
	client "$work/json" /hello

strip -o "$work/rustls-bare" "$work/rustls"
serve "$work/rustls-bare" server "$work/cert.pem" "$work/key.pem"
"$program" doctor -p "$server" >"$work/out"
check "rustls, stripped: doctor says why not" \
	grep -q 'rustls-bare: rustls-[0-9.]* seems to be linked in, but without symbols' "$work/out"
kill "$server"

# A library that nobody knows: no symbols; the user says at which offsets its functions are.
offset_of() { # addresses of code are offsets in files as ld lays them out
	nm "$work/static" | awk -v name="$1" '$3 == name { print "0x" $1 }'
}
cp "$work/static" "$work/unknown" && strip "$work/unknown"
serve "$work/plain" server "$work/cert.pem" "$work/key.pem"
"$program" -o json:"$work/json" --probe "write:$work/unknown:$(offset_of SSL_write)(ctx=1,buf=2,len=3)->len" \
	--probe "read:$work/unknown:$(offset_of SSL_read)(ctx=1,buf=2,len=3)" \
	-- "$work/unknown" client "$port" >"$work/out" 2>"$work/err"
row given "by --probe and offset" "a stripped client of ours" "OpenSSL $(version libssl-dev)" \
	client "$work/json" /hello

cat >"$work/serve.js" <<-JAVASCRIPT
	const fs = require("fs"), https = require("https");
	const own = {key: fs.readFileSync("$work/key.pem"), cert: fs.readFileSync("$work/cert.pem")};
	const server = https.createServer(own,
		(q, s) => { s.setHeader("Connection", "close"); s.end("hello\n"); });
	server.listen(0, "127.0.0.1", () => console.log(server.address().port));
JAVASCRIPT
serve node "$work/serve.js"
start_tracing --duration 20 -p "$server" -o json && "$work/plain" client "$port"
stop_tracing
row openssl "static, symbols in .dynsym" node \
	"node $(node -p process.versions.node), OpenSSL $(node -p process.versions.openssl)" \
	server "$work/out" /hello
printf 'GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >"$work/request"
"$program" --duration 20 -o json:"$work/json" -- gnutls-cli --insecure --no-ocsp -p "$port" 127.0.0.1 \
	<"$work/request" >"$work/out" 2>"$work/err"
row gnutls shared gnutls-cli "GnuTLS $(version gnutls-bin)" client "$work/json" /hello
kill "$server"

start_nginx "location /page { default_type text/html; return 200 'hello'; }"
"$program" --filter 'url.path == "/page"' -o json:"$work/json" -- timeout 60 chromium --headless --no-sandbox \
	--disable-gpu --ignore-certificate-errors --user-data-dir="$work/profile" --disable-background-networking \
	--dump-dom "https://127.0.0.1:$port/page" >"$work/out" 2>"$work/err"
row openssl "BoringSSL, static, stripped, by code shape" chromium "chromium $(version chromium)" \
	client "$work/json" /page

# Connections of a thread that are open at once, and threads: whose is what is read?
rustls_many() {
	"$program" -o json:"$work/json" -- "$work/rustls" many "$port" 6 8 >"$work/out" 2>"$work/err" || return 1
	equal "exchanges, paths, ports, answers, bytes lost" "$(json "$work/json" "(len(t),
		*(len({x[k] for x in t}) for k in ('url.path', 'network.local.port')),
		{x['http.response.status_code'] for x in t}, sum(x['tlslens.lost_bytes'] for x in t))")" \
		"(48, 48, 48, {404}, 0)"
}
check "rustls: 48 connections at once" rustls_many

serve_gnutls() { # gnutls-serv names no port of its own choice
	local tries
	for tries in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 20000))
		gnutls-serv -q --http --port "$port" --x509keyfile "$work/key.pem" --x509certfile "$work/cert.pem" \
			>"$work/gnutls-serv" 2>&1 &
		server=$!
		started+=("$server")
		wait_for 5 "$work/plain" client "$port" && return
	done
	return 1
}
serve_gnutls
start_tracing --duration 20 -p "$server" -o json && curl -s -o /dev/null -k "https://127.0.0.1:$port/hello"
stop_tracing
row gnutls shared gnutls-serv "GnuTLS $(version gnutls-bin)" server "$work/out" /hello

start_caddy
start_tracing --duration 20 -p "$caddy" -o json && get /hello --http1.1 >"$work/got"
stop_tracing
row go "static, stripped" caddy "caddy $(version caddy), $(go version "$(command -v caddy)" | cut -d ' ' -f 2)" \
	server "$work/out" /hello

# What differs from machine to machine is the version.
lines_of() {
	grep '^|' "$1" | cut -d '|' -f 2,3,4,6,7,8
}
[ -z "${UPDATE_DOCS:-}" ] || cp "$table" "$here/../../docs/libraries.md"
check "docs/libraries.md says the same" equal table "$(lines_of "$here/../../docs/libraries.md")" "$(lines_of "$table")"
finish
