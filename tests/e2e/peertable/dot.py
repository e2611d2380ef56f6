# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of DNS over TLS, on asyncio's streams; asks for the addresses of tlsNN-ROUND.test: dot.py CERT"""
import asyncio
import ssl
import struct
import sys

from rounds import play


def query(path):
    name = path.replace("/c", "tls").encode()
    question = bytes([len(name)]) + name + b"\4test\0" + struct.pack("!HH", 1, 1)
    return struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + question


async def over_tls(tls):
    streams = {}

    async def request(n, path):
        if n not in streams:
            streams[n] = await asyncio.open_connection("127.0.0.1", 853, ssl=tls)
        reader, writer = streams[n]
        message = query(path)
        writer.write(struct.pack("!H", len(message)) + message)
        await reader.readexactly(struct.unpack("!H", await reader.readexactly(2))[0])

    await play(request)
    for _, writer in streams.values():
        writer.close()


asyncio.run(over_tls(ssl.create_default_context(cafile=sys.argv[1])))
