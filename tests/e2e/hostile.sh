#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every octet there is in paths, fields and bodies: whatever writes them, the lines are JSON in UTF-8, the octets can
# be had back exactly, text never reaches a terminal as a control sequence, and OTLP stays OTLP.
source "$(dirname "$0")/lib.sh"
make_certificate

cat >"$work/server.py" <<'PYTHON'
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + "/cert.pem", sys.argv[1] + "/key.pem")
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
EVERY = bytes(range(256))
while True:
    raw, _ = listener.accept()
    with context.wrap_socket(raw, server_side=True) as s:
        data = b""
        while b"\r\n\r\n" not in data:
            data += s.recv(65536)
        head, body = data.split(b"\r\n\r\n", 1)
        while len(body) < 256:
            body += s.recv(65536)
        value = EVERY.replace(b"\r", b"").replace(b"\n", b"")
        s.sendall(b"HTTP/1.1 200 OK\r\nX-Every: a" + value + b"z\r\nContent-Type: application/json\r\n"
                  b"Content-Length: 256\r\nConnection: close\r\n\r\n" + EVERY)
PYTHON
python3 "$work/server.py" "$work" >"$work/port" &
server=$!
started+=($server)
wait_for 10 test -s "$work/port" || exit 1
read -r port <"$work/port"

# One request for each octet in the path and in a field, each with all octets as its body.
cat >"$work/client.py" <<'PYTHON'
import socket, ssl, sys
where = ("127.0.0.1", int(sys.argv[2]))
context = ssl.create_default_context(cafile=sys.argv[1] + "/cert.pem")
for n in range(256):
    octet = bytes([n])
    in_path = b"" if n < 0x21 or n == 0x7f else octet  # with these a request line is none
    in_field = b"" if n in b"\r\n" else octet
    with context.wrap_socket(socket.create_connection(where), server_hostname="localhost") as s:
        s.sendall(b"POST /%03d" % n + in_path + b"x?q=" + in_path + b" HTTP/1.1\r\nHost: localhost\r\n"
                  b"X-One: <" + in_field + b">\r\nContent-Length: 256\r\n"
                  b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + bytes(range(256)))
        while s.recv(65536):
            pass
PYTHON
start_tracing --no-plain -p $server --body 4K -o json:"$work/json" -o text:"$work/text" -o otlp-json:"$work/otlp" \
	-w "$work/pcapng" -o raw:"$work/raw" -vv || exit 1
python3 "$work/client.py" "$work" "$port" || echo "# client: status $?"
stop_tracing
check "tracing went well" equal status "$status" 0
check "every exchange has a line, and every octet can be had back" python3 - "$work/json" <<'PYTHON'
import base64, json, sys
EVERY = bytes(range(256))
VALUE = b"a" + EVERY.replace(b"\r", b"").replace(b"\n", b"") + b"z"

def octets(h):
    return base64.b64decode(h["value_base64"]) if "value_base64" in h else h["value"].encode()

def path(n):
    return b"/%03d" % n + (b"" if n < 0x21 or n == 0x7f else bytes([n])) + b"x"

lines = [json.loads(line.decode("utf-8", "strict")) for line in open(sys.argv[1], "rb")]
shown = {}
for x in lines:
    request = {h["name"].lower(): octets(h) for h in x.get("tlslens.request.headers", [])}
    if "x-one" in request:
        shown.setdefault(request["x-one"], x)
missing = [n for n in range(256) if n not in b"\r\n" and b"<%c>" % n not in shown]
assert not missing, f"fields that do not come back: {missing}"
paths = [x["url.path"] for x in lines]
unreadable = [n for n in range(0x80) if path(n).split(b"?")[0].split(b"#")[0].decode() not in paths]
assert not unreadable, f"paths that are not as they were: {unreadable}"
assert sum("\ufffd" in p for p in paths) == 128, "each octet that is no UTF-8 is one U+FFFD"
for value, x in shown.items():
    response = {h["name"].lower(): octets(h) for h in x["tlslens.response.headers"]}
    assert response["x-every"] == VALUE, response["x-every"]
    for side in "request", "response":
        assert base64.b64decode(x[f"tlslens.{side}.body.base64"]) == EVERY, side
        assert x[f"http.{side}.body.size"] == 256
    assert x["tlslens.lost_bytes"] == 0
PYTHON
controls() { tr -d '\n' <"$work/text" | LC_ALL=C grep -caE '[[:cntrl:]]'; }
check "text has no control character" equal lines "$(controls)" 0
check "and is UTF-8" iconv -f UTF-8 -t UTF-8 -o /dev/null "$work/text"
check "OTLP lines are JSON in UTF-8, as many" equal lines "$(json "$work/otlp" \
	'sum(len(x["resourceLogs"]) for x in t)')" "$(wc -l <"$work/json")"
"$program" replay "$work/raw" --body 4K -o json:"$work/again" 2>>"$work/err"
check "a replay says the same" cmp "$work/json" "$work/again"
finish
