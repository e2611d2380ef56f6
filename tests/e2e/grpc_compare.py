# SPDX-License-Identifier: GPL-2.0-or-later
"""What a gRPC client knows of its calls against what was shown of them; prints what differs.

  grpc_compare.py CALLS TRANSACTIONS ROLE READY STOPPED    times in ns; READY is when the probes were in place,
                                                           0: before the connections
"""
import json
import sys

calls, shown, role = {}, {}, sys.argv[3]
ready, stopped = int(sys.argv[4]), int(sys.argv[5])
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        if line.startswith("{"):
            done = json.loads(line)
            calls[done["id"]] = done
with open(sys.argv[2], encoding="utf-8") as lines:
    for line in lines:
        t = json.loads(line)
        if t["tlslens.role"] != role:
            continue
        # joined late, the name may be unknown, yet the value is new in every call
        for header in t.get("tlslens.request.headers", []):
            if (header["value"] or "").startswith("call-"):
                shown.setdefault(header["value"], []).append(t)
names = {
    "rpc.method": "method",
    "rpc.response.status_code": "status",
    "tlslens.grpc.request.messages": "sent",
    "tlslens.grpc.response.messages": "received",
}
wanted = known = 0
for i, done in calls.items():
    found = shown.get(i, [])
    if len(found) > 1:
        print(i, "is shown", len(found), "times")
    for t in found:
        for name, key in names.items():
            if name in t and t[name] != done[key]:
                print(i, name, "is", t[name], "not", done[key])
    if done["begin"] < ready or done["end"] > stopped:
        continue
    wanted += 1
    if not found:
        print(i, "is not shown:", done)
        continue
    t = found[0]
    known += "rpc.method" in t and "rpc.response.status_code" in t
    if "rpc.system.name" not in t and done["sent"] == done["received"] == 0:
        # not one message and a single header section back: any POST may look so
        if (t.get("http.request.body.size"), t.get("http.response.body.size")) == (0, 0):
            continue
    needed = ["rpc.system.name", "event.duration"]
    needed += [name for name in names if "messages" in name or not ready]
    for name in needed:
        if name not in t:
            print(i, "has no", name)
    if t.get("tlslens.lost_bytes"):
        print(i, "lost bytes")
if wanted < 200:
    print("only", wanted, "calls began after the join")
print("#", role, wanted, "calls; of", known, "method and status are known", file=sys.stderr)
