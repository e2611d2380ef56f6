# SPDX-License-Identifier: GPL-2.0-or-later
# What the end-to-end tests share; sourced by them. Servers are private ones on free ports of the loopback,
# started here and ended by the trap; files live in $work.
set -u
PATH=$PATH:/usr/sbin
program=${TLSLENS:?}
work=$(mktemp -d)
started=()
failures=0
kept=0 # files of JSON lines

clean_up() {
	local pid
	for pid in "${started[@]}"; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' TERM INT

# check NAME COMMAND...: one test, true or false; what the command prints is shown when it is false.
check() {
	local name=$1
	shift
	if "$@" >"$work/check.out" 2>&1; then
		echo "ok - $name"
	else
		echo "not ok - $name"
		sed 's/^/# /' "$work/check.out"
		[ ! -s "$work/err" ] || sed 's/^/# stderr: /' "$work/err"
		failures=$((failures + 1))
	fi
}

# equal WHAT GOT WANTED
equal() {
	[ "$2" = "$3" ] || { echo "$1 is '$2', not '$3'" && return 1; }
}

# wait_for SECONDS COMMAND...: polls until it is true
wait_for() {
	local until=$((SECONDS + $1))
	shift
	until "$@" 2>/dev/null; do
		[ $SECONDS -lt $until ] || return 1
		sleep 0.02
	done
}

make_certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost \
		-addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 \
		-keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
}

# start_nginx [LOCATIONS [SERVERS]]: sets $port, $nginx (master) and $worker (one process); serves $work/www.
start_nginx() {
	local locations=${1:-} servers=${2:-} tries
	[ -f "$work/cert.pem" ] || make_certificate
	mkdir -p "$work/www" "$work/tmp"
	chmod 711 "$work" "$work/tmp"
	for tries in 1 2 3 4 5 6 7 8; do
		port=$((20000 + RANDOM % 20000))
		cat >"$work/nginx.conf" <<-CONF
		daemon off;
		worker_processes 1;
		pid nginx.pid;
		error_log nginx.err warn;
		$([ "$(id -u)" -ne 0 ] || echo "user root;")
		events { worker_connections 1024; }
		http {
			default_type application/octet-stream;
			access_log access.log;
			keepalive_requests 1000000;
			client_max_body_size 0;
			client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
			uwsgi_temp_path tmp; scgi_temp_path tmp;
			server {
				listen 127.0.0.1:$port ssl;
				listen [::1]:$port ssl;
				ssl_certificate cert.pem;
				ssl_certificate_key key.pem;
				root www;
				location /hello { return 200 "hello over TLS\n"; }
				location /upload { return 200 "taken\n"; }
				$locations
			}
			$servers
		}
		CONF
		nginx -p "$work/" -c "$work/nginx.conf" -e "$work/nginx.err" &
		nginx=$!
		started+=("$nginx")
		wait_for 10 serving && return 0
		kill $nginx 2>/dev/null
	done
	cat "$work/nginx.err"
	return 1
}

serving() {
	kill -0 "$nginx" || return 0
	worker=$(cat "/proc/$nginx/task/$nginx/children")
	worker=${worker%% *}
	[ -n "$worker" ] && curl -s -o /dev/null --cacert "$work/cert.pem" "https://localhost:$port/hello"
}

get() { # PATH [CURL OPTIONS...]
	local path=$1
	shift
	curl -s --cacert "$work/cert.pem" "$@" "https://localhost:$port$path"
}

# A DNS server on port 53 of a network of the test's own, which knows a.test; standard input: more lines of its
# configuration's "server:", interfaces at least. Sets $unbound.
start_unbound() {
	{
		cat <<-CONF
			server:
			username: ""
			chroot: ""
			directory: "$work"
			pidfile: "$work/unbound.pid"
			use-syslog: no
			logfile: ""
			module-config: "iterator"
			local-zone: "test." static
			local-data: "a.test. 300 A 192.0.2.7"
		CONF
		cat
		printf 'remote-control:\n\tcontrol-enable: no\n'
	} >"$work/unbound.conf"
	unbound -d -c "$work/unbound.conf" 2>"$work/unbound.log" &
	unbound=$!
	started+=($unbound)
	wait_for 10 unbound_answers || { cat "$work/unbound.log" && return 1; }
}
unbound_answers() { dig +short +time=1 +tries=1 @127.0.0.1 a.test | grep -q 192.0.2.7; }

# start_caddy: Go's; sets $port and $caddy, serves /hello with the certificate of make_certificate.
start_caddy() {
	local tries
	for tries in 1 2 3 4 5; do
		port=$((20000 + RANDOM % 20000))
		cat >"$work/Caddyfile" <<-CADDY
			{
				admin off
				auto_https off
			}
			https://localhost:$port {
				bind 127.0.0.1
				tls $work/cert.pem $work/key.pem
				respond /hello "hello over TLS"
			}
		CADDY
		HOME=$work XDG_DATA_HOME=$work XDG_CONFIG_HOME=$work \
			caddy run --config "$work/Caddyfile" >"$work/caddy" 2>&1 &
		caddy=$!
		started+=($caddy)
		wait_for 10 get /hello -o /dev/null && return
	done
	cat "$work/caddy"
	return 1
}
# start_tracing ARGS...: sets $tracer once every probe is in place; its streams go to $work/out and $work/err.
# Descriptors 6 and 7 are the tests' own.
start_tracing() {
	local line
	mkfifo "$work/ready.$$" && exec 9<>"$work/ready.$$"
	rm "$work/ready.$$"
	"$program" --ready-fd 8 "$@" 8>&9 9>&- 7>&- 6>&- >"$work/out" 2>"$work/err" &
	tracer=$!
	started+=("$tracer")
	while ! read -r -t 1 -u 9 line; do
		kill -0 $tracer 2>/dev/null || break
	done
	exec 9>&-
	kill -0 $tracer 2>/dev/null || { cat "$work/err" && return 1; }
}

# stop_tracing: ends it as Ctrl-C does; $status is what it said.
stop_tracing() {
	kill -INT $tracer 2>/dev/null
	wait $tracer
	status=$?
	keep_lines
}

# JSON lines are checked at the end, and the next run may write to the same files.
keep_lines() {
	local file
	mkdir -p "$work/.lines"
	for file in "$work"/*; do
		[ ! -f "$file" ] || [ -L "$file" ] || ! head -c 14 "$file" | grep -qxF '{"@timestamp":' ||
			cp "$file" "$work/.lines/${file##*/}.$((++kept))"
	done
}

# Every line of -o json that the test left or made, of the run itself or a replay.
lines_are_valid() {
	local here
	here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
	python3 "$here/fixtures/json/validate.py" "$here/../docs/schema.json" --in "$work"
}

# json FILE EXPRESSION: evaluates Python over t, the list of transactions; prints the result.
json() {
	python3 -c '
import json, sys
t = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
print(eval(sys.argv[2]))' "$1" "$2"
}

# Programs of the kinds that tlslens loads which no process holds, directly or by a link. (awk ends at a file that is
# gone, cat does not.)
abandoned_programs() {
	comm -23 <(bpftool prog list |
		sed -nE 's/^([0-9]+): (kprobe|raw_tracepoint|syscall|cgroup_sock_addr) .*/\1/p' | sort) \
		<(cat /proc/[0-9]*/fdinfo/* 2>/dev/null | awk '/^prog_id:/ { print $2 }' | sort -u)
}
nothing_abandoned() { [ -z "$(abandoned_programs)" ]; }

finish() {
	check "every JSON line is valid by docs/schema.json" lines_are_valid
	check "no BPF program is left behind" wait_for 10 nothing_abandoned
	[ $failures -eq 0 ]
}
