#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make demo: a private nginx with a certificate of its own on a free port of the loopback, its worker and
# a few curls traced while real HTTPS requests run. Prints the transactions as they happen and leaves
# demo.pcapng in the current directory, nothing else.
set -eu
PATH=$PATH:/usr/sbin # where nginx is
program=$(realpath "${BUILD:-build}")/tlslens
work=$(mktemp -d)
nginx=
root=()
[ "$(id -u)" -eq 0 ] || root=(sudo)

clean_up() {
	if [ -n "$nginx" ]; then
		kill "$nginx" 2>/dev/null || true
		wait "$nginx" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -keyout "$work/key.pem" -out "$work/cert.pem" 2>"$work/openssl.log" ||
	{ cat "$work/openssl.log" >&2; exit 1; }

configure() { # PORT
	cat >"$work/nginx.conf" <<-CONF
	daemon off;
	worker_processes 1;
	pid nginx.pid;
	error_log stderr error;
	$([ "$(id -u)" -ne 0 ] || echo "user root;")
	events { }
	http {
		access_log off;
		client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
		uwsgi_temp_path tmp; scgi_temp_path tmp;
		server {
			listen 127.0.0.1:$1 ssl;
			ssl_certificate cert.pem;
			ssl_certificate_key key.pem;
			location / { return 200 "hello over TLS\n"; }
			location /login { add_header Set-Cookie "session=8f14e45f; HttpOnly"; return 204; }
			location /old { return 301 /; }
			location /missing { return 404 "nothing here\n"; }
			location /upload { root .; dav_methods PUT; }
		}
	}
	CONF
}

# The port is free when nginx could take it.
worker=
for _ in 1 2 3 4 5 6 7 8; do
	port=$((20000 + RANDOM % 20000))
	configure $port
	nginx -p "$work/" -c "$work/nginx.conf" -e stderr 2>"$work/nginx.log" &
	nginx=$!
	for _ in $(seq 100); do
		kill -0 $nginx 2>/dev/null || break
		worker=$(cat "/proc/$nginx/task/$nginx/children" 2>/dev/null || true)
		[ -n "$worker" ] && break
		sleep 0.05
	done
	[ -n "$worker" ] && break
	wait $nginx || nginx=
done
[ -n "$worker" ] || { echo "nginx did not start:" >&2; cat "$work/nginx.log" >&2; exit 1; }
worker=${worker// /}

head -c 100000 /dev/urandom >"$work/file"
cat >"$work/requests.sh" <<REQUESTS
get() { curl -s -o /dev/null --cacert "$work/cert.pem" --connect-to "::127.0.0.1:$port" "\$@"; }
get https://localhost:$port/
get https://localhost:$port/search?q=tls\&token=s3cret -H 'Authorization: Bearer s3cret'
get https://localhost:$port/login -d user=me -d password=s3cret
get https://localhost:$port/old -o /dev/null https://localhost:$port/missing
get https://localhost:$port/upload -T $work/file
REQUESTS

echo "nginx worker $worker serves https://localhost:$port/; tracing it and every curl" >&2
"${root[@]}" "$program" -o text -w demo.pcapng -p "$worker" -- sh "$work/requests.sh"
[ ${#root[@]} -eq 0 ] || sudo chown "$(id -u):$(id -g)" demo.pcapng
echo "Packets for Wireshark: demo.pcapng ($(stat -c %s demo.pcapng) bytes)" >&2
