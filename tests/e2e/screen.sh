#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a person at a terminal sees: lines that fit and stand in columns, colours, bodies, and the line at the bottom
# that tells how it goes, makes way for everything else and is gone at the end.
source "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
tool=$program
program=$work/on_screen
columns=100

# on_screen WHAT: the next start_tracing draws into $work/screen
on_screen() {
	printf '#!/bin/sh\nexec python3 %q %s %q %s %q "$@"\n' "$here/screen.py" $columns "$work/screen" "$1" "$tool" \
		>"$program"
	chmod +x "$program"
	rm -f "$work/screen"
}
seen() { grep -qE "$1" "$work/screen"; }
status_line='^tlslens: %s transactions, [0-9]+/s, [0-9]+ connections, [0-9]+ open, lost 0B$'
says() { tail -n 1 "$work/screen" | grep -qE "$(printf "$status_line" "$1")"; }
statuses() { grep -cE '[0-9]+/s, [0-9]+ connections' "$work/screen"; }

start_nginx "location /moved { return 302 /hello; } location /broken { return 500; }
	location /text { default_type text/plain; return 200 'one\ntwo\n'; }" || exit 1
head -c 64 /dev/urandom | cat - <(printf '\0\1\2ABC|end') >"$work/www/binary"

on_screen both
start_tracing -p "$worker" --no-plain || exit 1
check "a line that tells how it goes, before anything came" wait_for 10 says 0
for path in /hello /moved /missing /broken "/hello?$(printf 'long%.0s' {1..60})" /hello; do get "$path" >/dev/null; done
check "it counts" wait_for 10 says 6
check "there is one such line" equal lines "$(statuses)" 1
exchanges() { grep -E "nginx\[$worker\] +<- .*GET" "$work/screen"; }
check "each exchange has a line" equal lines "$(exchanges | wc -l)" 6
check "no line is longer than the terminal" equal "lines that wrapped" "$(exchanges | grep -c '{wrapped}')" 0
check "a long one fills it" equal columns "$(exchanges | sed 's/{[0-9]*}//g' | wc -L)" $columns
check "what stands behind the URL is aligned" equal columns \
	"$(exchanges | sed -E 's/\{[0-9]*\}//g; s/ (200|302|404|500) +<.*//' | while IFS= read -r line; do
		echo ${#line}
	done | sort -u | wc -l)" 1
check "colours tell the status" equal "status and colour" \
	"$(exchanges | sed -nE 's/.*\{([0-9]+)\}([0-9]{3})\{0\}.*/\2 \1/p' | sort -u | tr '\n' ';')" \
	"200 32;302 36;404 33;500 31;"
widest() { [ "$(exchanges | sed 's/{[0-9]*}//g' | wc -L)" -eq "$1" ]; }
wide() { [ "$(stty -F "$(readlink "/proc/$(pgrep -P $tracer)/fd/2")" size)" = "40 140" ]; }
kill -USR1 $tracer
wait_for 10 wide
get "/hello?$(printf 'wide%.0s' {1..60})" >/dev/null
check "a terminal made wider is filled" wait_for 10 widest 140
stop_tracing
check "tracing went well" equal status "$status" 0
check "at the end the line is gone" equal lines "$(statuses)" 0
check "and the summary is there" seen '^tlslens: 7 transactions, [0-9]+ connections$'
check "no exchange was lost of sight" equal lines "$(exchanges | wc -l)" 7

on_screen both
start_tracing -p "$worker" --no-plain -vv || exit 1
get /text -H 'x-one: two' >/dev/null
get /binary >/dev/null
wait_for 10 says 2
stop_tracing
check "-vv: header fields" seen '^ +> x-one: two$'
check "-vv: lines of text" equal lines "$(grep -A 1 -E '^ +< one$' "$work/screen" | grep -cE '^ +< two$')" 1
check "-vv: what is no text as a hexdump" seen '^ +< 00000040  00 01 02 41 42 43 7c 65  6e 64 +\|\.\.\.ABC\|end\|$'
check "-vv: the hexdump fits" equal "lines that wrapped" "$(grep -E '^ +< 0000' "$work/screen" | grep -c '{wrapped}')" 0

on_screen stderr
start_tracing -p "$worker" --no-plain -o json || exit 1
get /hello >/dev/null
check "with JSON elsewhere it counts as well" wait_for 10 says 1
stop_tracing
check "JSON is JSON" equal paths "$(json "$work/out" "[x['url.path'] for x in t]")" "['/hello']"
check "and the line is gone" equal lines "$(statuses)" 0

on_screen both
start_tracing -p "$worker" --no-plain -q || exit 1
get /hello >/dev/null
wait_for 10 seen /hello
stop_tracing
check "-q: lines of text and nothing else" equal lines "$(grep -vcE '<- .* /hello|^$|https:' "$work/screen")" 0
export SCREEN_TERM=dumb
on_screen both
start_tracing -p "$worker" --no-plain || exit 1
get /hello >/dev/null
wait_for 10 seen /hello
stop_tracing
check "a dumb terminal gets none" equal statuses "$(statuses)" 0
program=$tool
finish
