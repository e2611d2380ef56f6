#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Addresses and ports are those that the programs themselves tell, at both ends, IPv4 and IPv6; and the
# connections that a program has open at once are not mistaken for each other.
source "$(dirname "$0")/lib.sh"

start_nginx 'location /peer { return 200 "$remote_addr $remote_port $server_addr $server_port\n"; }' || exit 1

# ends FILE PATH ROLE: "LOCAL PORT PEER PORT" of that request as the JSON has it
ends() {
	json "$1" "'\n'.join(' '.join(str(x['network.' + k]) for k in
		('local.address', 'local.port', 'peer.address', 'peer.port')) for x in t
		if x['url.path'] == '$2' and x['tlslens.role'] == '$3' and x['tlslens.conn.source'] != 'unknown')"
}
swapped() { awk '{ print $3, $4, $1, $2 }'; }

for host in 127.0.0.1 '[::1]'; do
	"$program" -p "$worker" -o json:"$work/json" -- curl -s --cacert "$work/cert.pem" \
		-w '%{local_ip} %{local_port} %{remote_ip} %{remote_port}\n' "https://$host:$port/peer" \
		>"$work/told" 2>"$work/err"
	check "$host: as nginx tells" equal "server's ends" "$(ends "$work/json" /peer server)" \
		"$(sed -n 1p "$work/told" | swapped)"
	check "$host: as curl tells" equal "client's ends" "$(ends "$work/json" /peer client)" "$(sed -n 2p "$work/told")"
done

# Eight connections open at once, used in turn by two threads, closed and opened again: descriptors are reused.
cat >"$work/many.py" <<-'PYTHON'
import http.client, ssl, sys, threading
tls = ssl.create_default_context(cafile=sys.argv[2])
def work(name):
    for again in range(3):
        open_now = [http.client.HTTPSConnection(h, int(sys.argv[1]), context=tls) for h in ("127.0.0.1", "::1") * 2]
        for n in range(12):
            c = open_now[n % 4]
            path = f"/peer/{name}-{again}-{n}"
            c.request("GET", path)
            server_saw = c.getresponse().read().decode().split()
            ends = [*c.sock.getsockname()[:2], *c.sock.getpeername()[:2]]
            sys.stdout.write(" ".join(map(str, [path, *ends])) + "\n")
            assert server_saw[:2] == [str(x) for x in c.sock.getsockname()[:2]]
        for c in open_now:
            c.close()
threads = [threading.Thread(target=work, args=(n,)) for n in "ab"]
[t.start() for t in threads]
[t.join() for t in threads]
PYTHON
"$program" -p "$worker" -o json:"$work/json" -- python3 "$work/many.py" "$port" "$work/cert.pem" \
	>"$work/told" 2>"$work/err"
of_role() { # ROLE LOCAL PEER
	json "$work/json" "'\n'.join(sorted(' '.join([x['url.path']] + [str(x[f'network.{k}.{f}'])
		for k in ('$2', '$3') for f in ('address', 'port')]) for x in t if x['tlslens.role'] == '$1'))"
}
check "72 requests over 24 connections" equal requests "$(wc -l <"$work/told")" 72
check "many at once, the client's ends" equal ends "$(of_role client local peer)" "$(LC_ALL=C sort "$work/told")"
check "many at once, the server's ends" equal ends "$(of_role server peer local)" "$(LC_ALL=C sort "$work/told")"
check "and all proven" equal evidence "$(json "$work/json" \
	"sorted({x['tlslens.conn.source'] for x in t} - {'nested', 'cached'})")" "[]"

# s_server -HTTP sends a file, header section included, through the filter BIO; over IPv6, the server's end
for _ in 1 2 3 4 5; do
	port2=$((20000 + RANDOM % 20000))
	(cd "$work/www" && exec openssl s_server -accept "[::1]:$port2" -cert "$work/cert.pem" -key "$work/key.pem" \
		-HTTP >"$work/s_server" 2>&1) &
	server=$!
	started+=($server)
	wait_for 5 grep -q ACCEPT "$work/s_server" && break
done
{ printf 'HTTP/1.0 200 OK\r\n\r\n' && head -c 40000 /dev/zero; } >"$work/www/file.txt"
start_tracing -p $server -o json:"$work/json" || exit 1
curl -s -o "$work/got" -w '%{local_ip} %{local_port} %{remote_ip} %{remote_port}\n' --cacert "$work/cert.pem" \
	"https://[::1]:$port2/file.txt" >"$work/told"
stop_tracing
check "openssl s_server -HTTP: as curl tells" equal "server's ends" \
	"$(ends "$work/json" /file.txt server)" "$(swapped <"$work/told")"
check "and its file, whole" equal "sizes" "$(stat -c %s "$work/got") $(json "$work/json" \
	"[(x['http.response.body.size'], x['tlslens.lost_bytes']) for x in t]")" "40000 [(40000, 0)]"
finish
