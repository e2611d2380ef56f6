#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# TLS libraries linked into programs without any symbol: OpenSSL in programs of ours, compiled and linked in several
# ways; BoringSSL in chromium; and programs that only look as if they had it, of which nothing may be read.
source "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
make_certificate
pair=("$work/cert.pem" "$work/key.pem")

# build NAME SOURCE FLAGS...: nothing is left but what the program needs to run
build() {
	local name=$1 source=$2
	shift 2
	gcc -o "$work/$name" "$here/talk/$source.c" "$@" 2>"$work/warnings" &&
		strip --strip-all --remove-section=.comment "$work/$name" || cat "$work/warnings"
}

# serve PROGRAM: sets $server and $port
serve() {
	rm -f "$work/port"
	"$work/$1" server "${pair[@]}" >"$work/port" 2>"$work/server.err" &
	server=$!
	started+=("$server")
	wait_for 10 test -s "$work/port" || { cat "$work/server.err" && return 1; }
	read -r port <"$work/port"
}

said() { # TEXT FILE
	grep -qF "$1" "$2" || { echo "'$1' is not said in:" && cat "$2" && return 1; }
}

# Both ends are the program: one is started under tracing, the other found while it waits.
both_ends_of() {
	local end
	serve "$1" && start_tracing -p "$server" -o json || return 1
	"$program" -o json:"$work/client" -- "$work/$1" client "$port" >/dev/null 2>"$work/client.err"
	wait "$server"
	equal "the server's status" $? 0 || return 1
	wait "$tracer"
	for end in "server out err" "client client client.err"; do
		set -- $end
		equal "what the $1 said" "$(json "$work/$2" "[(x['http.request.method'], x['url.path'],
			x['http.response.status_code'], x['tlslens.lost_bytes'], x['tlslens.role'],
			x['tlslens.conn.source']) for x in t]")" "[('GET', '/hello', 200, 0, '$1', 'nested')]" &&
			said "found by code shape" "$work/$3" &&
			said "captured 122 + lost 0 + filtered 0 = generated 122" "$work/$3" || return 1
	done
}
linked=(-Wl,-Bstatic -lssl -lcrypto -Wl,-Bdynamic)
build usual openssl -O2 "${linked[@]}"
build unoptimised openssl -O0 -static -lssl -lcrypto
build pie openssl -O3 -static-pie -lssl -lcrypto
build collected openssl -Os -ffunction-sections -Wl,--gc-sections -Wl,-O1 "${linked[@]}"
build gold openssl -O2 -no-pie -fuse-ld=gold -Wl,--icf=all "${linked[@]}"
# The library's own objects, in another order.
(mkdir "$work/objects" && cd "$work/objects" && ar x "$(gcc -print-file-name=libssl.a)")
# shellcheck disable=SC2046
build reordered openssl -O2 $(find "$work/objects" -name '*.o' | sort -r) -Wl,-Bstatic -lcrypto -Wl,-Bdynamic
# Nor section headers, which nothing needs at run time.
python3 - "$work/pie" "$work/bare" <<-'PYTHON'
	import sys
	program = bytearray(open(sys.argv[1], "rb").read())
	program[0x28:0x30], program[0x3c:0x40] = bytes(8), bytes(4) # e_shoff; e_shnum, e_shstrndx
	open(sys.argv[2], "wb").write(program)
PYTHON
chmod +x "$work/bare"
for name in usual unoptimised pie collected gold reordered bare; do
	check "$name: both ends, whole" both_ends_of $name
done

# Found by their shape, called, and not believed.
not_read() {
	serve "$1" && "$program" doctor -p "$server" >"$work/doctor"
	said "openssl, OpenSSL, found by code shape" "$work/doctor" || return 1
	start_tracing --no-plain -p "$server" -o json || return 1
	"$work/$1" client "$port"
	equal "the client's status" $? 0 || return 1
	wait "$tracer"
	equal output "$(cat "$work/out")" "" && said "captured 0 + lost 0 + filtered 122" "$work/err" &&
		said "called, but not seen to speak TLS: nothing of them was copied" "$work/err"
}
build decoy decoy -O2 && build framed decoy -O2 -DFRAMED
check "a decoy is not read" not_read decoy
check "a decoy with framing like that of TLS is not read" not_read framed

start_nginx "location /page { default_type text/html; return 200 'hello over TLS'; }"
chromium_speaks() {
	"$program" -o json:"$work/json" -- timeout 60 chromium --headless --no-sandbox --disable-gpu \
		--ignore-certificate-errors --user-data-dir="$work/profile" --disable-background-networking \
		--no-first-run --dump-dom "https://127.0.0.1:$port/page" >"$work/page" 2>"$work/err"
	said "hello over TLS" "$work/page" && said "chromium (BoringSSL), found by code shape" "$work/err" &&
		equal "the first exchange" "$(json "$work/json" "[(x['url.path'], x['http.response.status_code'],
			x['tlslens.lost_bytes'], x['tlslens.conn.source'])
			for x in t if 'url.path' in x and x['server.port'] == $port][0]")" \
			"('/page', 200, 0, 'nested')"
}
check "chromium, from its first request" chromium_speaks
finish
