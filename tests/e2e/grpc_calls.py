# SPDX-License-Identifier: GPL-2.0-or-later
"""gRPC calls of all four kinds over TLS, for grpc.sh; the messages are Protobuf with one field.

  grpc_calls.py server CERT KEY       prints its port, serves until it is ended
  grpc_calls.py client CERT PORT [STREAMS PAUSE]
                                      CONNECTIONS channels with STREAMS calls at a time on each, PAUSE seconds
                                      apart, until a line comes on standard input; says "busy" when every channel
                                      had some calls and then, a JSON object a line, what it knows of each call
"""
import asyncio
import itertools
import json
import os
import sys
import time

import grpc
import grpc.aio

CONNECTIONS = 2
STREAMS = 64
CALLS_MAX = 20000
KINDS = ("Unary", "ServerStream", "ClientStream", "Bidi")


def message(text):
    n = len(text)
    return b"\x0a" + (bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7])) + text


async def unary(request, context):
    await asyncio.sleep(0.01)
    if b"fail" in request:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not 100% right")
    return request


async def server_stream(request, context):
    for i in range(request[2]):
        yield message(b"part %d" % i)


async def client_stream(requests, context):
    n = 0
    async for _ in requests:
        n += 1
    return message(b"%d" % n)


async def bidi(requests, context):
    async for request in requests:
        yield request * 3


async def serve(cert, key):
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
        "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
        "Bidi": grpc.stream_stream_rpc_method_handler(bidi),
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Calls", handlers),))
    with open(key, "rb") as k, open(cert, "rb") as c:
        credentials = grpc.ssl_server_credentials([(k.read(), c.read())])
    print(server.add_secure_port("127.0.0.1:0", credentials), flush=True)
    await server.start()
    await server.wait_for_termination()


async def several(n):
    for i in range(n):
        yield message(b"x" * (100 * i))


async def call(channel, number):
    kind = KINDS[number % 4]
    n = number // 4 % 5
    metadata = (("x-call", "call-%06d" % number),)
    path = "/test.Calls/" + kind
    done = {"id": "call-%06d" % number, "method": path[1:], "sent": 1, "received": 1, "status": "OK"}
    done["begin"] = time.time_ns()
    try:
        if kind == "Unary":
            await channel.unary_unary(path)(message(b"fail" if n == 4 else b"fine"), metadata=metadata)
        elif kind == "ServerStream":
            done["received"] = n
            async for _ in channel.unary_stream(path)(message(bytes([n])), metadata=metadata):
                pass
        elif kind == "ClientStream":
            done["sent"] = n
            await channel.stream_unary(path)(several(n), metadata=metadata)
        else:
            done["sent"] = done["received"] = n
            async for _ in channel.stream_stream(path)(several(n), metadata=metadata):
                pass
    except grpc.aio.AioRpcError as error:
        done["received"] = 0
        done["status"] = error.code().name
    done["end"] = time.time_ns()
    return done


async def drive(cert, port, streams=STREAMS, pause=0):
    with open(cert, "rb") as c:
        credentials = grpc.ssl_channel_credentials(c.read())
    numbers = itertools.count()
    calls = []
    stop = asyncio.Event()
    asyncio.get_running_loop().add_reader(0, stop.set)

    async def again(channel):
        while not stop.is_set():
            number = next(numbers)
            if number >= CALLS_MAX:
                await stop.wait()
                break
            calls.append(await call(channel, number))
            await asyncio.sleep(float(pause))

    options = (("grpc.use_local_subchannel_pool", 1),)
    channels = [
        grpc.aio.secure_channel("localhost:" + port, credentials, options) for _ in range(CONNECTIONS)
    ]
    tasks = [asyncio.create_task(again(c)) for c in channels for _ in range(int(streams))]
    while len(calls) < 5 * len(tasks) and not stop.is_set():
        await asyncio.sleep(0.05)
    print("busy", flush=True)
    await asyncio.gather(*tasks)
    for done in calls:
        print(json.dumps(done))
    for channel in channels:
        await channel.close()


if sys.argv[1] == "server":
    asyncio.run(serve(*sys.argv[2:]))
else:
    asyncio.run(drive(*sys.argv[2:]))
