#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A response that takes its time is shown when it begins under --early, and once more when it is over.
source "$(dirname "$0")/lib.sh"

start_nginx "location /slow { limit_rate 1000; }" || exit 1
head -c 100000 /dev/zero >"$work/www/slow"

start_tracing -p "$worker" --early -o json || exit 1
get /slow -o /dev/null &
client=$!
started+=($client)
check "shown while it runs" wait_for 10 grep -q '"tlslens.early":true' "$work/out"
check "the client still waits" kill -0 $client
kill $client
wait $client 2>/dev/null
get /hello -o /dev/null
stop_tracing
check "what is known at the start, and then all" equal transactions "$(json "$work/out" "sorted(
		(x['url.path'], x.get('tlslens.early', False), x.get('http.response.status_code')) for x in t)")" \
	"[('/hello', False, 200), ('/hello', True, None), ('/slow', False, 200), ('/slow', True, None)]"
check "each is counted once" grep -q ': 2 transactions' "$work/err"
finish
