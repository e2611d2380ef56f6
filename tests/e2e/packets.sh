#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Packets that other programs captured, in a network of its own: plain HTTP/1, HTTP/2, gRPC, WebSocket and DNS, over
# IPv4 and IPv6, captured by dumpcap while the servers are traced. Replay of the packets, in every format and link type,
# says what the servers' own calls say; what it does not read it counts. Then --packet-filter, pipes, and pcapng of our
# own.
if [ -z "${PACKETS_SH_INSIDE:-}" ]; then
	PACKETS_SH_INSIDE=1 exec unshare --net "$0" "$@"
fi
source "$(dirname "$0")/lib.sh"
here=$(dirname "$0")
python=/usr/bin/python3 # Debian's, which has Debian's grpc and websockets
export HOME=$work
ip link set lo up

head -c 300000 /dev/urandom >"$work/long"
mkdir "$work/www" && mv "$work/long" "$work/www"
start_nginx "" "server {
	listen 127.0.0.1:80; listen [::1]:80; location /one { return 200 one; }
}
server {
	listen 127.0.0.1:81 http2; location /two { return 200 two; }
}" || exit 1
start_unbound <<-CONF || exit 1
	interface: 127.0.0.1@53
CONF
cat >"$work/servers.py" <<-PYTHON
	import asyncio
	import grpc.aio, websockets

	async def echo(socket):
	    async for message in socket:
	        await socket.send(message)

	async def unary(request, context):
	    return request

	async def main():
	    server = grpc.aio.server()
	    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Calls", {
	        "Unary": grpc.unary_unary_rpc_method_handler(unary)}),))
	    port = server.add_insecure_port("127.0.0.1:0")
	    await server.start()
	    async with websockets.serve(echo, "127.0.0.1", 0) as ws:
	        print(port, ws.sockets[0].getsockname()[1], flush=True)
	        await asyncio.Future()

	asyncio.run(main())
PYTHON
cat >"$work/clients.py" <<-PYTHON
	import asyncio, sys
	import grpc.aio, websockets

	async def main():
	    async with grpc.aio.insecure_channel("127.0.0.1:" + sys.argv[1]) as channel:
	        for i in range(5):
	            await channel.unary_unary("/test.Calls/Unary")(b"\x0a\x02hi")
	    async with websockets.connect("ws://127.0.0.1:" + sys.argv[2] + "/echo") as ws:
	        for message in ("hello hello " * 20, bytes(300)):
	            await ws.send(message)
	            await ws.recv()

	asyncio.run(main())
PYTHON
$python "$work/servers.py" >"$work/ports" 2>"$work/servers.log" &
servers=$!
started+=($servers)
wait_for 20 test -s "$work/ports" || exit 1

capture() { # NAME OPTIONS...: dumpcap to $work/NAME, which is there when it captures
	local name=$1
	shift
	dumpcap -q "$@" -w "$work/$name" 2>"$work/$name.log" &
	captures+=($!)
	started+=($!)
	wait_for 10 test -s "$work/$name"
}
captures=()
capture lo.pcapng -i lo || exit 1
capture sll.pcap -i any -y LINUX_SLL -P || exit 1
capture sll2.pcapng -i any -y LINUX_SLL2 || exit 1
start_tracing -p "$worker,$servers,$unbound" -o json:"$work/json" -w "$work/own.pcapng" || exit 1
unbound_answers
curl -s "http://127.0.0.1/one" "http://127.0.0.1/one?again" >"$work/none"
curl -s -o "$work/none" "http://[::1]/one"
curl -s -o "$work/none" --http2-prior-knowledge "http://127.0.0.1:81/two"
curl -s -o "$work/none" -k "https://127.0.0.1:$port/long"
# shellcheck disable=SC2046
$python "$work/clients.py" $(cat "$work/ports") 2>"$work/clients.log"
dig +short @127.0.0.1 a.test >"$work/none"
dig +short @127.0.0.1 b.test >"$work/none"
curl -s -o "$work/none" "http://127.0.0.1/one?last"
echo the end >/dev/udp/127.0.0.1/9 # which answers by ICMP
for name in lo.pcapng sll.pcap sll2.pcapng; do
	wait_for 10 grep -qaz 'the end.*the end' "$work/$name" # once more in the answer
done
kill -INT "${captures[@]}" && wait "${captures[@]}"
stop_tracing

# says NAME OPTIONS...: the JSON of a file is in $work/NAME.json, the summary in $work/err
says() {
	local name=$1
	shift
	"$program" replay "$@" -o json:"$work/$name.json" 2>"$work/err"
}
# As the servers' own calls were shown, where that is not TLS.
as_traced() {
	$python - "$work/json" "$work/$1.json" <<-PY
	import json, sys
	def facts(path):
	    lines = [json.loads(line) for line in open(path, encoding="utf-8")]
	    return sorted(json.dumps({k: v for k, v in x.items() if k.startswith((
	        "event.name", "url.", "http.", "rpc.", "dns.", "client.", "server.", "network.transport", "network.type",
	        "tlslens.websocket.", "tlslens.grpc.", "tlslens.dns."))}, sort_keys=True)
	        for x in lines if x.get("url.scheme") != "https")
	traced, packets = (facts(p) for p in sys.argv[1:])
	kinds = {json.loads(x)["event.name"] for x in traced}
	assert kinds == {"http.exchange", "rpc.exchange", "dns.exchange", "websocket.message"}, kinds
	for a, b in zip(traced, packets):
	    assert a == b, a + "\n" + b
	assert len(traced) == len(packets), (len(traced), len(packets))
	PY
}
for name in lo.pcapng sll.pcap sll2.pcapng; do
	check "$name is read" says $name "$work/$name"
	check "$name: as traced" as_traced $name
	check "$name: TLS is counted" grep -q '1 connection not read, [0-9]* bytes: TLS' "$work/err"
	check "$name: what is no protocol of ours is counted" grep -q \
		'1 connection not read, 8 bytes: no protocol known' "$work/err"
	check "$name: ICMP is counted" grep -q 'skipped 1 packets: neither TCP nor UDP' "$work/err"
done

# The same packets in other formats and on other links; IPv6 is not of the type of the first packet there.
tshark -r "$work/lo.pcapng" -F pcap -w "$work/lo.pcap" 2>/dev/null
$python - "$work/lo.pcap" "$work" <<'PY'
import struct, sys
data = open(sys.argv[1], "rb").read()
packets, at = [], 24
while at < len(data):
    s, us, n, full = struct.unpack_from("<4I", data, at)
    packets.append((s, us, data[at + 16 : at + 16 + n]))
    at += 16 + n
def write(name, link, order, magic, change, packets=packets):
    with open(f"{sys.argv[2]}/{name}", "wb") as f:
        f.write(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link))
        for s, us, frame in packets:
            frame = change(frame)
            us = us * 1000 if magic == 0xA1B23C4D else us
            f.write(struct.pack(order + "4I", s, us, len(frame), len(frame)) + frame)
write("raw", 101, "<", 0xA1B2C3D4, lambda p: p[14:])
write("null", 0, "<", 0xA1B2C3D4, lambda p: struct.pack("<I", 2 if p[12] == 8 else 10) + p[14:])
write("loop", 108, "<", 0xA1B2C3D4, lambda p: struct.pack(">I", 2 if p[12] == 8 else 24) + p[14:])
write("vlan", 1, "<", 0xA1B2C3D4, lambda p: p[:12] + b"\x88\xa8\0\7\x81\0\0\5" + p[12:])
write("nanoseconds", 1, "<", 0xA1B23C4D, lambda p: p)
write("big-endian", 1, ">", 0xA1B2C3D4, lambda p: p)
write("padded", 1, "<", 0xA1B2C3D4, lambda p: p + b"pad")
# Each packet twice, and each two of TCP that follow each other the other way round.
write("twice", 1, "<", 0xA1B2C3D4, lambda p: p, [p for q in packets for p in (q, q)])
tcp = [p for p in packets if p[2][14 + (9 if p[2][12] == 8 else 6)] == 6]
write("swapped", 1, "<", 0xA1B2C3D4, lambda p: p, [p for i in range(0, len(tcp), 2) for p in tcp[i : i + 2][::-1]])
PY
same() { # NAME OPTIONS...
	local name=$1
	shift
	says "$name" "$@" "$work/$name" && cmp "$work/lo.pcap.json" "$work/$name.json"
}
check "pcap is read" says lo.pcap "$work/lo.pcap"
check "pcap: as traced" as_traced lo.pcap
for name in raw null loop vlan nanoseconds big-endian padded; do
	check "$name: the same" same $name
done
piped() { says stdin - <"$work/lo.pcap" && cmp "$work/lo.pcap.json" "$work/stdin.json"; }
check "a pipe is read" piped
check "segments of TCP" says lo.pcap --packet-filter tcp "$work/lo.pcap"
check "segments twice: the same" same twice --packet-filter tcp
check "segments twice: that is said" grep -q 'records dropped: their bytes were there before' "$work/err"
untimed() { sed -E 's/"@timestamp":"[^"]*"|"event.duration":[0-9]*|[0-9.]*[mu]?s"/T/g' "$work/$1.json" | sort; }
check "segments in another order are read" says swapped "$work/swapped"
check "segments in another order: the same" equal lines "$(untimed swapped)" "$(untimed lo.pcap)"
events() { json "$work/$1.json" "sorted({x['event.name'] for x in t}), len(t)"; }
check "--packet-filter" says few --packet-filter 'udp port 53' "$work/sll.pcap"
check "--packet-filter: what fits" equal events "$(events few)" "(['dns.exchange'], 3)"
check "--packet-filter by address" says few --packet-filter 'host ::1' "$work/lo.pcapng"
check "--packet-filter by address: what fits" equal events "$(events few)" "(['http.exchange'], 1)"
bad_filter() {
	! says few --packet-filter 'ether host 1:2:3:4:5:6' "$work/sll.pcap" && grep -q 'does not fit' "$work/err"
}
check "a filter that does not fit the link" bad_filter
head -c 100000 "$work/lo.pcap" >"$work/cut"
cut_file() {
	! says cut "$work/cut" && grep -q 'damaged at byte.*read up to there' "$work/err" && test -s "$work/cut.json"
}
check "a file that is cut is read up to there" cut_file

# pcapng of our own: through a pipe, saved again by another program, and filtered.
check "our own pcapng is read" says own "$work/own.pcapng"
own_piped() { says own2 - <"$work/own.pcapng" && cmp "$work/own.json" "$work/own2.json"; }
check "our own through a pipe" own_piped
editcap "$work/own.pcapng" "$work/saved.pcapng"
without_thread() { json "$work/$1.json" "[{k: v for k, v in x.items() if k[:7] != 'thread.'} for x in t]"; }
check "our own saved by editcap is read" says saved "$work/saved.pcapng"
check "our own saved by editcap: pids too" equal lines "$(without_thread saved)" "$(without_thread own)"
check "packets of others become packets of ours" says second -w "$work/second.pcapng" "$work/lo.pcap"
mergecap -w "$work/merged.pcapng" "$work/own.pcapng" "$work/second.pcapng"
check "two of our own merged are read" says merged "$work/merged.pcapng"
check "two of our own merged: as many lines" equal lines "$(json "$work/merged.json" 'len(t)')" \
	"$(($(json "$work/own.json" 'len(t)') + $(json "$work/second.json" 'len(t)')))"
check "our own, filtered" says few --packet-filter 'udp port 53' "$work/own.pcapng"
check "our own, filtered: what fits" equal events "$(events few)" "(['dns.exchange'], 3)"
check "our own, filtered: nothing else is said" equal conns "$(grep -c 'connection.*nginx\|python3' "$work/err")" 0
check "our own, one direction" says few --packet-filter 'src port 80' "$work/own.pcapng"
check "our own, one direction: responses without requests" equal methods "$(json "$work/few.json" \
	"[(x.get('http.request.method'), x['http.response.status_code'], 'client.port' in x) for x in t]")" \
	"[(None, 200, True), (None, 200, True), (None, 200, True), (None, 200, True)]"
finish
