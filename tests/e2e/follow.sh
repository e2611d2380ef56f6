#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# -f: children that a traced process starts later. The probes are then on the file for every process that maps
# it, so the library is a copy of our own.
source "$(dirname "$0")/lib.sh"

mkdir "$work/lib"
cp /usr/lib/*/libssl.so.3 "$work/lib/"
export LD_LIBRARY_PATH=$work/lib
start_nginx || exit 1
unset LD_LIBRARY_PATH
first=$worker

seen() { json "$work/json" "sorted({(x['process.pid'], x['url.query']) for x in t})"; }
replaced() {
	local now
	now=$(cat "/proc/$nginx/task/$nginx/children")
	[[ $now =~ ^[0-9]+\ ?$ ]] && [ "${now% }" != "$first" ] && worker=${now% }
}

# The master serves nothing; its worker is there before, another comes with the reload.
start_tracing -f -p "$nginx" -o json:"$work/json" || exit 1
get '/hello?worker=first' >/dev/null
kill -HUP "$nginx"
check "nginx has a new worker" wait_for 20 replaced
get '/hello?worker=second' >/dev/null
stop_tracing
check "tracing went well" equal status "$status" 0
check "the worker there was and the one to come" equal "who served" "$(seen)" \
	"[($first, 'worker=first'), ($worker, 'worker=second')]"
check "each with its parent" equal parents "$(json "$work/json" "{x['process.parent_pid'] for x in t}")" "{$nginx}"

# Without -f children are somebody else.
first=$worker
start_tracing -p "$nginx,$worker" -o json:"$work/json" || exit 1
get '/hello?worker=first' >/dev/null
kill -HUP "$nginx"
wait_for 20 replaced
get '/hello?worker=second' >/dev/null
stop_tracing
check "without -f only those named" equal "who served" "$(seen)" "[($first, 'worker=first')]"

# A server that forks for each connection, traced by its parent.
cat >"$work/forking.py" <<-'PYTHON'
import http.server, os, socketserver, ssl, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *_):
        pass
class Server(socketserver.ForkingMixIn, http.server.HTTPServer):
    def get_request(self):
        plain, address = super().get_request()
        return tls.wrap_socket(plain, server_side=True), address
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(sys.argv[1], sys.argv[2])
with Server(("127.0.0.1", 0), Handler) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
PYTHON
LD_LIBRARY_PATH=$work/lib python3 "$work/forking.py" "$work/cert.pem" "$work/key.pem" >"$work/port" &
server=$!
started+=($server)
wait_for 10 test -s "$work/port" || exit 1
port=$(cat "$work/port")
start_tracing -f -p $server -o json:"$work/json" || exit 1
for n in $(seq 20); do
	echo "($(get "/$n"), '/$n')"
done | sort >"$work/told"
stop_tracing
check "20 children of a forking server, each once" equal "who served" "$(json "$work/json" \
	"'\n'.join(sorted(str((x['process.pid'], x['url.path'])) for x in t))" | sort)" "$(cat "$work/told")"
check "every one a process of its own" equal processes "$(json "$work/json" "len({x['process.pid'] for x in t})")" 20
finish
