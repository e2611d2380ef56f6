#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Libraries that a traced process opens later, by a name that says nothing, unlinked at once, and replaced by
# another file of the same name: found while it runs. Processes that are watched for by name or executable.
source "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)

start_nginx || exit 1

# A library with OpenSSL inside; its talk_main() makes one request for the path.
build() { # FILE PATH
	gcc -O2 -shared -fPIC -Dmain=talk_main -DTALK_PATH="\"$2\"" -o "$1" "$here/talk/openssl.c" \
		-Wl,-Bstatic -lssl -lcrypto -Wl,-Bdynamic
}
plugin="$work/a plug-in; \$(false) (deleted)"
build "$plugin" /first
build "$work/next" /second
cp "$plugin" "$work/gone"

# Each line of input is a library to load; requests go on through the last one until the end of input.
cat >"$work/host.py" <<-PYTHON
	import ctypes, os, select, sys
	call, words = None, (ctypes.c_char_p * 3)(b"talk", b"client", b"$port")
	print("ready", flush=True)
	while True:
	    if select.select([0], [], [], 0.05)[0]:
	        line = os.read(0, 4096).decode()
	        if not line:
	            break
	        for path in line.splitlines():
	            name, remove = path.split("\t")
	            call = ctypes.CDLL(name).talk_main
	            if remove == "remove":
	                os.unlink(name)
	    if call:
	        call(3, words)
PYTHON
mkfifo "$work/say"
exec 6<>"$work/say"
python3 "$work/host.py" <"$work/say" >"$work/host.out" 2>"$work/host.err" 6>&- &
host=$!
started+=($host)
wait_for 10 grep -q ready "$work/host.out"

shown() { # PATH
	grep -q "\"url.path\":\"$1\"" "$work/json"
}
start_tracing -p $host -o json:"$work/json" --duration 60 || exit 1
printf '%s\tkeep\n' "$plugin" >&6
check "a library opened later, with an odd name" wait_for 15 shown /first
mv "$work/next" "$plugin"
# another spelling: the dynamic linker does not open a name that it has open again
printf '%s\tkeep\n' "$work/./${plugin##*/}" >&6
check "another one in its place" wait_for 15 shown /second
stop_tracing

# Attached when its file has long been gone.
printf '%s\tremove\n' "$work/gone" >&6
wait_for 10 test ! -e "$work/gone"
rm "$work/json"
start_tracing -p $host -o json:"$work/json" --duration 60 || exit 1
check "a library that was unlinked" wait_for 15 shown /first
stop_tracing
kill $host

# By name and by executable. Probes are then placed for whoever maps the file: these have all of OpenSSL inside,
# load nothing, and are nobody else's.
build_static() { # NAME PATH
	gcc -O2 -static -DTALK_PATH="\"$2\"" -o "$work/$1" "$here/talk/openssl.c" -lssl -lcrypto 2>/dev/null
}
build_static tlk-by-name-long /by-name
build_static by-path /by-path
build_static nobody /nobody
request_until() { # PATH: everybody makes requests, until one for the path is shown
	local who
	for who in nobody tlk-by-name-long by-path; do
		"$work/$who" client "$port"
	done
	shown "$1"
}
rm "$work/json"
start_tracing --comm tlk-by-name-long -o json:"$work/json" --duration 60 || exit 1
check "--comm, of processes that start later" wait_for 15 request_until /by-name
stop_tracing
# One that was found in the middle has a response only.
check "nobody else is seen" equal paths \
	"$(json "$work/json" "sorted({x['url.path'] for x in t if 'url.path' in x})")" "['/by-name']"

"$work/tlk-by-name-long" server "$work/cert.pem" "$work/key.pem" >"$work/port" &
started+=($!)
wait_for 10 test -s "$work/port"
rm "$work/json"
start_tracing --comm tlk-by-name-long -o json:"$work/json" --duration 60 || exit 1
"$work/by-path" client "$(cat "$work/port")"
stop_tracing
check "--comm, of a process that runs" equal roles "$(json "$work/json" \
	"[(x['url.path'], x['tlslens.role']) for x in t]")" "[('/by-path', 'server')]"

rm "$work/json"
start_tracing --exe "$work/by-path" -o json:"$work/json" --duration 60 || exit 1
check "--exe, of processes that start later" wait_for 15 request_until /by-path
stop_tracing
check "nobody else is seen by that" equal paths \
	"$(json "$work/json" "sorted({x['url.path'] for x in t if 'url.path' in x})")" "['/by-path']"

# A traced shell's children are traced with it, but not the tracer.
cp "$(readlink -f /bin/sh)" "$work/tlk-shell"
"$work/tlk-shell" -c '"$1" --no-plain --exe "$0" --duration 0.3 -o json:"$2"; :' \
	"$work/tlk-shell" "$program" "$work/json" >"$work/out" 2>"$work/err"
check "the shell that starts the tracer is traced" grep -q 'tracing tlk-shell\[[0-9]*\]: 1 process,' "$work/err"
finish
