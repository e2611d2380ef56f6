#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs whose TLS library never touches the socket: fifty connections at once that carry equal lengths, and
# every transaction's ports compared with what the program itself says. None may be wrong.
source "$(dirname "$0")/lib.sh"
conns=50
make_certificate

cat >"$work/server.py" <<-'PYTHON'
	import asyncio, ctypes, os, ssl, sys
	async def serve(reader, writer):
	    try:
	        while True:
	            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
	            print(path, writer.get_extra_info("peername")[1], flush=True)
	            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
	            await writer.drain()
	    except (asyncio.IncompleteReadError, ConnectionError):
	        writer.close()
	async def main():
	    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
	    tls.load_cert_chain(sys.argv[1], sys.argv[2])
	    if "PADDING" in os.environ: # the module has no call for it; SSL_CTX is the first field of its object
	        context = ctypes.c_void_p.from_address(id(tls) + object.__basicsize__)
	        block = ctypes.c_size_t(int(os.environ["PADDING"]))
	        assert ctypes.CDLL("libssl.so.3").SSL_CTX_set_block_padding(context, block) == 1
	    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
	    print("port", server.sockets[0].getsockname()[1], flush=True)
	    await server.serve_forever()
	asyncio.run(main())
PYTHON
cat >"$work/server.js" <<-'NODE'
	const fs = require('fs'), [cert, key] = process.argv.slice(2).map((f) => fs.readFileSync(f));
	const server = require('https').createServer({ cert, key }, (request, response) => {
		console.log(request.url + ' ' + request.socket.remotePort);
		response.end('hello');
	});
	server.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port));
NODE
# Three requests a connection; says the port that it has itself.
cat >"$work/client.py" <<-'PYTHON'
	import asyncio, ssl, sys
	async def talk(tls, n):
	    reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]), ssl=tls)
	    for k in range(3):
	        print(f"/{n:02}-{k}", writer.get_extra_info("sockname")[1])
	        writer.write(b"GET /%02d-%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % (n, k))
	        await reader.readuntil(b"hello")
	    writer.close()
	async def main():
	    tls = ssl.create_default_context(cafile=sys.argv[2])
	    if sys.argv[4:]:
	        tls.maximum_version = ssl.TLSVersion[sys.argv[4]]
	    tls.check_hostname = False
	    await asyncio.gather(*(talk(tls, n) for n in range(int(sys.argv[3]))))
	asyncio.run(main())
PYTHON

# told ROLE END: what the JSON says, in the form of the programs' own lines
told() {
	json "$work/json" "'\n'.join(sorted(x['url.path'] + ' ' + str(x['network.$2.port']) for x in t
		if x['tlslens.role'] == '$1' and x['tlslens.conn.source'] != 'unknown'))"
}
sources() {
	json "$work/json" "sorted({x['tlslens.conn.source'] for x in t if x['process.pid'] == $server})"
}

# run NAME [VERSION] -- SERVER...
run() {
	local name=$1 version=
	shift
	[ "$1" = -- ] || { version=$1 && shift; }
	shift
	rm -f "$work/server"
	"$@" "$work/cert.pem" "$work/key.pem" >"$work/server" 2>&1 &
	server=$!
	started+=($server)
	wait_for 10 grep -q '^port' "$work/server" || exit 1
	"$program" -p $server -o json:"$work/json" -- python3 "$work/client.py" \
		"$(awk '/^port/ { print $2 }' "$work/server")" "$work/cert.pem" $conns $version >"$work/client" 2>"$work/err"
	check "$name: the server's peers are right, none unknown" equal ports "$(told server peer)" \
		"$(grep ^/ "$work/server" | LC_ALL=C sort)"
	check "$name: the client's own ends are right, none unknown" equal ports "$(told client local)" \
		"$(LC_ALL=C sort "$work/client")"
	check "$name: $((3 * conns)) transactions at both ends" equal number "$(json "$work/json" "len(t)")" $((6 * conns))
	check "$name: by equal ciphertext" equal evidence "$(sources)" "['cached', 'record']"
	kill $server
	wait $server 2>/dev/null
}

run "asyncio" -- python3 "$work/server.py"
run "asyncio, TLS 1.2" TLSv1_2 -- python3 "$work/server.py"
run "asyncio, records padded" -- env PADDING=4096 python3 "$work/server.py"
run "node" -- node "$work/server.js"
finish
