#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same traffic, with breakpoints at cheap places inside the functions and at first instructions: the same
# output. Both ends: nginx with SSL_read and SSL_write, Python with SSL_read_ex and SSL_write_ex.
source "$(dirname "$0")/lib.sh"

start_nginx || exit 1
for n in 0 1 1000 16384 16385 300000; do head -c $n /dev/urandom >"$work/www/$n"; done
cat >"$work/client.py" <<'PY'
import http.client, ssl, sys
tls = ssl.create_default_context(cafile=sys.argv[2])
for kept in (3, 1):
    c = http.client.HTTPSConnection("localhost", int(sys.argv[1]), context=tls)
    for i in range(kept):
        for n in (0, 1, 1000, 16384, 16385, 300000):
            c.request("GET", f"/{n}?{i}")
            assert len(c.getresponse().read()) == n
            c.request("POST", "/upload", body=b"x" * n)
            c.getresponse().read()
    c.close()
PY

# What must not differ between two runs, a line for each transaction.
normalised() {
	json "$1" '"\n".join(sorted(str([x["tlslens.role"], x["http.request.method"], x["url.path"],
		x.get("url.query"), x["http.response.status_code"], x["http.request.body.size"],
		x["http.response.body.size"], x["tlslens.conn.source"], x["tlslens.lost_bytes"],
		x["tlslens.truncated"]]) for x in t))'
}

for sites in cheap entry; do
	start_tracing --sites $sites -o json:"$work/$sites.json" -p "$worker" -- \
		python3 "$work/client.py" "$port" "$work/cert.pem" || exit 1
	wait $tracer
	check "$sites: tracing went well" equal status $? 0
	cp "$work/err" "$work/$sites.err"
	normalised "$work/$sites.json" >"$work/$sites"
	check "$sites: every transaction, from both ends" equal count "$(wc -l <"$work/$sites")" 96
	check "$sites: nothing lost" bash -c "! grep -E 'lost [1-9]|ADD UP' '$work/err'"
done
check "the same output" diff "$work/cheap" "$work/entry"
[ "$(uname -m)" != x86_64 ] || check "places inside functions were used" bash -c \
	"! cmp -s <(grep -o '[0-9]* cheap' '$work/cheap.err') <(grep -o '[0-9]* cheap' '$work/entry.err')"
finish
