#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# TLS on the sockets of a process, but no plaintext: said at the end, process by process, with the reason; and not
# of those whose plaintext was seen.
source "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
make_certificate

said() { # EXTENDED_REGEX FILE
	grep -qE "$1" "$2" || { echo "'$1' is not said in:" && cat "$2" && return 1; }
}
unread='\[[0-9]+\]: TLS on 1 of its sockets, but no plaintext'

# A library that is known, but linked in and without symbols: there is nothing to find it by.
gcc -O2 -o "$work/opaque" "$here/talk/mbedtls.c" -Wl,-Bstatic -lmbedtls -lmbedx509 -lmbedcrypto -Wl,-Bdynamic &&
	strip --strip-all "$work/opaque" || exit 1
"$work/opaque" server "$work/cert.pem" "$work/key.pem" >"$work/port" 2>"$work/server.err" &
server=$!
started+=("$server")
wait_for 10 test -s "$work/port" || exit 1
read -r port <"$work/port"
start_tracing -p $server -o json -o raw:"$work/raw" || exit 1
"$program" -o json:"$work/client" -- "$work/opaque" client "$port" >"$work/answer" 2>"$work/client.err"
wait $server
wait $tracer
check "a server whose library cannot be found" said "  opaque$unread: no TLS library" "$work/err"
check "and its client" said "  opaque$unread: no TLS library" "$work/client.err"
check "which is why there is nothing to show" said "nothing to show: TLS was seen on sockets only" "$work/err"
check "nothing is shown" equal sizes "$(cat "$work/out" "$work/client" | wc -c)" 0
"$program" replay "$work/raw" -o json >"$work/out" 2>"$work/replay.err"
check "a replay says it, too" said "  opaque$unread" "$work/replay.err"

start_nginx || exit 1
"$program" -o json -- curl -s "https://127.0.0.1:$port/hello" >"$work/out" 2>"$work/err"
check "a client that does not trust the server" said "  curl$unread: .*a handshake failed" "$work/err"

# A relay speaks no TLS itself; nginx behind it and curl before it are read.
cat >"$work/relay.py" <<-'PYTHON'
import socket, sys, threading
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
def pump(a, b):
    while data := a.recv(65536):
        b.sendall(data)
    b.shutdown(socket.SHUT_WR)
while True:
    a = listener.accept()[0]
    b = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    for pair in ((a, b), (b, a)):
        threading.Thread(target=pump, args=pair).start()
PYTHON
/usr/bin/python3 "$work/relay.py" "$port" >"$work/relay" &
relay=$!
started+=($relay)
wait_for 10 test -s "$work/relay" || exit 1
read -r relay_port <"$work/relay"
"$program" -p "$relay,$worker" -o json:"$work/json" -- \
	curl -sk -o "$work/answer" "https://127.0.0.1:$relay_port/hello" 2>"$work/err"
check "a relay" said "  python3\[$relay\]: TLS on 2 of its sockets, but no plaintext: " "$work/err"
check "and nobody else" equal lines "$(grep -c 'but no plaintext' "$work/err")" 1
check "what goes through it is seen at its ends" equal requests "$(json "$work/json" \
	"sorted(x['tlslens.role'] for x in t)")" "['client', 'server']"
finish
