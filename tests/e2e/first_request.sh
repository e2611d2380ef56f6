#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The first and only request of a short-lived program is seen, every time.
source "$(dirname "$0")/lib.sh"
runs=50

start_nginx || exit 1
seen=0
for n in $(seq $runs); do
	"$program" -q -o json:"$work/json" -- curl -s -o "$work/body" --cacert "$work/cert.pem" \
		"https://localhost:$port/hello?run=$n" 2>"$work/err" || continue
	[ "$(json "$work/json" "[x.get('url.query') for x in t]")" = "['run=$n']" ] && seen=$((seen + 1))
done
check "the one request of a curl, $runs times" equal "times seen" $seen $runs

# One process, three programs: each execve changes who it is, whichever of its record and its stop comes first.
named=0
for n in $(seq 20); do
	"$program" -q -o json:"$work/json" -- bash -c 'exec env "$@"' - curl -s -o "$work/body" \
		--cacert "$work/cert.pem" "https://localhost:$port/hello" 2>"$work/err" || continue
	[ "$(json "$work/json" "[x.get('process.executable.name') for x in t]")" = "['curl']" ] &&
		named=$((named + 1))
done
check "a request after two more execve names the last program, 20 times" equal "times named" $named 20
finish
