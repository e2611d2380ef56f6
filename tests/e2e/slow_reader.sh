#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Readers that stop while traffic flows, come back, or die: the run and its other outputs go on, and the lines that a
# reader has, and those that it is told were dropped, are all there were.
source "$(dirname "$0")/lib.sh"
requests=400

start_nginx || exit 1
head -c 75000 /dev/urandom >"$work/www/big" # a line of 100 kB, so 400 are more than twice the queue
mkfifo "$work/lines" "$work/packets" "$work/short"

# reader FIFO FILE: copies, until the other end is closed; $reader
reader() {
	cat <"$1" >"$2" &
	reader=$!
	started+=($reader)
}
stopped() { grep -q '^State:.*stopped' "/proc/$reader/status"; }
ask() { seq -f "https://localhost:$port/big?n=%g" "$1" | xargs curl -s --cacert "$work/cert.pem" >"$work/got"; }
# of FILE: how many lines, how many it says are missing
told() { json "$1" '(len(t), sum(x.get("tlslens.output.dropped", 0) for x in t))'; }
transactions() { sed -nE 's/^tlslens: ([0-9]+) transactions, .*/\1/p' "$work/err"; }
dropped() { sed -nE "s|.*$1: the reader was too slow, records dropped: ([0-9]+)|\\1|p" "$work/err"; }

reader "$work/lines" "$work/read"
lines_reader=$reader
reader "$work/packets" "$work/read.pcapng"
start_tracing --ring-mb 64 -p "$worker" --body 1M -o json:"$work/lines" -o json:"$work/all" -w "$work/packets" || exit 1
kill -STOP $lines_reader $reader
wait_for 10 stopped
ask $requests
seen() { [ "$(wc -l <"$work/all")" -ge $requests ]; }
check "readers stopped: another output has every line" wait_for 20 seen
check "and a stopped reader has not" test "$(wc -l <"$work/read")" -lt $requests
kill -CONT $lines_reader $reader
read_on() { [ "$(tail -c 1 "$work/read" | od -An -c | tr -d ' ')" = '\n' ] && [ "$(wc -l <"$work/read")" -gt 100 ]; }
wait_for 10 read_on
get "/hello?last" >/dev/null
last() { tail -n 1 "$work/read" | grep -q 'hello?last'; }
check "it goes on when the reader does" wait_for 10 last
stop_tracing
check "tracing went well" equal status "$status" 0
wait $lines_reader $reader
read -r lines missing <<<"$(told "$work/read" | tr -d '(,)')"
check "lines and those said to be missing are all there were" equal sum $((lines + missing)) "$(transactions)"
check "some are missing" test "$missing" -gt 0
check "the count at the end is the same" equal dropped "$(dropped "$work/lines")" "$missing"
check "those that are there are as elsewhere" python3 - "$work/read" "$work/all" <<'PYTHON'
import json, sys
def lines(path):
    found = [json.loads(line) for line in open(path, encoding="utf-8")]
    for x in found:
        x.pop("tlslens.output.dropped", None)
    return [json.dumps(x) for x in found]
read, every = (lines(path) for path in sys.argv[1:])
rest = iter(every)
assert all(line in rest for line in read), "a line that is not there, or not in its place"
PYTHON
check "packets were dropped, too" test "$(dropped "$work/packets")" -gt 0
capinfos -Tmr "$work/read.pcapng" >"$work/infos" 2>&1
check "what is there of them is readable" equal status $? 0
check "some packets say that others are missing before them" test "$(HOME=$work tshark -r "$work/read.pcapng" \
	-Y 'frame.drop_count > 0' 2>/dev/null | wc -l)" -gt 0
# ifdrop (5) of the interface statistics (block 5) at the end
ifdrop() {
	python3 -c '
import struct, sys
d, at, n = open(sys.argv[1], "rb").read(), 0, 0
while at < len(d):
    kind, size = struct.unpack_from("<II", d, at)
    option, end = at + 20, at + size - 4
    while kind == 5 and option < end:
        code, length = struct.unpack_from("<HH", d, option)
        n += struct.unpack_from("<Q", d, option + 4)[0] if code == 5 else 0
        option += 4 + (length + 3 & ~3)
    at += size
print(n)' "$1"
}
check "and the statistics at the end how many in all" equal dropped "$(ifdrop "$work/read.pcapng")" \
	"$(dropped "$work/packets")"

# A reader that stays stopped: the run ends all the same; what was written is whole when it reads on.
reader "$work/lines" "$work/read"
start_tracing --ring-mb 64 -p "$worker" --body 1M -o json:"$work/lines" -o json:"$work/all" || exit 1
kill -STOP $reader
wait_for 10 stopped
ask $requests
wait_for 20 seen
before=$SECONDS
stop_tracing
check "a reader that stays stopped does not keep it from ending" test $((SECONDS - before)) -le 10
check "tracing went well" equal status "$status" 0
kill -CONT $reader
wait $reader
read -r lines missing <<<"$(told "$work/read" | tr -d '(,)')"
check "lines and those dropped are all there were" equal sum $((lines + $(dropped "$work/lines"))) "$(transactions)"

# A run that comes to its end by itself waits for its reader.
reader "$work/lines" "$work/read"
start_tracing --ring-mb 64 -p "$worker" --body 1M -o json:"$work/lines" -o json:"$work/all" --count 50 || exit 1
kill -STOP $reader
wait_for 10 stopped
ask 50
counted() { [ "$(wc -l <"$work/all")" -eq 50 ]; }
wait_for 10 counted
kill -CONT $reader
wait $tracer
check "a run that ends by itself waits for its reader" equal status $? 0
wait $reader
check "which gets everything" equal "lines and missing" "$(told "$work/read")" "(50, 0)"

# Dead readers: the run ends at once, though nothing more is written, and says why.
head -n 1 <"$work/short" >"$work/read" &
reader=$!
started+=($reader)
start_tracing --ring-mb 64 -p "$worker" -o json:"$work/short" -o json:"$work/all" || exit 1
get /hello >/dev/null
gone() { ! kill -0 $tracer; }
check "the reader went: so does the run" wait_for 10 gone
wait $tracer
check "with status 1" equal status $? 1
check "and the reason" grep -q "json:$work/short: Broken pipe" "$work/err"
check "the other output has its line" equal lines "$(wc -l <"$work/all")" 1
check "through a pipe of the shell as well" equal "status and line" "$("$program" --ready-fd 8 -p "$worker" -o json \
	8> >(read -r && get /hello >/dev/null) 2>"$work/err" | head -n 1 | wc -l; echo "${PIPESTATUS[0]}")" "1
1"
finish
