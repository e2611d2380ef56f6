# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTPS by httpx: with_httpx.py client PORT CERT"""
import asyncio
import ssl
import sys

import httpx

from rounds import SECONDS_MAX, play


async def talk(port, cert):
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=SECONDS_MAX)
    tls = ssl.create_default_context(cafile=cert)
    async with httpx.AsyncClient(verify=tls, limits=limits, timeout=None, trust_env=False) as client:

        async def request(_, path):
            await client.get(f"https://127.0.0.1:{port}{path}")

        await play(request)


asyncio.run(talk(*sys.argv[2:]))
