#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# DNS of real programs in a network of its own: clients and servers over UDP, TCP and TLS, each exchange seen at both
# ends. What an end calls its peer's port is compared with what the other one calls its own.
if [ -z "${DNS_SH_INSIDE:-}" ]; then
	DNS_SH_INSIDE=1 exec unshare --net --mount "$0" "$@"
fi
source "$(dirname "$0")/lib.sh"
ip link set lo up

make_certificate
start_unbound <<-CONF || exit 1
	interface: 127.0.0.1@53
	interface: ::1@53
	interface: 127.0.0.1@853
	tls-service-key: "$work/key.pem"
	tls-service-pem: "$work/cert.pem"
	do-not-query-localhost: no
	local-data: "a.test. 300 AAAA 2001:db8::7"
	local-data: "many.test. 300 A 192.0.2.1"
	local-data: "many.test. 300 A 192.0.2.2"
	local-data: "m.test. 300 MX 10 mail.test."
	local-data: 't.test. 300 TXT "one; two"'
	local-data: "s.test. 300 SRV 1 2 443 a.test."
	local-data: 'c.test. 300 CAA 0 issue "ca.test"'
	local-data: 'n.test. 300 NAPTR 1 2 "u" "sip" "!x!y!" .'
	local-data: "d.test. 300 DS 1 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	local-data: "l.test. 300 TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	local-data: "h.test. 300 HTTPS 1 . alpn=h2"
	local-data: "x.test. 300 TYPE65400 \# 3 010203"
	local-data: 'long.test. 300 TXT "$(printf %0250d 1)" "$(printf %0250d 2)"'
CONF
start_tracing -p $unbound -o json:"$work/server" -w "$work/server.pcapng" || exit 1

: >"$work/clients"
traced() { # COMMAND...: under a tracer of its own; what it printed is in $work/said
	"$program" -q -o json:"$work/one" -- "$@" >"$work/said" 2>"$work/err" || return 1
	cat "$work/one" >>"$work/clients"
}

# as_dig NAME TYPE: the answers are those that dig prints, as far as spelling goes
as_dig() {
	traced dig +short +tries=1 @127.0.0.1 "$1" "$2" || return 1
	python3 - "$work/said" "$work/one" "$2" <<-'PY'
	import json, re, sys
	said = sorted(line.strip() for line in open(sys.argv[1], encoding="utf-8"))
	(t,) = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
	plain = lambda s: re.sub(r"[\s\"'.]", "", s).lower()
	seen = [a.removeprefix(sys.argv[3] + " ") for a in t["dns.answers"]]
	assert t["dns.question.type"] == sys.argv[3], t["dns.question.type"]
	assert t["dns.response_code"] == "NOERROR", t["dns.response_code"]
	assert sorted(map(plain, said)) == sorted(map(plain, seen)), (said, seen)
	PY
}
for row in a.test:A a.test:AAAA many.test:A m.test:MX t.test:TXT s.test:SRV c.test:CAA n.test:NAPTR d.test:DS \
	l.test:TLSA h.test:HTTPS x.test:TYPE65400; do
	check "dig: ${row#*:}" as_dig "${row%:*}" "${row#*:}"
done

one() { equal "$1" "$(json "$work/one" "$2")" "$3"; }
tcp() { traced dig +tcp +short @127.0.0.1 a.test && one transport 't[0]["network.transport"]' tcp; }
check "dig over TCP" tcp
truncated() {
	traced dig +noedns +short @127.0.0.1 long.test TXT && one "datagram, then stream" \
		'[(x["network.transport"], "tc" in x["tlslens.dns.flags"], len(x.get("dns.answers", []))) for x in t]' \
		"[('udp', True, 0), ('tcp', False, 1)]"
}
check "dig: truncated, then over TCP" truncated
v6() { traced dig +short @::1 a.test && one peer 't[0]["network.peer.address"]' ::1; }
check "dig over IPv6" v6
nothing() { traced dig @127.0.0.1 nothing.test && one code 't[0]["dns.response_code"]' NXDOMAIN; }
check "a name that is not there" nothing
# glibc asks for A and AAAA by one sendmmsg.
echo "nameserver 127.0.0.1" >"$work/resolv.conf"
mount --bind "$work/resolv.conf" /etc/resolv.conf
both() {
	traced getent ahosts a.test && one types 'sorted(x["dns.question.type"] for x in t)' "['A', 'AAAA']"
}
check "getent: both questions" both
python_asks() {
	traced python3 -c 'import socket; print(socket.getaddrinfo("many.test", 80, socket.AF_INET, socket.SOCK_STREAM))' &&
		one addresses 'sorted(t[0]["dns.resolved_ip"])' "['192.0.2.1', '192.0.2.2']"
}
check "python" python_asks
# The name that a process looked up is its peer's when it then talks to that address.
looked_up() { # debug
	traced curl -s -o "$work/none" --max-time 5 "http://local.test:$web/" &&
		one name '[x.get("tlslens.peer.dns_name") for x in t if x["event.name"] == "http.exchange"]' "['local.test']"
}
# The address alone is what it connects to.
looked_up_for_tls() {
	traced /usr/bin/python3 -c 'import http.client, socket, ssl, sys
at = socket.getaddrinfo("local.test", int(sys.argv[1]), socket.AF_INET, socket.SOCK_STREAM)[0][4]
c = http.client.HTTPSConnection(*at, context=ssl._create_unverified_context())
c.request("GET", "/")
c.getresponse().read()' "$port" &&
		one name '[x.get("tlslens.peer.dns_name") for x in t if x["event.name"] == "http.exchange"]' "['local.test']"
}
mkdir "$work/www"
python3 -u -m http.server -d "$work/www" --bind 127.0.0.1 0 >"$work/web" 2>&1 &
started+=($!)
wait_for 10 grep -q "port" "$work/web"
web=$(sed -nE 's/.* port ([0-9]+).*/\1/p' "$work/web")
cat >"$work/local.conf" <<-CONF
server:
	interface: 127.0.0.3@53
	username: ""
	chroot: ""
	directory: "$work"
	pidfile: "$work/local.pid"
	use-syslog: no
	logfile: ""
	local-data: "local.test. 300 A 127.0.0.1"
	local-zone: "test." static
CONF
unbound -d -c "$work/local.conf" 2>"$work/local.log" &
started+=($!)
local_answers() { dig +short +time=1 +tries=1 @127.0.0.3 local.test | grep -q 127.0.0.1; }
wait_for 10 local_answers
echo "nameserver 127.0.0.3" >"$work/resolv.conf"
check "curl: its peer's name is what it looked up" looked_up
start_nginx '' || exit 1
check "python, TLS to the bare address: that name, too" looked_up_for_tls
grep -v '"network.peer.address":"127.0.0.[23]"\|http.exchange' "$work/clients" >"$work/clients.1"

# A server that never answers: glibc asks again by the same socket, and gives up.
python3 -c 'import signal, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.2", 53))
open("'"$work"'/silent", "w").close()
signal.pause()' &
started+=($!)
wait_for 10 test -e "$work/silent"
printf 'nameserver 127.0.0.2\noptions timeout:1 attempts:2\n' >"$work/resolv.conf"
unanswered() {
	traced getent ahosts a.test
	one answers '[(x.get("tlslens.partial"), x.get("tlslens.dns.retransmissions")) for x in t]' \
		'[(True, 1), (True, 1)]'
}
check "nobody answers: asked again, and no answer" unanswered

# Over TLS, through the probes.
over_tls() {
	traced kdig +tls +short @127.0.0.1 a.test && one sources 't[0]["tlslens.conn.source"] != "unknown"' True &&
		one transport 't[0]["tlslens.dns.transport"]' dot
}
check "kdig over TLS" over_tls
cp "$work/one" "$work/tls"
stop_tracing

check "every datagram that dig sees, the server sees, with the other's port" python3 - "$work/clients.1" \
	"$work/server" <<'PY'
import json, sys
def read(path):
    return [json.loads(line) for line in open(path, encoding="utf-8")]
client, server = read(sys.argv[1]), read(sys.argv[2])
key = lambda t: (t["dns.id"], t["dns.question.name"], t["dns.question.type"])
at_server = {}
for t in server:
    at_server.setdefault(key(t), []).append(t)
wrong = missing = unknown = 0
for t in client:
    if "network.peer.port" not in t or t["network.peer.port"] != 53:
        continue
    found = at_server.get(key(t), [])
    missing += not found
    for s in found:
        unknown += "network.peer.port" not in s
        wrong += "network.peer.port" in s and s["network.peer.port"] != t["network.local.port"]
assert client and not (wrong or missing or unknown), (len(client), wrong, missing, unknown)
PY
check "nothing is lost" grep -q "lost 0" "$work/err"
check "tshark takes every message for DNS" python3 - "$work/server.pcapng" "$work/server" <<'PY'
import json, subprocess, sys
n = subprocess.run(["tshark", "-r", sys.argv[1], "-Y", "udp && dns.flags.response == 0", "-T", "fields",
                    "-e", "dns.id"], capture_output=True, text=True, check=True).stdout.split()
bad = subprocess.run(["tshark", "-r", sys.argv[1], "-Y", "udp && (!dns || _ws.malformed)"],
                     capture_output=True, text=True, check=True).stdout
lines = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
want = sum(t.get("network.transport") == "udp" and not t.get("tlslens.partial") for t in lines)
assert not bad and len(n) >= want > 10, (bad[:200], len(n), want)
PY
umount /etc/resolv.conf
finish
