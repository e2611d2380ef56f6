# SPDX-License-Identifier: GPL-2.0-or-later
"""gRPC calls of the four kinds over TLS, in Python; calls.cc says the same, and how it is used.

  calls.py GENERATED server CERT KEY      GENERATED: the folder of calls_pb2.py
  calls.py GENERATED client CERT PORT
  calls.py GENERATED chat CERT PORT       one Bidi call, from the first line of standard input on; each is a message
"""
import concurrent.futures
import itertools
import sys
import threading

import grpc

sys.path.insert(0, sys.argv[1])
import calls_pb2 as pb  # pylint: disable=import-error,wrong-import-position

PLAIN_CALLS = 48
KINDS = ("Unary", "ServerStream", "ClientStream", "Bidi")


def read_file(path):
    with open(path, "rb") as f:
        return f.read()


def unary(ask, context):
    if ask.text == "fail":
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not 100% right: \u00e4")
    if ask.text == "sleep":
        over = threading.Event()
        context.add_callback(over.set)
        over.wait()
    return pb.Answer(text=ask.text, last=True)


def server_stream(ask, context):
    for i in range(ask.count):
        yield pb.Answer(text=ask.text, part=i)
    if ask.text == "fail":
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "enough")


def client_stream(asks, _):
    return pb.Answer(text=str(sum(1 for _ in asks)), last=True)


def bidi(asks, _):
    for i, ask in enumerate(asks):
        yield pb.Answer(text=ask.text, part=i)


def serve(cert, key):
    own = {"request_deserializer": pb.Ask.FromString, "response_serializer": pb.Answer.SerializeToString}
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary, **own),
        "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream, **own),
        "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream, **own),
        "Bidi": grpc.stream_stream_rpc_method_handler(bidi, **own),
    }
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), compression=grpc.Compression.Gzip)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Calls", handlers),))
    credentials = grpc.ssl_server_credentials([(read_file(key), read_file(cert))])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


def make(channel, number, method, text, count, gzip, deadline):
    sent = [0]
    received = 0

    def ask(i):
        sent[0] += 1
        words = text or f"call {number} message {i} " * 10
        return pb.Ask(text=words, count=count, numbers=[i, -i])

    kinds = {
        "ServerStream": channel.unary_stream,
        "ClientStream": channel.stream_unary,
        "Bidi": channel.stream_stream,
    }
    call = kinds.get(method, channel.unary_unary)(
        "/test.Calls/" + method, pb.Ask.SerializeToString, pb.Answer.FromString)
    one = method not in ("ClientStream", "Bidi")
    options = {
        "metadata": (("x-call", f"call-{number}"),),
        "timeout": deadline,
        "compression": grpc.Compression.Gzip if gzip else None,
    }
    code, message = 0, ""
    try:
        got = call(ask(0) if one else map(ask, range(count)), **options)
        if method in ("ServerStream", "Bidi"):
            for _ in got:
                received += 1
        else:
            received = 1
    except grpc.RpcError as error:
        code, message = error.code().value[0], error.details()
    print(number, method, code, sent[0], received, message, sep="\t")


def connect(cert, port):
    return grpc.secure_channel("localhost:" + port, grpc.ssl_channel_credentials(read_file(cert)))


def chat(cert, port):
    lines = itertools.chain([sys.stdin.readline()], iter(sys.stdin.readline, ""))
    call = connect(cert, port).stream_stream(
        "/test.Calls/Bidi", pb.Ask.SerializeToString, pb.Answer.FromString)
    for _ in call(pb.Ask(text=line.strip()) for line in lines):
        pass


def drive(cert, port):
    sys.stdin.readline()
    channel = connect(cert, port)
    for n in range(PLAIN_CALLS):
        make(channel, n, KINDS[n % 4], "", n // 4 % 4, n // 16 % 2, None if n % 3 else 60)
    make(channel, PLAIN_CALLS, "Unary", "fail", 1, False, None)
    make(channel, PLAIN_CALLS + 1, "ServerStream", "fail", 2, False, None)
    make(channel, PLAIN_CALLS + 2, "Missing", "", 1, False, None)
    make(channel, PLAIN_CALLS + 3, "Unary", "sleep", 1, False, 0.2)


{"server": serve, "client": drive, "chat": chat}[sys.argv[2]](*sys.argv[3:])
