#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whose peer is whose, of real programs: fifty connections at once that were open before the tracing began and
# fifty more that come then, all with equal lengths; every transaction's addresses and ports are compared with what
# the programs say. peertable/rounds.py has the rules that they follow. What was seen becomes $BUILD/peers.md;
# docs/peers.md is such a table: UPDATE_DOCS=1 renews it, and it must not say anything else.
# All in a network of its own, where every port is free.
if [ -z "${PEERTABLE_INSIDE:-}" ]; then
	PEERTABLE_INSIDE=1 exec unshare --net --mount "$0" "$@"
fi
source "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)/peertable
python=/usr/bin/python3 # Debian's, which has Debian's aiohttp, httpx and grpc
export PYTHONDONTWRITEBYTECODE=1
table=$BUILD/peers.md
transactions=150 # three rounds on fifty connections
ip link set lo up
echo 0 >/proc/sys/net/ipv4/tcp_tw_reuse # ports tell connections apart
make_certificate
cat "$work/cert.pem" "$work/key.pem" >"$work/both.pem"

cat >"$table" <<-MARKDOWN
	# Peers, as tested

	Written by a run of \`tests/e2e/peertable.sh\`: each line is one end of a program that was traced while it had
	many connections at once, all with equal lengths: as many open before the tracing began as were opened under it.
	The addresses and ports of every transaction were compared with what the program itself, or the one it talked
	to, says. Transactions of connections opened under tracing are counted first, then those of connections that
	were joined late; there are none of programs that are over after one request. "Closing": with TLS 1.2, and each
	request on a connection of its own, but for the first ones.

	| program | version | as | under tracing | right | unknown | wrong | joined late | right | unknown | wrong |
	|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|
MARKDOWN

# row PROGRAM PACKAGE AS JSON TOLD ROLE SERVER_PORT OPENED LATE: the last are the transactions that there must be
row() {
	local n late
	check "$1, $3: each transaction is shown, once and whole" \
		$python "$here/compare.py" "$4" "$5" "$6" "$7"
	read -ra n < <($python "$here/compare.py" "$4" "$5" "$6" "$7" 2>/dev/null)
	check "$1, $3: as many as were made" equal transactions "${n[0]} ${n[4]}" "$8 $9"
	check "$1, $3: no peer is wrong" equal "wrong peers" "${n[3]} ${n[7]}" "0 0"
	check "$1, $3: all of connections opened under tracing are known" equal unknown "${n[2]}" 0
	late=" | | | |"
	[ "$9" = 0 ] || late=" ${n[4]} | ${n[5]} | ${n[6]} ($((100 * n[6] / n[4])) %) | ${n[7]} |"
	echo "| $1 | $(dpkg-query -W -f '${Version}' "$2") | $3 | ${n[0]} | ${n[1]} | ${n[2]} | ${n[3]} |$late" >>"$table"
}

listens_udp() { ss -Hlun "sport = :$1" | grep -q .; }
listens() { ss -Hltn "sport = :$1" | grep -q .; }

# serve NAME PORT COMMAND...: its output, which says who came, goes to $work/NAME; sets $pid
serve() {
	local name=$1 port=$2
	shift 2
	"$@" >"$work/$name" 2>"$work/$name.err" &
	pid=$!
	started+=($pid)
	wait_for 20 listens "$port" || { cat "$work/$name.err" && exit 1; }
}

# join PIDS JSON COMMAND...: starts a client, the tracing of the programs when its first connections are open, and lets
# it go on; what it says goes to $work/client. In PIDS, "client" is the client.
join() {
	local pids=$1 json=$2
	shift 2
	rm -f "$work/go" "$work/client"
	mkfifo "$work/go" && exec 6<>"$work/go"
	"$@" <&6 6>&- >"$work/client" 2>"$work/client.err" &
	client=$!
	started+=($client)
	wait_for 30 grep -q open "$work/client" || { cat "$work/client.err" && exit 1; }
	start_tracing -p "${pids/client/$client}" -o json:"$json" || exit 1
	echo go >&6
	exec 6>&-
	wait $client
	check "${*##*/}: ended well" equal status $? 0
}

# joined PIDS COMMAND...: the same, to the end; what was seen is in $work/json
joined() {
	local pids=$1
	shift
	join "$pids" "$work/json" "$@"
	stop_tracing
	check "nothing is lost" grep -q "lost 0" "$work/err"
}

# told FILE PATHS: what it says of those
told() { grep "^$2" "$1" >"$work/told"; }

own=("$work/cert.pem" "$work/key.pem")

# pair SERVER_NAME PACKAGE CLIENT_NAME PACKAGE PORT PREFIX SERVER_COMMAND -- CLIENT_COMMAND: both ends
pair() {
	local name=$1 package=$2 client_name=$3 client_package=$4 port=$5 prefix=$6 command=() server
	shift 6
	while [ "$1" != -- ]; do command+=("$1") && shift; done
	shift
	serve "server.$port" "$port" "${command[@]}" server "$port" "${own[@]}"
	server=$pid
	joined "$server,client" "$@" client "$port" "$work/cert.pem"
	kill $server
	told "$work/server.$port" "$prefix/c"
	[ -z "$name" ] ||
		row "$name" "$package" server "$work/json" "$work/told" server "$port" "$opened" "$late"
	[ -z "$client_name" ] ||
		row "$client_name" "$client_package" client "$work/json" "$work/told" client "$port" "$opened" "$late"
}

opened=$transactions
late=$transactions
streams=($python "$here/streams.py")
node=(node "$here/node.js")
pair "node https" nodejs "python3 asyncio" python3 4001 "" "${node[@]}" -- "${streams[@]}"
pair "python3 asyncio" python3 "node https" nodejs 4002 "" "${streams[@]}" -- "${node[@]}"
pair "aiohttp" python3-aiohttp "aiohttp" python3-aiohttp 4003 "" $python "$here/with_aiohttp.py" -- \
	$python "$here/with_aiohttp.py"
pair "" "" "httpx" python3-httpx 4004 "" "${streams[@]}" -- $python "$here/with_httpx.py"
pair "grpc" python3-grpcio "grpc" python3-grpcio 4005 /peers.Peers $python "$here/with_grpc.py" -- \
	$python "$here/with_grpc.py"

# New connections for each request, but for the first of those that were joined late.
opened=250
late=50
closing() { # OPENSSL_CIPHER NAME_OF_IT PORT
	cat >"$work/closing" <<-SCRIPT
		exec $python "$here/streams.py" "\$@" "$1" close
	SCRIPT
	pair "node https, $2" nodejs "python3 asyncio, $2" python3 "$3" "" "${node[@]}" -- bash "$work/closing"
}
closing ECDHE-ECDSA-AES128-SHA256 "closing, CBC" 4006
closing ECDHE-ECDSA-CHACHA20-POLY1305 "closing, ChaCha20" 4007

children() { tr -d ' ' <"/proc/$1/task/$1/children"; }

# proxy NAME PACKAGE PORT COMMAND...: it listens on PORT and talks to 4000; both sides of it
proxy() {
	local name=$1 package=$2 port=$3 backend worker
	shift 3
	serve backend 4000 "${streams[@]}" server 4000 "${own[@]}"
	backend=$pid
	serve "$name" "$port" "$@"
	worker=$pid
	[ "$name" != nginx ] || worker=$(children $pid)
	joined "$worker" "${streams[@]}" client "$port" "$work/cert.pem"
	kill $pid $backend
	wait $pid $backend
	told "$work/client" /c
	row "$name" "$package" server "$work/json" "$work/told" server "$port" $transactions $transactions
	told "$work/backend" /c
	row "$name" "$package" client "$work/json" "$work/told" client 4000 $transactions $transactions
}

cat >"$work/haproxy.cfg" <<-CONF
	global
		nbthread 1
	defaults
		mode http
		timeout connect 30s
		timeout client 30s
		timeout server 30s
		timeout http-keep-alive 30s
	frontend front
		bind 127.0.0.1:4011 ssl crt $work/both.pem
		default_backend back
	backend back
		server one 127.0.0.1:4000 ssl verify none pool-purge-delay 30s
CONF
proxy haproxy haproxy 4011 haproxy -db -f "$work/haproxy.cfg"

mkdir "$work/tmp"
cat >"$work/nginx.conf" <<-CONF
	daemon off;
	worker_processes 1;
	user root;
	pid nginx.pid;
	error_log nginx.err warn;
	events { worker_connections 1024; }
	http {
		access_log off;
		client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
		uwsgi_temp_path tmp; scgi_temp_path tmp;
		upstream back { server 127.0.0.1:4000; keepalive 100; }
		server {
			listen 127.0.0.1:4012 ssl;
			ssl_certificate cert.pem;
			ssl_certificate_key key.pem;
			location / { proxy_pass https://back; proxy_http_version 1.1; proxy_set_header Connection ""; }
		}
	}
CONF
proxy nginx nginx 4012 nginx -p "$work/" -c "$work/nginx.conf" -e "$work/nginx.err"

proxy nghttpx nghttp2-proxy 4013 nghttpx --conf=/dev/null --workers=1 --single-process --no-ocsp \
	--backend-keep-alive-timeout=30 \
	"--frontend=127.0.0.1,4013" "--backend=127.0.0.1,4000;;tls" --insecure "$work/key.pem" "$work/cert.pem"

# Programs that are over after one request: a hundred connections at once, all of them under tracing.
cat >"$work/clients" <<-SCRIPT
	curl -sS -Z --parallel-immediate --parallel-max 50 --cacert "$work/cert.pem" "https://127.0.0.1:4021/c[00-49]-1" &
	for n in {50..99}; do
		printf 'GET /c%s-1 HTTP/1.1\r\nConnection: close\r\n\r\n' \$n |
			openssl s_client -quiet -CAfile "$work/cert.pem" -connect 127.0.0.1:4021 &
	done
	wait
SCRIPT
serve server.4021 4021 "${streams[@]}" server 4021 "${own[@]}"
"$program" -o json:"$work/json" -- bash "$work/clients" >"$work/out" 2>"$work/err"
told "$work/server.4021" "/c[0-4]"
row curl curl client "$work/json" "$work/told" client 4021 50 0
told "$work/server.4021" "/c[5-9]"
row "openssl s_client" openssl client "$work/json" "$work/told" client 4021 50 0

# DNS: unbound says who asks.
cat >"$work/unbound.conf" <<-CONF
	server:
		interface: 127.0.0.1@53
		interface: 127.0.0.1@853
		interface: 127.0.0.1@443
		tls-service-key: "$work/key.pem"
		tls-service-pem: "$work/cert.pem"
		incoming-num-tcp: 500
		username: ""
		chroot: ""
		directory: "$work"
		pidfile: "$work/unbound.pid"
		use-syslog: no
		logfile: ""
		module-config: "iterator"
		local-zone: "test." inform_redirect
		local-data: "test. 300 A 192.0.2.7"
		local-data: "test. 300 AAAA 2001:db8::7"
	remote-control:
		control-enable: no
CONF
serve unbound 853 unbound -d -c "$work/unbound.conf"
unbound=$pid

# asked PREFIXES: who asked for such names, by unbound's log
asked() {
	sed -nE "s/.* inform_redirect 127.0.0.1@([0-9]+) (($1)[0-9]+-[0-9]\.test)\. ([A-Z]+) IN$/\2 \4 \1/p" \
		"$work/unbound.err" >"$work/told"
}
join $unbound "$work/unbound.json" $python "$here/dot.py" "$work/cert.pem"

# All at once, each for a name of its own; what the C library asks goes to unbound, too.
ask_each() { # PREFIX COMMAND...
	local prefix=$1
	shift
	echo "for n in {00..$((questions - 1))}; do $* $prefix\$n-1.test & done"
}
questions=50
echo "nameserver 127.0.0.1" >"$work/resolv.conf"
mount --bind "$work/resolv.conf" /etc/resolv.conf
{
	ask_each dig dig +short +tries=1 @127.0.0.1
	ask_each kudp kdig +short @127.0.0.1
	ask_each ktls kdig +short +tls @127.0.0.1
	ask_each khttps kdig +short +https @127.0.0.1
	ask_each getent getent ahosts
	echo wait
} >"$work/ask"
"$program" -o json:"$work/json" -- bash "$work/ask" >"$work/out" 2>"$work/err"
umount /etc/resolv.conf
asked_row() { # NAME PACKAGE PREFIX PORT QUESTIONS
	asked "$3"
	row "$1" "$2" client "$work/json" "$work/told" client "$4" "$5" 0
}
asked_row dig bind9-dnsutils dig 53 $questions
asked_row kdig knot-dnsutils kudp 53 $questions
asked_row "kdig +tls" knot-dnsutils ktls 853 $questions
asked_row "kdig +https" knot-dnsutils khttps 443 $questions
asked_row getent libc-bin getent 53 $((2 * questions)) # A and AAAA

# stubby takes what dig asks and asks over TLS
cat >"$work/stubby.yml" <<-CONF
	resolution_type: GETDNS_RESOLUTION_STUB
	dns_transport_list: [GETDNS_TRANSPORT_TLS]
	tls_authentication: GETDNS_AUTHENTICATION_NONE
	appdata_dir: "$work"
	listen_addresses: [127.0.0.1@5300]
	upstream_recursive_servers:
	  - address_data: 127.0.0.1
	    tls_port: 853
CONF
HOME=$work stubby -C "$work/stubby.yml" >"$work/stubby" 2>&1 &
stubby=$!
started+=($stubby)
tracer_of_unbound=$tracer
wait_for 20 listens_udp 5300 || { cat "$work/stubby" && exit 1; }
start_tracing -p $stubby -o json:"$work/json" || exit 1
{ ask_each stubby dig +short +tries=1 -p 5300 @127.0.0.1 && echo wait; } >"$work/ask"
bash "$work/ask" >"$work/answers" 2>&1
stop_tracing
asked_row stubby stubby stubby 853 $questions

tracer=$tracer_of_unbound
stop_tracing

unbound_row() { # AS PREFIX PORT OPENED LATE
	asked "$2"
	row unbound unbound "$1" "$work/unbound.json" "$work/told" server "$3" "$4" "$5"
}
unbound_row "server, UDP" "dig|kudp|getent" 53 $((4 * questions)) 0
unbound_row "server, TLS" "tls|ktls|stubby" 853 $((transactions + 2 * questions)) $transactions
unbound_row "server, HTTPS" khttps 443 $questions 0

# What differs from machine to machine is the version.
lines_of() {
	grep '^|' "$1" | cut -d '|' -f 2,4-
}
[ -z "${UPDATE_DOCS:-}" ] || cp "$table" "$here/../../../docs/peers.md"
check "docs/peers.md says the same" equal table "$(lines_of "$here/../../../docs/peers.md")" "$(lines_of "$table")"
finish
