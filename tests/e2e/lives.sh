#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who a process was, however short its life: dozens that end in a few milliseconds, and pids that are another
# program's the next moment.
source "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
python=/usr/bin/python3

for name in first second third; do
	gcc -O2 -DTALK_PATH="\"/$name\"" -o "$work/$name" "$here/talk/openssl.c" -lssl -lcrypto || exit 1
done
start_nginx || exit 1

over() { ! kill -0 "$leader"; }
# trace_children COMMAND...: it waits for a line, then it is traced as $leader, with what it starts.
trace_children() {
	mkfifo "$work/go" && exec 7<>"$work/go"
	rm "$work/go"
	"$@" <&7 7>&- >"$work/said" &
	leader=$!
	started+=("$leader")
	wait_for 10 grep -q waiting "$work/said" || return 1
	# The server is traced, too, so that the library has its probes from the beginning.
	start_tracing -f -p "$leader,$worker" --filter 'process.executable.name != "nginx"' --events process \
		--ancestors -o "json:$work/json" || return 1
	echo >&7
	wait_for 30 over
	exec 7>&-
	stop_tracing
}

check "twenty short lives" trace_children sh -c "echo waiting; read line
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do $work/first client $port; done"
exchanges() { json "$work/json" "sum(x.get('url.path') == '/$1' for x in t)"; }
# What must be known of each is what its parent is and has, and what it was called with.
wrong_facts() {
	json "$work/json" "sorted({(k, str(x.get(k))) for k, v in {
		'process.executable.path': '$work/first', 'process.executable.name': 'first',
		'process.command_line': '$work/first client $port', 'process.parent_pid': $leader,
		'process.user.id': $(id -u), 'process.user.name': '$(id -un)', 'thread.name': 'first',
		'process.linux.cgroup': [y['process.linux.cgroup'] for y in t if y['process.pid'] == $leader][0]}.items()
		for x in t if x.get('url.path') == '/first' and x.get(k) != v})"
}
wrong_ancestors() {
	json "$work/json" "[x['tlslens.process.ancestors'] for x in t if x.get('url.path') == '/first'
		and x['tlslens.process.ancestors'][0] != 'sh[$leader]']"
}
missing() {
	json "$work/json" "sorted({k for k in ('tlslens.process.pid_namespace', 'tlslens.process.net_namespace',
		'tlslens.process.mnt_namespace', 'thread.id') for x in t if x.get('url.path') == '/first' and k not in x})"
}
check "each one's exchange" equal exchanges "$(exchanges first)" 20
check "who they were" equal "wrong facts" "$(wrong_facts)" "[]"
check "whose children" equal "wrong ancestors" "$(wrong_ancestors)" "[]"
check "and where" equal "missing" "$(missing)" "[]"
check "each was told from its birth to its end" equal events "$(json "$work/json" "sorted({tuple(
	x['event.name'] for x in t if x['process.pid'] == pid) for pid in {x['process.pid'] for x in t} - {$leader}})")" \
	"[('process.fork', 'process.exec', 'http.exchange', 'process.exit')]"

check "three lives of one pid" trace_children "$python" "$here/reborn.py" \
	"$work/first" client "$port" -- "$work/second" client "$port" -- "$work/third" client "$port"
check "all went well, and it was one pid" equal ends "$(tail -n +2 "$work/said" | sort -u | wc -l)" 1
life() { # NAME: what is told of it, in order
	json "$work/json" "[(x['event.name'], x.get('url.path')) for x in t if x['process.executable.name'] == '$1'
		and x['process.pid'] == $(tail -n 1 "$work/said" | cut -d' ' -f1)]"
}
for name in first second third; do
	check "what the $name did is its own" equal life "$(life $name)" \
		"[('process.exec', None), ('http.exchange', '/$name'), ('process.exit', None)]"
done
finish
