#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bodies of awkward sizes, down and up over one connection: every size exact, every byte in the packets.
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

start_tracing -p "$worker" -o json:"$work/json" -w "$work/pcapng" || exit 1
curl -s --cacert "$work/cert.pem" -K "$work/curl" || echo "# curl: status $?"
stop_tracing

check "tracing went well" equal status "$status" 0
check "all over one connection" equal connections "$(json "$work/json" 'len({x["tlslens.conn.id"] for x in t})')" 1
for n in $sizes; do
	check "$n bytes down" equal "sizes and losses" "$(json "$work/json" \
		"[(x['http.response.body.size'], x['tlslens.lost_bytes']) for x in t if x['url.path'] == '/$n']")" \
		"[($n, 0)]"
	check "$n bytes up" equal "sizes and losses" "$(json "$work/json" \
		"[(x['http.request.body.size'], x['tlslens.lost_bytes']) for x in t if x['url.path'] == '/put/$n']")" \
		"[($n, 0)]"
	check "$n bytes arrived as sent" cmp "$work/www/$n" "$work/got.$n"
done
check "nothing lost by the summary" grep -qE '\+ lost 0 \+' "$work/err"

mkdir "$work/objects"
HOME=$work tshark -q -r "$work/pcapng" --export-objects "http,$work/objects" >/dev/null 2>&1
sha256sum "$work"/objects/* | awk '{ print $1 }' | sort >"$work/exported"
for n in $sizes; do
	[ "$n" -ne 0 ] || continue # tshark exports no empty objects
	sum=$(sha256sum <"$work/www/$n" | awk '{ print $1 }')
	check "$n bytes exported by tshark, down and up" equal objects "$(grep -c "$sum" "$work/exported")" 2
done
check "tshark has no complaint" equal "expert errors" "$(HOME=$work tshark -r "$work/pcapng" \
	-Y '_ws.malformed || _ws.expert.severity == error' 2>/dev/null)" ""
finish
