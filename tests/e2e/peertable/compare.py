# SPDX-License-Identifier: GPL-2.0-or-later
"""Every transaction of one end against what was told of its client's port: compare.py JSON TOLD ROLE SERVER_PORT

TOLD has lines "WHAT PORT": WHAT is the path of a request, or "NAME TYPE" of a question. What ends in "-0" was over
before the tracing began, and its connections were open then. Prints two groups of four numbers, of
connections opened under tracing and of the others: transactions, right, unknown, wrong. A transaction that was
told and is not shown once and whole makes it fail.
"""
import collections
import json
import re
import sys



def ends(t):
    """Of the client and of the server; server.address is a name where one is known."""
    local, peer = ((t.get(f"network.{end}.address"), t.get(f"network.{end}.port")) for end in ("local", "peer"))
    if t["network.transport"] == "udp" and local[0] is None:
        local = ("127.0.0.1", local[1])  # the socket is bound to none; there are no others here
    client, server = (local, peer) if t["tlslens.role"] == "client" else (peer, local)
    assert t.get("client.address") in (client[0], None) and t.get("client.port") == client[1]
    return client, server


def what(t):
    if "dns.question.name" in t:
        return t["dns.question.name"].rstrip(".").lower() + " " + t["dns.question.type"]
    return t.get("url.path", "?")


def is_before(name):
    return re.search(r"-0(\.|$)", name) is not None


def main(shown_path, told_path, role, server_port):
    with open(told_path, encoding="utf-8") as f:
        told = dict(line.strip().rsplit(" ", 1) for line in f)
    before = {port for name, port in told.items() if is_before(name)}
    shown = collections.defaultdict(list)
    with open(shown_path, encoding="utf-8") as f:
        for t in map(json.loads, f):
            if t["tlslens.role"] == role and what(t) in told:
                shown[what(t)].append(t)
    groups = {False: [0] * 4, True: [0] * 4}
    bad = []
    for name, port in told.items():
        if is_before(name):
            continue
        found = shown[name]
        client, server = ("127.0.0.1", int(port)), ("127.0.0.1", int(server_port))
        if len(found) != 1 or found[0]["tlslens.lost_bytes"] or "tlslens.partial" in found[0]:
            bad.append((name, len(found)))
        for t in found:
            unknown = t["tlslens.conn.source"] == "unknown"
            got = None if unknown else ends(t)
            right = got == (client, server)
            group = groups[port in before]
            group[0] += 1
            group[2 if unknown else 1 if right else 3] += 1
            if not unknown and not right:
                print("wrong:", name, port, got, t["tlslens.conn.source"], file=sys.stderr)
    print(*groups[False], *groups[True])
    if bad:
        print(len(bad), "not shown once and whole:", bad[:10], file=sys.stderr)
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
