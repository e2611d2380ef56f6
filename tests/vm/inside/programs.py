#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Real programs under the kprobe backend: what is shown is what they did. Runs in the virtual machine."""
import json
import os
import signal
import ssl
import subprocess
import threading
import http.client
import http.server

TLSLENS = "/bin/tlslens"
ASKED_FROM = 40053
UNBOUND = """
server:
	interface: 127.0.0.1
	username: ""
	chroot: ""
	directory: "/tmp"
	pidfile: "/tmp/unbound.pid"
	use-syslog: no
	module-config: "iterator"
	local-zone: "test." static
	local-data: "a.test. A 192.0.2.1"
	local-data: "b.test. A 192.0.2.2"
	local-data: "c.test. A 192.0.2.3"
remote-control:
	control-enable: no
"""


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

    dns()


def exchanges(lines, own, other):
    """Of the questions of the test: name, type, transport, the client's port."""
    return sorted((t["dns.question.name"], t["dns.question.type"], t["tlslens.dns.transport"], t.get(own), t.get(other),
                   *t.get("dns.resolved_ip", [])) for t in lines
                  if t["event.name"] == "dns.exchange" and t["dns.question.name"] != "ready.test")


def dns():
    """dig over UDP and TCP, glibc's resolver, and the server's end of it in unbound."""
    with open("/tmp/unbound.conf", "w", encoding="ascii") as f:
        f.write(UNBOUND)
    server = subprocess.Popen([TLSLENS, "-o", "json:/tmp/server", "--", "/usr/sbin/unbound", "-d", "-c",
                               "/tmp/unbound.conf"], stderr=subprocess.PIPE, text=True)
    while server.poll() is None and subprocess.run(["dig", "+tries=1", "+time=1", "@127.0.0.1", "ready.test"],
                                                   stdout=subprocess.DEVNULL, check=False).returncode:
        pass
    lines, run = traced("/bin/bash", "-c", f"dig +short -b 127.0.0.1#{ASKED_FROM} @127.0.0.1 a.test; "
                        "dig +short +tcp @127.0.0.1 b.test; getent ahosts c.test")
    with open("/tmp/unbound.pid", encoding="ascii") as f:
        os.kill(int(f.read()), signal.SIGTERM)
    said = server.communicate(timeout=60)[1]
    clients = exchanges(lines, "network.local.port", "network.peer.port")
    check("dig, dig +tcp, getent", [(e[:3], e[4], *e[5:]) for e in clients] == [
        (("a.test", "A", "udp"), 53, "192.0.2.1"), (("b.test", "A", "tcp"), 53, "192.0.2.2"),
        (("c.test", "A", "udp"), 53, "192.0.2.3"), (("c.test", "AAAA", "udp"), 53)] and
        clients[0][3] == ASKED_FROM and "192.0.2.2" in run.stdout, (clients, run.stdout, run.stderr))
    with open("/tmp/server", encoding="utf-8") as f:
        served = exchanges([json.loads(line) for line in f], "network.peer.port", "network.local.port")
    check("unbound: the same questions, from whom they came", served == clients, (served, clients, said))


if __name__ == "__main__":
    main()
