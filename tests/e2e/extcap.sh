#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# As a capture interface of Wireshark: what tshark lists, asks and captures through it.
source "$(dirname "$0")/lib.sh"
export HOME=$work

start_nginx || exit 1
mkdir -p "$work/.config/wireshark/extcap"
ln -s "$program" "$work/.config/wireshark/extcap/tlslens"

listed() { tshark -D 2>/dev/null | grep -q 'tlslens (Plaintext of TLS connections)'; }
check "tshark lists the interface" listed
check "its link type is Ethernet" equal "link types" "$(tshark -i tlslens -L 2>&1 | grep -c EN10MB)" 1
check "an option table's help has no braces" equal fields \
	"$("$program" --extcap-interface tlslens --extcap-config | grep -cvE '^arg (\{[a-z]+=[^{}]*\})+$')" 0
check "there is a field for processes" equal fields \
	"$("$program" --extcap-interface tlslens --extcap-config | grep -c '{call=--pid}')" 1
check "to capture without a FIFO is a mistake" equal status \
	"$("$program" --capture --extcap-interface tlslens --pid 1 2>/dev/null; echo $?)" 2

tshark -l -i tlslens -o extcap.tlslens.pid:"$worker" -Y http -T fields -e frame.interface_name \
	-e http.request.uri -e http.response.code >"$work/shown" 2>"$work/err" &
shark=$!
started+=($shark)
# Nothing says from outside when the probes are in place, so requests are made until one is seen.
seen() { get /hello >/dev/null && grep -q hello "$work/shown"; }
check "requests are shown live" wait_for 20 seen
tracer=$(pgrep -P $shark -f -- '--capture' | head -1)
check "tshark runs the tracer itself" kill -0 "$tracer"
kill -INT $shark
wait $shark
check "the interface is named after the process" equal interfaces "$(cut -f 1 "$work/shown" | sort -u)" "nginx[$worker]"
gone() { ! kill -0 "$tracer"; }
check "the tracer goes with tshark" wait_for 10 gone
check "the server is still there" get /hello
finish
