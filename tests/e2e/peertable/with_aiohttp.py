# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTPS by aiohttp: with_aiohttp.py server PORT CERT KEY | client PORT CERT"""
import asyncio
import ssl
import sys

import aiohttp
import aiohttp.web

from rounds import SECONDS_MAX, Together, play, say


async def serve(port, cert, key):
    together = Together()

    async def answer(request):
        say(request.path, request.transport.get_extra_info("peername")[1])
        await together.wait(request.path)
        return aiohttp.web.Response(text="hello")

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    app = aiohttp.web.Application()
    app.router.add_get("/{path}", answer)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    await aiohttp.web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls, backlog=500).start()
    await asyncio.Event().wait()


async def talk(port, cert):
    tls = ssl.create_default_context(cafile=cert)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=SECONDS_MAX, ssl=tls)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def request(_, path):
            async with session.get(f"https://127.0.0.1:{port}{path}") as response:
                await response.read()

        await play(request)


role, listening, *files = sys.argv[1:]
asyncio.run({"server": serve, "client": talk}[role](int(listening), *files))
