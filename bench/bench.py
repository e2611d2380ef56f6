#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What tlslens costs, measured: `make bench` (root). Prints a table and writes bench/results.json.

Everything that is compared runs in one go, taking turns, so that a busy machine is busy for all of it; the
figures are medians with their spread. Requests per second say what a client notices, the processor time of
the traced program per request says it with less noise. bench.py NAME... runs only these parts.
"""
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from nginx import Nginx  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
TLSLENS = os.path.join(BUILD, "tlslens")
HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
SECONDS = float(os.environ.get("SECONDS", "1"))

results = {}


def bench(name):
    return os.path.join(BUILD, "bench", name)


def note(part, what, values, unit, shown=True):
    """Keeps the figures of one line and, unless they are many, prints it."""
    values = [v for v in values if v is not None]
    if not values:
        return
    median = statistics.median(values)
    line = {"median": median, "min": min(values), "max": max(values), "unit": unit, "n": len(values)}
    if part not in results and shown:
        print(f" {part}")
    results.setdefault(part, {})[what] = line
    if shown:
        print(f"  {what:<44} {median:>14,.1f} {unit:<16} ({min(values):,.1f} .. {max(values):,.1f})",
              flush=True)


def title(text):
    print(f"\n{text}", flush=True)


class Tracer:
    """Something attached to a process: enter it when it is in place, leave it when it is gone."""

    def __init__(self, argv, ready, stop=None):
        self.argv, self.ready, self.stop = argv, ready, stop

    def __enter__(self):
        self.log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=self.log,
                                        stderr=subprocess.STDOUT)
        until = time.monotonic() + 20
        while time.monotonic() < until and self.process.poll() is None:
            if re.search(self.ready, self.said()):
                self.before = usage_of(self.process.pid)[0]
                return self
            time.sleep(0.002)
        self.process.kill()
        raise RuntimeError(f"{self.argv}: {self.said()}")

    def said(self):
        self.log.seek(0)
        return self.log.read(1 << 20)

    def __exit__(self, *_):
        self.cpu_s, self.peak_mib = usage_of(self.process.pid)
        self.cpu_s -= self.before
        if self.stop:
            self.process.send_signal(self.stop)
        self.process.stdin.close()
        self.process.wait(60)
        self.output = self.said()
        self.log.close()


def usage_of(pid):
    """Processor seconds of all threads, peak resident MiB."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        peak = re.search(r"VmHWM:\s*(\d+)", f.read())
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(peak.group(1)) / 1024


def tlslens(pid, *more):
    return Tracer([TLSLENS, "-p", str(pid), *more], "tlslens: tracing", 2)


def bpftrace(pid, work):
    script = os.path.join(work, "sniff.bt")
    libssl = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    path = re.search(r"libssl\.so\.3 .*=> (\S+)", libssl).group(1)
    with open(os.path.join(HERE, "sniff.bt"), encoding="ascii") as f, \
            open(script, "w", encoding="ascii") as out:
        out.write(f.read().replace("LIBSSL", path) + '\nBEGIN { printf("ready\\n"); }\n')
    os.environ["BPFTRACE_STRLEN"] = "200"
    return Tracer(["bpftrace", "-B", "line", "-p", str(pid), script], "ready", 2)


class Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def target_cost(work):
    """Part 1: nginx with one worker on one core, the client on the other."""
    title("Target: nginx, one worker; requests/s, and its processor time per request")
    with Nginx(work) as server:
        pid = server.worker
        ways = {
            "untraced": Nothing,
            "empty programs at the entries": lambda: Tracer([bench("baseline"), "entries", str(pid)], "ready"),
            "empty programs at our sites": lambda: Tracer([bench("baseline"), "sites", str(pid)], "ready"),
            "tlslens to JSON": lambda: tlslens(pid, "-o", f"json:{work}/json"),
            "tlslens --sites entry": lambda: tlslens(pid, "--sites", "entry", "-o", f"json:{work}/json"),
            "perf-buffer sniffer": lambda: Tracer([bench("baseline"), "sniffer", str(pid)], "ready"),
        }
        if shutil.which("bpftrace"):
            ways["bpftrace"] = lambda: bpftrace(pid, work)
        runs = {}
        lost = 0
        for _ in range(ROUNDS):
            for name, way in ways.items():
                with way() as tracer:
                    for load in server.loads():
                        runs.setdefault((load.name, name), []).append(load.run(SECONDS))
                if name == "tlslens to JSON":
                    lost += int(re.search(r"lost (\d+)", tracer.output).group(1))
        for load in server.loads():
            for name in ways:
                part = runs[load.name, name]
                note(f"target, {load.name}", name, [r.rate for r in part], "requests/s")
            for name in ways:
                part = runs[load.name, name]
                note(f"target cpu, {load.name}", name, [r.cpu_us for r in part], "us/request")
                note(f"target p50, {load.name}", name, [r.p50_us for r in part], "us", False)
                note(f"target p99, {load.name}", name, [r.p99_us for r in part], "us", False)
        note("target", "bytes lost by tlslens in all of it", [lost], "bytes")
        neighbour(pid, work)


def neighbour(pid, work):
    """A process that makes system calls and is not traced."""
    took = {"untraced": [], "while another process is traced": []}
    for _ in range(ROUNDS):
        for name, way in (("untraced", Nothing), ("while another process is traced",
                                                  lambda: tlslens(pid, "-o", f"json:{work}/json"))):
            with way():
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                subprocess.run(["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=1500000"],
                               stderr=subprocess.DEVNULL, check=True)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            took[name].append(used / 3e6 * 1e9)
    for name, values in took.items():
        note("a system call of a process not traced", name, values, "ns")


def run_times(names):
    """Nanoseconds and runs of the loaded programs with these names."""
    out = subprocess.run([shutil.which("bpftool") or "/usr/sbin/bpftool", "prog", "show", "--json"],
                         capture_output=True, text=True, check=True).stdout
    return {p["id"]: (p.get("run_time_ns", 0), p.get("run_cnt", 0))
            for p in json.loads(out) if p.get("name") in names}


def kernel_time(_):
    """Part 2: the programs' own time for one write, by bpf_stats."""
    title("In the kernel: time of the programs for one captured write")
    subprocess.run(["sysctl", "-q", "kernel.bpf_stats_enabled=1"], check=True)
    try:
        for size, calls in ((64, 100000), (1024, 100000), (16384, 20000), (262144, 2000)):
            per_write, per_call = [], []
            for _ in range(ROUNDS):
                argv = [TLSLENS, "-q", "--ring-mb", "256", "--no-descendants", "-o", "raw:/dev/null",
                        "--", bench("writes"), str(size), str(calls)]
                last = {}
                process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
                while process.poll() is None:
                    last.update(run_times(("tls_entry", "tls_session")))
                    time.sleep(0.02)
                per_call.append(float(process.stderr.read().split()[-1]))
                per_write += [2 * ns / runs for ns, runs in last.values() if runs > calls]
            note("in the kernel", f"a write of {size} bytes, both programs", per_write, "ns")
            note("in the kernel", f"a write of {size} bytes, as the writer sees it", per_call, "ns")
    finally:
        subprocess.run(["sysctl", "-q", "kernel.bpf_stats_enabled=0"], check=True)


def own_cost(work):
    """Part 3: what tlslens itself uses."""
    title("tlslens itself, live")
    with Nginx(work) as server:
        cpu, peak, lost = [], [], []
        for _ in range(ROUNDS):
            with tlslens(server.worker, "-o", f"json:{work}/json") as tracer:
                server.loads()[0].run(2 * SECONDS)
            n = int(re.search(r"(\d+) transactions", tracer.output).group(1))
            cpu.append(tracer.cpu_s / n * 1e6)
            peak.append(tracer.peak_mib)
            lost.append(int(re.search(r"lost (\d+)", tracer.output).group(1)))
        note("tlslens live", "processor time", cpu, "us/transaction")
        note("tlslens live", "peak resident memory", peak, "MiB")
        note("tlslens live", "lost", lost, "bytes")
        many_connections(server, work)


def many_connections(server, work):
    """Peak memory while thousands of connections are open, each with a few requests."""
    count = min(10000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200)
    with tlslens(server.worker, "-o", f"json:{work}/json") as tracer:
        out = subprocess.run(["h2load", "--h1", "-c", str(count), "-n", str(3 * count),
                              f"https://127.0.0.1:{server.port}/100"], capture_output=True, text=True, check=True)
    done = int(re.search(r"(\d+) succeeded", out.stdout).group(1))
    seen = int(re.search(r"(\d+) transactions", tracer.output).group(1))
    what = f"{count} connections open at once"
    note("tlslens live", f"{what}: peak resident memory", [tracer.peak_mib], "MiB")
    note("tlslens live", f"{what}: requests", [done], "")
    note("tlslens live", f"{what}: transactions", [seen], "")


def make_recording(path, kind, txns, conns=100, headers=2, body=100):
    subprocess.run([bench("make_recording"), path, kind, str(txns), str(conns), str(headers), str(body)],
                   check=True)


def replayed(path, output):
    """Processor seconds and peak MiB of one replay."""
    process = subprocess.Popen([TLSLENS, "replay", path, "-q", "-o", output])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise RuntimeError(f"replay of {path} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def parsed(what, path):
    """Messages, bytes and seconds of bench/parse."""
    out = subprocess.run([bench("parse"), what, path], capture_output=True, text=True, check=True).stdout
    n, size, seconds = out.split()
    return int(n), int(size), float(seconds)


def replay_speed(work):
    """Part 4: recordings through parsers and writers, on one core."""
    title("Replay, one core")
    path = f"{work}/rec"
    for kind, txns in (("http1", 100000), ("h2", 100000), ("grpc", 100000), ("dns", 200000)):
        make_recording(path, kind, txns)
        for output in ("json", "pcapng"):
            took = [replayed(path, f"{output}:/dev/null")[0] for _ in range(ROUNDS)]
            note("replay", f"{kind} to {output}", [txns / t for t in took], "transactions/s")
        note("replay", f"{kind} to nothing",
             [txns / parsed("flow", path)[2] for _ in range(ROUNDS)], "transactions/s")
        ceiling = {"http1": "llhttp", "h2": "hpack", "grpc": "hpack"}.get(kind)
        if ceiling:
            note("replay", f"{kind}: {ceiling} alone",
                 [txns / parsed(ceiling, path)[2] for _ in range(ROUNDS)], "transactions/s")
        if kind == "http1":
            peer_tshark(path, work, txns)
    make_recording(path, "http1", 20, 4, 2, 10 << 20)
    size = os.path.getsize(path)
    took = [replayed(path, "json:/dev/null")[0] for _ in range(ROUNDS)]
    note("replay", "bodies of 10 MiB to json", [size / t / 1e9 for t in took], "GB/s")


def peer_tshark(path, work, txns):
    """The same traffic as cleartext packets, read by tshark."""
    subprocess.run([TLSLENS, "replay", path, "-q", "--pcap-framing", "tcp", "-w", f"{work}/pcapng"], check=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["tshark", "-r", f"{work}/pcapng", "-d", "tcp.port==443,http", "-T", "fields", "-e",
                    "http.request.uri", "-e", "http.response.code"], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    note("replay", "http1: tshark on the same traffic",
         [txns / (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)], "transactions/s")


def attach_time(_):
    """Part 5: seconds until in place, and until gone."""
    title("Attach and detach")
    code = "import ssl,sys; print('up', flush=True); sys.stdin.read()"
    python = os.path.realpath(sys.executable)
    for count in (1, 10, 100):
        targets = [subprocess.Popen([python, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
                   for _ in range(count)]
        for t in targets:
            t.stdout.readline()
        up, down = [], []
        for _ in range(ROUNDS):
            start = time.monotonic()
            with tlslens(",".join(str(t.pid) for t in targets), "-o", "json:/dev/null"):
                up.append((time.monotonic() - start) * 1000)
                time.sleep(0.2)
                start = time.monotonic()
            down.append((time.monotonic() - start) * 1000)
        note("attach", f"{count} processes: start to in place", up, "ms")
        note("attach", f"{count} processes: Ctrl-C to ended", down, "ms")
        for t in targets:
            t.stdin.close()
            t.wait()


def growth(work):
    """Part 6: does the cost of one depend on how many there are?"""
    title("How it grows: replay to JSON")
    path = f"{work}/rec"
    for conns in (1, 10, 100, 1000, 10000):
        make_recording(path, "http1", 50000, conns)
        took = [replayed(path, "json:/dev/null") for _ in range(ROUNDS)]
        note("growth", f"{conns} connections", [t / 50000 * 1e6 for t, _ in took], "us/transaction")
        note("growth", f"{conns} connections, memory", [m for _, m in took], "MiB")
    for headers in (1, 10, 100, 500):
        txns = 200000 // (headers + 9)
        make_recording(path, "http1", txns, 10, headers)
        took = [replayed(path, "json:/dev/null")[0] for _ in range(ROUNDS)]
        note("growth", f"{headers} headers", [t / txns / (2 * headers + 9) * 1e9 for t in took], "ns/header")
    for body in (1 << 10, 32 << 10, 1 << 20, 100 << 20):
        txns = max(2, min(20000, (256 << 20) // body))
        make_recording(path, "http1", txns, 4, 1, body)
        took = [replayed(path, "json:/dev/null")[0] for _ in range(ROUNDS)]
        note("growth", f"bodies of {body >> 10} KiB", [t / txns / body * 1e9 for t in took], "ns/byte")
    flat_memory(path)


def flat_memory(path):
    """Peak memory after few and after many transactions, which nobody keeps on a disk."""
    os.remove(path)
    os.mkfifo(path)
    for txns in (100000, 1000000, 10000000):
        maker = subprocess.Popen([bench("make_recording"), path, "http1", str(txns), "100", "0", "0"])
        note("growth", f"peak memory over {txns} transactions", [replayed(path, "json:/dev/null")[1]], "MiB")
        maker.wait()


PARTS = {"target": target_cost, "kernel": kernel_time, "own": own_cost, "replay": replay_speed,
         "attach": attach_time, "growth": growth}


def main():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    for name in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as work:
            os.chmod(work, 0o711)
            PARTS[name](work)
    results["machine"] = {"kernel": os.uname().release, "cpus": os.cpu_count(),
                          "load": os.getloadavg(), "rounds": ROUNDS, "seconds": SECONDS}
    with open(os.path.join(HERE, "results.json"), "w", encoding="ascii") as f:
        json.dump(results, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
