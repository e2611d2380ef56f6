#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Real programs under the kprobe backend: what is shown is what they did. Runs in the virtual machine."""
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import http.client
import http.server

TLSLENS = "/bin/tlslens"


def check(name, ok, why=""):
    print(f"{'ok' if ok else 'not ok'} - {name}", flush=True)
    if not ok:
        print(f"# {why}"[:2000], flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    ports = []

    def do_GET(self):
        self.ports.append(self.client_address[1])
        body = b"x" * 3000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(tls):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("/cert.pem", "/key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def dns_server():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))

    def run():
        while True:
            query, peer = s.recvfrom(512)
            answer = query[:2] + b"\x85\x80" + query[4:6] + b"\x00\x01\x00\x00\x00\x00"
            end = 12
            while query[end]:
                end += 1 + query[end]
            end += 5
            answer += query[12:end] + b"\xc0\x0c\x00\x01\x00\x01" + struct.pack(">IH", 60, 4) + bytes([192, 0, 2, 9])
            s.sendto(answer, peer)
    threading.Thread(target=run, daemon=True).start()
    return s.getsockname()[1]


def traced(*command):
    """The transactions of a command, and what it said of its tracing."""
    run = subprocess.run([TLSLENS, "-o", "json:/tmp/json", "--", *command], stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, timeout=60)
    with open("/tmp/json", encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    return lines, run


def client(port, tls):
    code = f"""
import http.client, ssl
c = http.client.HTTPSConnection("127.0.0.1", {port}, context=ssl._create_unverified_context()) if {tls} else \
    http.client.HTTPConnection("127.0.0.1", {port})
for i in range(3):
    c.request("GET", "/n%d" % i)
    c.getresponse().read()
"""
    return ["/usr/bin/python3", "-c", code]


def everybody(command):
    """What --all sees of a command that starts later, and of this process, which serves it."""
    with subprocess.Popen([TLSLENS, "--all", "-o", "json:/tmp/all"], stderr=subprocess.PIPE, text=True) as tracer:
        said = tracer.stderr.readline()
        while said and not said.startswith("tlslens: tracing"):
            said = tracer.stderr.readline()
        subprocess.run(command, stdout=subprocess.DEVNULL, timeout=60, check=True)
        tracer.send_signal(signal.SIGINT)
        rest = tracer.communicate(timeout=60)[1]
    with open("/tmp/all", encoding="utf-8") as f:
        return [json.loads(line) for line in f], tracer.pid, said + rest


def whole(lines, source):
    return [(t["url.path"], t.get("http.response.status_code"), t.get("http.response.body.size")) for t in lines
            if t["event.name"] == "http.exchange" and t["tlslens.conn.source"] in source]


def main():
    doctor = subprocess.run([TLSLENS, "doctor"], capture_output=True, text=True, timeout=60).stdout
    check("doctor: sockets by kprobe", "sockets by kprobe" in doctor, doctor)
    forced = subprocess.run([TLSLENS, "--backend", "tracepoint", "--", "/bin/true"], capture_output=True, text=True,
                            timeout=60)
    check("--backend tracepoint is refused", forced.returncode == 1 and "this kernel has none" in forced.stderr,
          forced.stderr)

    want = [("/n%d" % i, 200, 3000) for i in range(3)]
    port = serve(False)
    lines, run = traced(*client(port, False))
    check("python3, plain HTTP", whole(lines, ("kernel",)) == want, (lines, run.stderr))
    check("its peers", {t["network.local.port"] for t in lines} <= set(Handler.ports) and
          {t["network.peer.port"] for t in lines} == {port}, (lines, Handler.ports))

    port = serve(True)
    lines, run = traced(*client(port, True))
    check("python3, HTTPS", whole(lines, ("nested", "cached")) == want, (lines, run.stderr))
    check("its peers", {t["network.local.port"] for t in lines} <= set(Handler.ports) and
          {t["network.peer.port"] for t in lines} == {port}, (lines, Handler.ports))

    lines, own, said = everybody(client(port, True))
    roles = [(t["tlslens.role"], t["url.path"]) for t in lines if t["event.name"] == "http.exchange"]
    check("--all: who was there and who comes", sorted(roles) == sorted((role, path) for role in ("client", "server")
                                                                        for path, _, _ in want), (lines, said))
    check("but never itself", own not in {t["process.pid"] for t in lines} and f"tlslens[{own}]" not in said, said)

    request = r"GET /n0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    lines, run = traced("/bin/bash", "-c", f"printf '{request}' | openssl s_client -quiet "
                        f"-connect 127.0.0.1:{port} >/dev/null 2>&1")
    check("openssl s_client", whole(lines, ("nested", "cached")) == want[:1], (lines, run.stderr))

    port = dns_server()
    lines, run = traced("dig", "+short", "+tries=1", "-p", str(port), "@127.0.0.1", "a.test")
    found = [(t["dns.question.name"], t.get("dns.resolved_ip"), t["network.peer.port"]) for t in lines
             if t["event.name"] == "dns.exchange"]
    check("dig", found == [("a.test", ["192.0.2.9"], port)] and "192.0.2.9" in run.stdout, (lines, run.stderr))

    # The server's end: datagrams of a socket that is connected to nobody.
    with open("/tmp/server.py", "w", encoding="utf-8") as f:
        f.write("import sys\nsys.argv = ['x']\nexec(open('/programs.py').read().split('def traced')[0])\n"
                "port = dns_server()\nopen('/tmp/port', 'w').write(str(port))\nsys.stdin.read()\n")
    server = subprocess.Popen([TLSLENS, "-o", "json:/tmp/server", "--", "/usr/bin/python3", "/tmp/server.py"],
                              stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    while not os.path.exists("/tmp/port") or not os.path.getsize("/tmp/port"):
        if server.poll() is not None:
            break
    local = 40053
    with open("/tmp/port", encoding="utf-8") as f:
        port = f.read()
    subprocess.run(["dig", "+short", "-b", f"127.0.0.1#{local}", "-p", port, "@127.0.0.1", "b.test"],
                   stdout=subprocess.DEVNULL, timeout=30)
    server.communicate()
    with open("/tmp/server", encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    found = [(t["dns.question.name"], t.get("network.peer.port")) for t in lines if t["event.name"] == "dns.exchange"]
    check("a DNS server knows who asks", found == [("b.test", local)], lines)


if __name__ == "__main__":
    main()
