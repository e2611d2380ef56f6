#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bodies of awkward sizes, down and up over one connection: every size exact, every byte in the packets, at
# the server's end and at the client's.
source "$(dirname "$0")/lib.sh"
sizes="0 1 8191 8192 9000 16384 16385 100000 1048576"

start_nginx "location /put/ { proxy_pass http://unix:$work/inner.sock; }" \
	"server { listen unix:$work/inner.sock; location / { return 200 \"taken\\n\"; } }" || exit 1
for n in $sizes; do
	head -c "$n" /dev/urandom >"$work/www/$n"
	cat >>"$work/curl" <<-CONFIG
	url = "https://localhost:$port/$n"
	output = "$work/got.$n"
	CONFIG
done
for n in $sizes; do
	cat >>"$work/curl" <<-CONFIG
	next
	cacert = "$work/cert.pem"
	silent
	url = "https://localhost:$port/put/$n"
	data-binary = "@$work/www/$n"
	output = "/dev/null"
	CONFIG
done

# whole END: what $work/json, $work/pcapng and $work/err say of the exchange, seen at that end
whole() {
	local n sum
	check "$1: all over one connection" equal connections \
		"$(json "$work/json" 'len({x["tlslens.conn.id"] for x in t})')" 1
	mkdir "$work/objects.$1"
	HOME=$work tshark -q -r "$work/pcapng" --export-objects "http,$work/objects.$1" >/dev/null 2>&1
	sha256sum "$work/objects.$1"/* | awk '{ print $1 }' >"$work/exported"
	for n in $sizes; do
		check "$1: $n bytes down" equal "sizes and losses" "$(json "$work/json" \
			"[(x['http.response.body.size'], x['tlslens.lost_bytes']) for x in t if x['url.path'] == '/$n']")" \
			"[($n, 0)]"
		check "$1: $n bytes up" equal "sizes and losses" "$(json "$work/json" \
			"[(x['http.request.body.size'], x['tlslens.lost_bytes']) for x in t if x['url.path'] == '/put/$n']")" \
			"[($n, 0)]"
		[ "$n" -ne 0 ] || continue # tshark exports no empty objects
		sum=$(sha256sum <"$work/www/$n" | awk '{ print $1 }')
		check "$1: $n bytes exported by tshark, down and up" equal objects "$(grep -c "$sum" "$work/exported")" 2
	done
	check "$1: nothing lost by the summary" grep -qE '\+ lost 0 \+' "$work/err"
	check "$1: tshark has no complaint" equal "expert errors" "$(HOME=$work tshark -r "$work/pcapng" \
		-Y '_ws.malformed || _ws.expert.severity == error' 2>/dev/null)" ""
}

start_tracing --no-plain -p "$worker" -o json:"$work/json" -w "$work/pcapng" || exit 1
curl -s --cacert "$work/cert.pem" -K "$work/curl" || echo "# curl: status $?"
stop_tracing
check "tracing went well" equal status "$status" 0
for n in $sizes; do
	check "$n bytes arrived as sent" cmp "$work/www/$n" "$work/got.$n"
done
whole server

"$program" -o json:"$work/json" -w "$work/pcapng" -- curl -s --cacert "$work/cert.pem" -K "$work/curl" 2>"$work/err"
check "tracing a command went well" equal status $? 0
whole client
finish
