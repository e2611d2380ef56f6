#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Compares the JSON of a recording with that of the pcapng written from it, line by line and key by key, but for
what pcapng does not carry (docs/pcapng.md)."""
import json
import sys

NOT_CARRIED = {
    "process.command_line", "process.linux.cgroup", "process.parent_pid", "process.user.id",
    "process.user.name", "process.vpid", "tlslens.process.mnt_namespace", "tlslens.process.net_namespace",
    "tlslens.process.pid_namespace", "tlslens.process.cgroup_id", "thread.name",
    "tlslens.conn.id", "tlslens.conn.source",
    "tls.protocol.version", "tls.cipher", "tls.resumed", "tls.next_protocol", "tlslens.peer.dns_name",
    "container.image.name", "container.runtime.name", "k8s.pod.uid", "k8s.container.name",
    "k8s.node.name",
}


def carried(line):
    v = {k: x for k, x in json.loads(line).items() if k not in NOT_CARRIED}
    for side in ("request", "response"):
        # a secret is masked in the packets as a whole, so parts of it that were shown are not there
        for h in v.get(f"tlslens.{side}.headers", []):
            if "***" in (h.get("value") or ""):
                h["value"] = "***"
    return v


def lines_of(path):
    """In order, but for what had no end: packets do not tell which of it was given up first."""
    lines = [carried(x) for x in open(path, encoding="utf-8")]
    no_end = [x for x in lines if x.get("tlslens.partial")]
    return [x for x in lines if x not in no_end] + sorted(no_end, key=json.dumps)


def main():
    recording, packets = lines_of(sys.argv[1]), lines_of(sys.argv[2])
    wrong = len(recording) != len(packets)
    if wrong:
        print(f"{len(recording)} lines and {len(packets)}")
    for i, (a, b) in enumerate(zip(recording, packets)):
        for key in sorted(set(a) | set(b)):
            if a.get(key) != b.get(key):
                print(f"line {i + 1}: {key}: {a.get(key)!r} and {b.get(key)!r}"[:200])
                wrong = True
    if not recording:
        print("no lines")
    sys.exit(wrong or not recording)


main()
