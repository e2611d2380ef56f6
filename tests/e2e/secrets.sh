#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# No secret comes out: a program says dozens of them to itself, each in a place of its own, and no output may hold
# any, while with --no-redact every one of them is found, by the same search. The later fields of connections whose
# secrets were masked can still be decoded.
source "$(dirname "$0")/lib.sh"
here=$(dirname "$0")
python=/usr/bin/python3 # Debian's, which has Debian's h2

# found LIST FILE...: the places whose secrets stand there. Half of one is one, too.
found() {
	$python - "$@" <<-'PY'
	import sys
	texts = [open(path, "rb").read() for path in sys.argv[2:]]
	for line in open(sys.argv[1], encoding="ascii"):
	    secret, place = line.rstrip("\n").split(" ", 1)
	    half = len(secret) // 2
	    if any(part.encode() in text for text in texts for part in (secret[:half], secret[half:])):
	        print(place)
	PY
}

# decoded FILE: all that tshark makes of its packets, Huffman codes undone
decoded() { tshark -V -r "$1" 2>/dev/null; }

# outputs DIRECTORY: as arguments
outputs() {
	mkdir -p "$work/$1"
	args=(--events process --early --rpc-messages -vv --body 4K -w "$work/$1/pcapng")
	for format in text json otlp-json summary summary-json; do args+=(-o "$format:$work/$1/$format"); done
}

make_certificate
outputs live
"$program" "${args[@]}" --ancestors -o "raw:$work/raw" -- \
	$python "$here/secrets_talk.py" "$work/cert.pem" "$work/key.pem" "$work/list" 2>"$work/live/stderr"
check "traced to its end" equal status $? 0
check "of many secrets" test "$(wc -l <"$work/list")" -ge 40
outputs replayed
check "replayed" "$program" replay "$work/raw" "${args[@]}"
outputs open
check "replayed with all secrets" "$program" replay "$work/raw" "${args[@]}" --no-redact
outputs packets
check "replayed from packets" "$program" replay "$work/open/pcapng" "${args[@]}"
"$program" replay "$work/raw" --pcap-framing tcp -w "$work/tcp.pcapng" 2>/dev/null
for run in live replayed open packets; do decoded "$work/$run/pcapng" >"$work/$run/pcapng.decoded"; done
decoded "$work/tcp.pcapng" >"$work/tcp.decoded"

for run in live replayed packets; do
	for file in "$work/$run"/*; do
		check "none in $run/$(basename "$file"), which is not empty" eval \
			'test -s "$file" && equal "what is found" "$(found "$work/list" "$file")" ""'
	done
done
check "none in packets framed as TCP" equal "what is found" \
	"$(found "$work/list" "$work/tcp.pcapng" "$work/tcp.decoded")" ""

places=$(cut -d' ' -f2- "$work/list")
check "every one is there with --no-redact, in JSON" equal places "$(found "$work/list" "$work/open/json")" "$places"
check "in OTLP" equal places "$(found "$work/list" "$work/open/otlp-json")" "$places"
check "in text" equal places "$(found "$work/list" "$work/open/text")" "$places"
said=$(grep -v '^argument' <<<"$places")
check "in packets" equal places "$(found "$work/list" "$work/open/pcapng" "$work/open/pcapng.decoded")" "$said"

later() { # RUN
	tshark -r "$work/$1/pcapng" -Y 'http2.header.name == "x-later"' -T fields -e http2.header.value 2>/dev/null |
		grep -o 'after-the-[a-z]*' | sort | uniq -c | tr -s ' \n' ' '
}
check "fields behind the secrets are decoded" equal fields "$(later live)" "$(later open)"
check "all of them, at both ends" equal fields "$(later live)" \
	" 2 after-the-frames 2 after-the-octets 2 after-the-pieces 2 after-the-secrets "
comment() { capinfos "$work/$1/pcapng" 2>/dev/null | grep -o 'secrets are .*'; }
check "the comment tells of redaction" equal comment "$(comment live)" "secrets are masked"
check "and that there was none" equal comment "$(comment open)" "secrets are NOT masked"
check "outputs are for their owner only" equal modes \
	"$(stat -c %a "$work"/live/{json,pcapng,text} "$work/raw" | sort -u)" 600
finish
