# SPDX-License-Identifier: GPL-2.0-or-later
"""An HTTPS server that counts the plaintext bytes it moved: server.py CERT KEY

Prints "port N" when it listens, and on each SIGUSR1 "read N written N". Answers every request with 1000 bytes.
"""
import signal
import socket
import ssl
import sys
import threading

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000
counts = {"read": 0, "written": 0}
lock = threading.Lock()


def serve(context, plain):
    read = written = 0
    pending = b""
    try:
        with context.wrap_socket(plain, server_side=True) as tls:
            while data := tls.recv(16384):
                read += len(data)
                pending += data
                while (end := pending.find(b"\r\n\r\n")) >= 0:
                    pending = pending[end + 4 :]
                    tls.sendall(ANSWER)
                    written += len(ANSWER)
    except OSError:
        pass
    with lock:
        counts["read"] += read
        counts["written"] += written


def report(*_):
    print("read", counts["read"], "written", counts["written"], flush=True)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
signal.signal(signal.SIGUSR1, report)
with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
    print("port", listener.getsockname()[1], flush=True)
    while True:
        threading.Thread(target=serve, args=(context, listener.accept()[0]), daemon=True).start()
