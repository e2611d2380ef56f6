# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTPS by asyncio's streams: streams.py server PORT CERT KEY | client PORT CERT [CIPHER_OF_TLS_1.2 close]

With "close" connections are closed after round 1 and every later one, and each request has a new one: file
descriptors and contexts come again.
"""
import asyncio
import itertools
import ssl
import sys

from rounds import Together, play, say


async def serve(port, cert, key):
    together = Together()

    async def connection(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split()[1].decode()
                say(path, writer.get_extra_info("peername")[1])
                await together.wait(path)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
                await writer.drain()
                if b"Connection: close" in head:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    server = await asyncio.start_server(connection, "127.0.0.1", port, ssl=tls, backlog=500)
    await server.serve_forever()


async def talk(port, cert, cipher=None, close=None):
    tls = ssl.create_default_context(cafile=cert)
    if cipher:
        tls.maximum_version = ssl.TLSVersion.TLSv1_2
        tls.set_ciphers(cipher)
    streams = {}
    # the kernel gives a port anew at once when its connection ended by a reset; ports tell connections apart
    ports = itertools.count(10000 + port % 100 * 1000)

    async def request(n, path):
        if n not in streams:
            local = ("127.0.0.1", next(ports)) if close else None
            streams[n] = await asyncio.open_connection("127.0.0.1", port, ssl=tls, local_addr=local)
        reader, writer = streams[n]
        say(path, writer.get_extra_info("sockname")[1])
        writer.write(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path.encode())
        await reader.readuntil(b"hello")
        if close and not path.endswith("-0"):
            streams.pop(n)[1].close()

    await play(request)
    for _, writer in streams.values():
        writer.close()


role, listening, *files = sys.argv[1:]
asyncio.run({"server": serve, "client": talk}[role](int(listening), *files))
