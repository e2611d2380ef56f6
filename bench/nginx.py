# SPDX-License-Identifier: GPL-2.0-or-later
"""A private nginx with one worker on a free port of the loopback, and the loads for it."""
import os
import re
import socket
import subprocess
import time

SIZES = (("100 B", 100), ("1 KiB", 1024), ("16 KiB", 16384), ("256 KiB", 262144))
CONF = """
daemon off;
worker_processes 1;
user root;
pid {work}/nginx.pid;
error_log {work}/nginx.err warn;
events {{ worker_connections 20480; }}
http {{
	access_log off;
	keepalive_requests 100000000;
	keepalive_timeout 300;
	client_header_timeout 300;
	client_body_temp_path {work}/t; proxy_temp_path {work}/t; fastcgi_temp_path {work}/t;
	uwsgi_temp_path {work}/t; scgi_temp_path {work}/t;
	server {{
		listen 127.0.0.1:{port} ssl http2;
		ssl_certificate {work}/cert.pem;
		ssl_certificate_key {work}/key.pem;
		root {work}/www;
	}}
}}
"""


class Result:
    def __init__(self, rate, cpu_us, p50_us, p99_us):
        self.rate, self.cpu_us, self.p50_us, self.p99_us = rate, cpu_us, p50_us, p99_us


def microseconds(text):
    value, unit = re.match(r"([\d.]+)(us|ms|s)", text).groups()
    return float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


class Load:
    """One kind of request, as fast as 16 connections can."""

    def __init__(self, name, server, path, h2):
        self.name, self.server, self.path, self.h2 = name, server, path, h2

    def run(self, seconds):
        url = f"https://127.0.0.1:{self.server.port}/{self.path}"
        before = self.server.cpu_ns()
        if self.h2:
            argv = ["h2load", "-c", "4", "-m", "8", "-D", str(max(1, round(seconds))), url]
        else:
            argv = ["wrk", "-t1", "-c16", f"-d{max(1, round(seconds))}", "--latency", url]
        out = subprocess.run(["taskset", "-c", str(os.cpu_count() - 1), *argv], capture_output=True,
                             text=True, check=True).stdout
        used = self.server.cpu_ns() - before
        if self.h2:
            done = int(re.search(r"(\d+) succeeded", out).group(1))
            rate = float(re.search(r"([\d.]+) req/s", out).group(1))
            p50 = microseconds(re.search(r"time for request:\s+\S+\s+\S+\s+(\S+)", out).group(1))
            return Result(rate, used / max(done, 1) / 1e3, p50, None)
        done = int(re.search(r"(\d+) requests in", out).group(1))
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
        return Result(rate, used / max(done, 1) / 1e3, microseconds(re.search(r"(?m)^\s*50%\s+(\S+)", out).group(1)),
                      microseconds(re.search(r"(?m)^\s*99%\s+(\S+)", out).group(1)))


class Nginx:
    def __init__(self, work):
        self.work = work

    def __enter__(self):
        os.makedirs(f"{self.work}/www", exist_ok=True)
        for _, size in SIZES:
            with open(f"{self.work}/www/{size}", "wb") as f:
                f.write(b"x" * size)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-days", "1", "-subj", "/CN=localhost", "-keyout", f"{self.work}/key.pem",
                        "-out", f"{self.work}/cert.pem"], stderr=subprocess.DEVNULL, check=True)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        with open(f"{self.work}/nginx.conf", "w", encoding="ascii") as f:
            f.write(CONF.format(work=self.work, port=self.port))
        self.process = subprocess.Popen(["nginx", "-p", self.work, "-c", f"{self.work}/nginx.conf", "-e",
                                         f"{self.work}/nginx.err"])
        self.worker = self.wait_for_worker()
        os.sched_setaffinity(self.worker, {0})
        return self

    def wait_for_worker(self):
        pid = self.process.pid
        for _ in range(500):
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
                children = f.read().split()
            if children:
                with socket.socket() as s:
                    if s.connect_ex(("127.0.0.1", self.port)) == 0:
                        return int(children[0])
            time.sleep(0.02)
        raise RuntimeError("nginx does not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def cpu_ns(self):
        with open(f"/proc/{self.worker}/schedstat", encoding="ascii") as f:
            return int(f.read().split()[0])

    def loads(self):
        """HTTP/1 for every size; HTTP/2 for a small and a large one."""
        return [Load(f"HTTP/1, {name}", self, str(size), False) for name, size in SIZES] + \
            [Load(f"HTTP/2, {name}", self, str(size), True) for name, size in SIZES[1:3]]
