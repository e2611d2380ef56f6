#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A response that takes its time is shown when it begins under --early, and once more when it is over. With
# --body each event of a stream of server-sent events is shown when it was sent, before the next one is.
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

# A server that sends each line of its standard input as an event, over HTTP/1.1 in chunks and over HTTP/2.
cat >"$work/events.js" <<-JS
	const fs = require("fs"), streams = [];
	const server = require("http2").createSecureServer({allowHTTP1: true,
		key: fs.readFileSync("$work/key.pem"), cert: fs.readFileSync("$work/cert.pem")},
		(request, response) => {
			response.writeHead(200, {"content-type": "text/event-stream"});
			response.write(": open\n\n");
			streams.push(response);
		});
	server.listen(0, "127.0.0.1", () => console.log(server.address().port));
	const lines = require("readline").createInterface({input: process.stdin});
	lines.on("line", line => streams.forEach(s => s.write("data: " + line + "\n\n")));
	lines.on("close", () => streams.forEach(s => s.end()));
JS
mkfifo "$work/lines" && exec 6<>"$work/lines"
node "$work/events.js" <"$work/lines" >"$work/port" 6>&- &
server=$!
started+=($server)
exec 7>"$work/lines" 6>&-
wait_for 10 test -s "$work/port" || exit 1

# shown FORMAT_FILE TEXT: by both protocols
shown() {
	[ "$(grep -c "$2" "$1")" = 2 ]
}

start_tracing -p $server --early --body 4k -o json:"$work/json" -o text:"$work/text" -vv || exit 1
clients=()
for version in --http1.1 --http2; do
	curl -sN --cacert "$work/cert.pem" $version -o "$work/got$version" \
		"https://localhost:$(cat "$work/port")/events" 7>&- &
	clients+=($!)
	started+=($!)
done
check "both streams are on their way" wait_for 10 shown "$work/json" 'response.body.content":": open'
for number in 1 2 3 4 5; do
	echo "number $number" >&7
	check "event $number as JSON before the next is sent" wait_for 10 shown "$work/json" \
		"chunk\".*data: number $number"
	check "event $number as text" wait_for 10 shown "$work/text" "< data: number $number"
done
exec 7>&-
wait "${clients[@]}"
stop_tracing
check "tracing went well" equal status "$status" 0
for version in 1.1 2; do
	body=$(python3 -c "print(repr(open('$work/got--http$version', newline='').read()))")
	check "HTTP/$version: the events make up the body" equal "all of them" "$(json "$work/json" "''.join(
			x['http.response.body.content'] for x in t
			if 'chunk' in x['event.name'] and x['network.protocol.version'] == '$version').__repr__()")" "$body"
	check "HTTP/$version: they say where they stand, and of what they are" equal events \
		"$(json "$work/json" "[(x['tlslens.chunk.offset'], x['tlslens.chunk.size']) for x in t
			if 'chunk' in x['event.name'] and x['network.protocol.version'] == '$version' and x['url.path'] ==
			'/events' and x['http.response.status_code'] == 200 and x['tlslens.early']]")" \
		"[(0, 8), (8, 16), (24, 16), (40, 16), (56, 16), (72, 16)]"
	check "HTTP/$version: the exchange is shown at last" equal body "$(json "$work/json" "[
			x['http.response.body.content'] for x in t if x['network.protocol.version'] == '$version' and
			'tlslens.early' not in x][0].__repr__()")" "$body"
done
check "each exchange is counted once" grep -q ': 2 transactions' "$work/err"
finish
