# SPDX-License-Identifier: GPL-2.0-or-later
"""Says secrets in every place where programs say them, to itself: secrets_talk.py CERT KEY LIST

Both ends of each connection are here, so each secret is written and read. LIST gets a line "PLACE SECRET" for
each. Needs Debian's h2, which leaves the coding of header fields to its caller.
"""
import base64
import socket
import ssl
import subprocess
import sys
import threading

import h2.config
import h2.connection
import h2.events
import hpack

cert, key, list_path = sys.argv[1:]
secrets = {}


def secret(place):
    """A new one. No part of it comes anywhere else."""
    n = len(secrets) + 1
    secrets[place] = f"Zq{n:02d}x{n * 7919 % 99991:05d}vK{n * 104729 % 99991:05d}"
    return secrets[place]


def basic(place):
    secrets[place] = base64.b64encode(f"user:{secret(place)}".encode()).decode().rstrip("=")
    return secrets[place]


def end(text):
    return text.replace("\n", "\r\n").encode()


class Wire:
    """A connection of the loopback: send() and what came of it at the other end."""

    def __init__(self, plain=False, alpn=None):
        ends = [None, None]
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ends[0] = socket.create_connection(listener.getsockname())
            ends[1] = listener.accept()[0]
        if not plain:
            server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.load_cert_chain(cert, key)
            client = ssl.create_default_context(cafile=cert)
            if alpn:
                server.set_alpn_protocols([alpn])
                client.set_alpn_protocols([alpn])

            def accept():
                ends[1] = server.wrap_socket(ends[1], server_side=True)

            thread = threading.Thread(target=accept)
            thread.start()
            ends[0] = client.wrap_socket(ends[0], server_hostname="localhost")
            thread.join()
        self.client, self.server = ends

    def move(self, source, sink, data, piece):
        came = b""
        for at in range(0, len(data), piece):
            part = data[at : at + piece]
            source.sendall(part)
            left = len(part)
            while left:
                got = sink.recv(left)
                came += got
                left -= len(got)
        return came

    def up(self, data, piece=16384):
        return self.move(self.client, self.server, data, piece)

    def down(self, data, piece=16384):
        return self.move(self.server, self.client, data, piece)

    def close(self):
        self.client.close()
        self.server.close()


def exchange(request, response, piece=16384, plain=False):
    wire = Wire(plain)
    wire.up(end(request), piece)
    wire.down(end(response), piece)
    wire.close()


OK = "HTTP/1.1 200 OK\nContent-Length: 0\n\n"


def http1():
    to = f'u:{secret("location, user")}@next.example/?sig={secret("location, parameter")}'
    exchange(f"""GET /headers HTTP/1.1
Host: localhost
Authorization: Basic {basic("authorization, basic")}
Proxy-Authorization: Basic {basic("proxy-authorization")}
Cookie: theme={secret("first cookie")}; id="{secret("second cookie")}"
X-Api-Key: {secret("x-api-key")}
ApiKey: {secret("apikey")}
X-Auth-Token: {secret("x-auth-token")}
X-Vault-Token: {secret("x-vault-token")}
X-Amz-Security-Token: {secret("x-amz-security-token")}
X-CSRF-Token: {secret("x-csrf-token")}
X-Goog-Api-Key: {secret("x-goog-api-key")}
Ocp-Apim-Subscription-Key: {secret("subscription key")}
client_secret: {secret("client_secret field")}
Referer: https://{secret("referer, user")}@other.example/?a=1&access_token={secret("referer, parameter")}

""", f"""HTTP/1.1 302 Found
Set-Cookie: sid={secret("set-cookie")}; Path=/; HttpOnly
Set-Cookie: lang={secret("second set-cookie")}
Location: https://{to}#id_token={secret("location, fragment")}
Content-Length: 0

""")
    query = f'a=1&%70assw%6Frd={secret("parameter, encoded name")}&code={secret("parameter code")};x'
    exchange(f"""GET /q?token={secret("parameter")}&{query} HTTP/1.1
Host: localhost
Authorization: Bearer {secret("authorization, bearer")}

""", OK)
    exchange(f"""GET https://u:{secret("target, user")}@localhost/absolute HTTP/1.1
Host: localhost
Authorization: Digest username="u", response="{secret("authorization, digest")}"

""", OK)
    exchange(f"""GET /bare HTTP/1.1
Host: localhost
Authorization: {secret("authorization without scheme")}

""", OK)
    exchange(f"""GET /split?api_key={secret("parameter, split")} HTTP/1.1
Host: localhost
Authorization: Bearer {secret("authorization, split")}
Cookie: c={secret("cookie, split")}

""", f"""HTTP/1.1 200 OK
Set-Cookie: c={secret("set-cookie, split")}; Secure
Content-Length: 0

""", piece=3)
    exchange(f"""POST /trailers HTTP/1.1
Host: localhost
Transfer-Encoding: chunked

2
ab
0
X-Session-Token: {secret("trailer of a request")}

""", f"""HTTP/1.1 200 OK
Transfer-Encoding: chunked

2
cd
0
Set-Cookie: t={secret("trailer of a response")}

""")
    exchange(f"""GET /pipelined1 HTTP/1.1
Host: localhost

GET /pipelined2 HTTP/1.1
Host: localhost
X-Api-Key: {secret("pipelined request")}

""", OK + OK)
    exchange(f"""GET /plain HTTP/1.1
Host: localhost
X-Api-Key: {secret("x-api-key without TLS")}

""", OK, plain=True)


def websocket():
    exchange(f"""GET /socket?access_token={secret("websocket, parameter")} HTTP/1.1
Host: localhost
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Cookie: ws={secret("websocket, cookie")}

""", f"""HTTP/1.1 101 Switching Protocols
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
Set-Cookie: ws={secret("websocket, set-cookie")}

""")


class H2:
    """A connection of HTTP/2, each stream a request and its answer."""

    def __init__(self, piece=16384, huffman=True):
        self.wire, self.piece = Wire(alpn="h2"), 16384 # Wireshark wants the preface in one piece
        self.client = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.server = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        for side in (self.client, self.server):
            encode = side.encoder.encode
            side.encoder.encode = lambda fields, encode=encode: encode(fields, huffman=huffman)
        self.client.initiate_connection()
        self.server.initiate_connection()
        self.pump()
        self.piece = piece

    def pump(self):
        while (up := self.client.data_to_send()) or (down := self.server.data_to_send()):
            if up:
                self.server.receive_data(self.wire.up(up, self.piece))
            else:
                self.client.receive_data(self.wire.down(down, self.piece))

    def ask(self, path, fields, answer=(), trailers=()):
        stream = self.client.get_next_available_stream_id()
        self.client.send_headers(stream, [
            (":method", "POST"), (":scheme", "https"), (":authority", "localhost"), (":path", path), *fields,
        ], end_stream=True)
        self.pump()
        self.server.send_headers(stream, [(":status", "200"), *answer], end_stream=not trailers)
        if trailers:
            self.server.send_headers(stream, list(trailers), end_stream=True)
        self.pump()


def http2():
    h = H2()
    key = secret("HTTP/2, x-api-key, then from the table")
    never = hpack.NeverIndexedHeaderTuple
    h.ask(f"/h2?token={secret('HTTP/2, parameter')}", [
        ("authorization", f"Bearer {secret('HTTP/2, authorization, never indexed')}"),
        ("x-api-key", key),
        ("cookie", f"a={secret('HTTP/2, first cookie, which is long enough to be indexed')}"),
        ("cookie", f"b={secret('HTTP/2, second cookie')}"),
        never("x-plain-name", secret("HTTP/2, never indexed")),
        ("x-kept", "kept-for-later"),
    ], [("set-cookie", f"s={secret('HTTP/2, set-cookie')}; Path=/")],
        [("x-auth-token", secret("HTTP/2, trailer"))])
    h.ask("/h2-again", [("x-api-key", key), ("x-kept", "kept-for-later"), ("x-later", "after-the-secrets")])
    h = H2(huffman=False)
    h.ask("/h2-octets", [
        ("x-api-key", secret("HTTP/2, not Huffman-coded")),
        ("x-later", "after-the-octets"),
    ])
    h = H2(piece=1)
    h.ask("/h2-split", [
        ("x-api-key", secret("HTTP/2, a read for each octet")),
        ("x-later", "after-the-pieces"),
    ])
    h = H2()
    h.ask("/h2-continued", [
        ("x-filler", "f" * 30000),
        ("x-api-key", secret("HTTP/2, in a CONTINUATION frame")),
        ("x-later", "after-the-frames"),
    ])
    h.ask("/shop.Pay/Charge", [
        ("content-type", "application/grpc"), ("te", "trailers"),
        ("authorization", f"Bearer {secret('gRPC, authorization')}"),
        ("session-token-bin", base64.b64encode(secret("gRPC, binary").encode()).decode()),
    ], [("content-type", "application/grpc")],
        [("grpc-status", "0"), ("refresh-token", secret("gRPC, trailing metadata"))])
    secrets["gRPC, binary"] = base64.b64encode(secrets["gRPC, binary"].encode()).decode().rstrip("=")


def commands():
    for argv in (
        ["true", f"--password={secret('argument')}"],
        ["true", "--api-key", secret("argument of its own")],
        ["true", "-u", f"admin:{secret('argument, user')}"],
        ["true", "-H", f"Authorization: Bearer {secret('argument, header')}"],
        ["true", f"https://admin:{secret('argument, user of a URL')}@localhost/"],
        ["true", f"https://localhost/?client_secret={secret('argument, parameter of a URL')}"],
        ["true", "--oauth2-bearer", secret("argument, bearer")],
        ["env", f"AWS_SECRET_ACCESS_KEY={secret('argument, variable')}", "true"],
    ):
        subprocess.run(argv, check=True)


http1()
websocket()
http2()
commands()
with open(list_path, "w", encoding="ascii") as f:
    for place, value in secrets.items():
        f.write(f"{value} {place}\n")
