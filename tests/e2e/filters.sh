#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Filters: what cannot fit by its addresses and ports is not copied, which the kernel side counts; what fits is all
# there; what only the bytes can tell is copied. Expressions of the manual page, and columns of errors.
source "$(dirname "$0")/lib.sh"

other=$((41000 + RANDOM % 9000))
start_nginx "location /slow { alias www/big; limit_rate 50k; }" "server {
	listen 127.0.0.1:$other ssl;
	ssl_certificate cert.pem;
	ssl_certificate_key key.pem;
	location / { return 200 'from the other\n'; }
}" || exit 1

# One request to each server, on connections of their own; the second's has more bytes.
ask_both() {
	get /hello >/dev/null
	curl -s --cacert "$work/cert.pem" -A "$(printf '%01000d' 0)" "https://localhost:$other/other" >/dev/null
}

# trace EXPRESSION [OPTIONS...]: of the server, while both are asked
trace() {
	local filter=$1
	shift
	start_tracing -p "$worker" --filter "$filter" -o "json:$work/json" "$@" || return 1
	ask_both
	stop_tracing
}
paths() { json "$work/json" "sorted(x['url.path'] for x in t)"; }
counted() { # 1: captured, 2: filtered, 3: generated
	sed -nE "s/.*captured ([0-9]+) \+ lost 0 \+ filtered ([0-9]+) = generated ([0-9]+) bytes/\\$1/p" "$work/err"
}

# expect NAME EXPRESSION PATHS CAPTURED FILTERED: none, some or all of the bytes
expect() {
	local all
	trace "$2"
	check "$1: what is shown" equal paths "$(paths)" "$3"
	all=$(counted 3)
	check "$1: captured" amount "$(counted 1)" "$4" "$all"
	check "$1: filtered" amount "$(counted 2)" "$5" "$all"
}
amount() { # BYTES WHAT ALL
	case $2 in
	none) equal bytes "$1" 0 ;;
	all) [ "$3" -gt 1000 ] && equal bytes "$1" "$3" ;;
	some) [ "$1" -gt 100 ] && [ "$1" -lt "$3" ] ;;
	esac || { echo "$1 of $3 bytes" && return 1; }
}

expect "nothing fits" 'server.port == 1' '[]' none all
check "which is said" grep -q 'that do not fit --filter' "$work/err"
expect "no address fits" \
	'network.peer.address in ("192.0.2.1", "2001:db8::1") and http.response.status_code >= 100' '[]' none all
expect "one server's port" "network.local.port == $port" "['/hello']" some some
expect "the other's" \
	"network.local.port > $((other - 1)) and tlslens.role == 'server' or client.port == 1" "['/other']" some some
expect "the path is in the bytes" 'url.path == "/other" or server.port == 1' "['/other']" all none

# What is spoken is known after the first call; from then on nothing is copied of what is not asked for.
protocol() { # EXPRESSION
	start_tracing -p "$worker" --filter "$1" -o "json:$work/json" || return 1
	get /slow >"$work/body"
	stop_tracing
}
mkdir -p "$work/www" && head -c 100000 /dev/zero >"$work/www/big"
protocol 'network.protocol.name == "dns"'
check "another protocol: what is shown" equal paths "$(paths)" '[]'
check "another protocol: filtered" amount "$(counted 2)" some "$(counted 3)"
check "which is said" grep -q 'nothing that was seen fits --filter' "$work/err"
protocol 'network.protocol.name != "dns" or server.port == 1'
check "that protocol: what is shown" equal paths "$(paths)" "['/slow']"
check "that protocol: captured" amount "$(counted 1)" all "$(counted 3)"

trace 'server.port == 1' -w "$work/pcapng"
check "packets are not filtered" equal requests "$(tshark -r "$work/pcapng" -Y http.request 2>/dev/null | wc -l)" 2
trace 'server.port == 1' -o "raw:$work/raw"
"$program" replay "$work/raw" -o "json:$work/json" -q 2>"$work/err"
check "nor are recordings" equal paths "$(paths)" "['/hello', '/other']"

column() { # EXPRESSION
	"$program" --filter "$1" -p 1 2>&1 | sed -nE 's/.*--filter, column ([0-9]+): .*/\1/p'
}
check "the column of a wrong name" equal column "$(column 'server.port == 1 and nme == 2')" 22
check "of a wrong value" equal column "$(column 'url.path ~ "("')" 12
check "of a missing parenthesis" equal column "$(column '(server.port == 1')" 18
finish
