# SPDX-License-Identifier: GPL-2.0-or-later
"""gRPC calls, one channel a connection: with_grpc.py server PORT CERT KEY | client PORT CERT"""
import asyncio
import sys

import grpc
import grpc.aio

from rounds import Together, play, say


def read(path):
    with open(path, "rb") as f:
        return f.read()


class Calls(grpc.GenericRpcHandler):
    def __init__(self):
        self.together = Together()

    def service(self, details):
        async def answer(request, context):
            say(details.method, context.peer().rsplit(":", 1)[1])
            await self.together.wait(details.method)
            return request

        return grpc.unary_unary_rpc_method_handler(answer)


async def serve(port, cert, key):
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Calls(),))
    server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([(read(key), read(cert))]))
    await server.start()
    await server.wait_for_termination()


async def talk(port, cert):
    credentials = grpc.ssl_channel_credentials(read(cert))
    own = (("grpc.use_local_subchannel_pool", 1),)
    channels = {}

    async def request(n, path):
        if n not in channels:
            channels[n] = grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, own)
        await channels[n].unary_unary("/peers.Peers" + path)(b"hello")

    await play(request)
    for channel in channels.values():
        await channel.close()


role, *words = sys.argv[1:]
asyncio.run({"server": serve, "client": talk}[role](*words))
