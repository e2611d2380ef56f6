#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The examples of the manual page do what it says: each is taken from there and run, with a server of ours in the
# place of process 4711, another for 4712 and of example.com.
source "$(dirname "$0")/lib.sh"
manual=$(realpath "$(dirname "$0")/../../docs/tlslens.8")

start_nginx || exit 1
second=$(cat "/proc/$nginx/task/$nginx/children")
cp "$work/cert.pem" "$work/ca.pem"
pushd "$work" >/dev/null || exit 1

# lines SECTION: its .Dl lines as they are printed, without prompts
lines() {
	awk -v section="$1" '/^\.Sh/ { on = $0 == ".Sh " section } on && sub(/^\.Dl /, "")' "$manual" |
		sed -e 's/\\(dq/"/g' -e 's/\\-/-/g' -e 's/^[#$] //'
}

# run EXAMPLE: with a request in between; live ones are interrupted once it was shown
run() {
	local command=${1//4711,4712/$worker,$nginx}
	command=${command//4711/$worker}
	command=${command//https:\/\/example.com\//--cacert ca.pem https://localhost:$port/hello}
	command=${command/--duration 10/--duration 2}
	command=${command/#tlslens/\"\$program\"}
	[[ $1 != *' -p '* ]] || command+=" --ready-fd 8"
	mkfifo ready && exec 9<>ready && rm ready
	eval "exec $command" 8>&9 9>&- >shown 2>"$work/err" &
	tracer=$!
	started+=("$tracer")
	case $1 in
	*' -p '*)
		read -r -t 20 -u 9
		get /hello >/dev/null
		[[ $1 == *--duration* ]] || stop_tracing
		;;
	esac
	wait $tracer
	exec 9>&-
}

check "there are examples" test "$(lines EXAMPLES | wc -l)" -ge 5
lines EXAMPLES | grep -v '^tshark' >examples # of extcap.sh
while read -r example; do
	check "$example" run "$example"
	case $example in
	*' -v '*) check "header fields are shown" grep -q 'user-agent.*curl' shown ;;
	*curl.pcapng*) check "and in packets" test "$(tshark -r curl.pcapng -Y http.request 2>/dev/null | wc -l)" -eq 1 ;;
	*both.jsonl*) check "in JSON" equal paths "$(json both.jsonl '[x["url.path"] for x in t]')" "['/hello']" ;;
	*replay*) check "in text" grep -q 'GET .*/hello' shown ;;
	esac
done <examples

lines FILTERS >filters
check "there are filters" test "$(wc -l <filters)" -ge 3
while read -r filter; do
	check "$filter" eval '"$program" replay run.tlslens --filter "$filter" -o json >shown'
done <filters
popd >/dev/null || exit 1
finish
