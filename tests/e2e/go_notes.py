# SPDX-License-Identifier: GPL-2.0-or-later
"""What tlslens saw of tests/e2e/target/goroutines.go, against the program's own notes: go_notes.py NOTES JSON OBJECTS.

Says what differs: a transaction missed or seen twice at an end, bytes lost, a wrong peer (none is allowed), and a
body of either direction that is not among the objects exported from the packets of both ends."""
import collections
import hashlib
import json
import pathlib
import sys

notes, transactions, objects = sys.argv[1:]
wrong = []
ports, bodies = {}, collections.Counter()
for line in open(notes, encoding="ascii"):
    path, client, server, *sums = line.split()
    ports[path] = int(client), int(server)
    for one in sums:
        bodies[one] += 2
bodies.pop(hashlib.sha256().hexdigest(), None)  # tshark exports no empty objects

seen = collections.Counter()
for line in open(transactions, encoding="utf-8"):
    t = json.loads(line)
    path = t["url.path"]
    seen[path, t["tlslens.role"]] += 1
    if t["http.response.status_code"] != 200 or t["tlslens.lost_bytes"]:
        wrong.append(("not whole", path, t["tlslens.role"]))
    if t["tlslens.conn.source"] != "unknown" and (t["client.port"], t["server.port"]) != ports[path]:
        wrong.append(("wrong peer", path, t["tlslens.role"], t["client.port"], t["server.port"]))
for path in ports:
    for role in "client", "server":
        if seen[path, role] != 1:
            wrong.append((f"seen {seen[path, role]} times", path, role))

exported = collections.Counter(
    hashlib.sha256(p.read_bytes()).hexdigest() for p in pathlib.Path(objects).iterdir())
for one, times in bodies.items():
    if exported[one] != times:
        wrong.append((f"in the packets {exported[one]} times, not {times}", one))
for one in wrong:
    print(*one)
sys.exit(bool(wrong) or not ports)
