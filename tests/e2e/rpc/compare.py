# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client of calls.cc or calls.py knows of its calls against what was shown of them.

  compare.py CALLS TRANSACTIONS ROLE     prints what differs; on standard error how many calls and messages there
                                         were and how many of both were shown and right
"""
import json
import sys

CODES = ("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
         "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
         "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED")
SPECIAL = {48: "fail", 49: "fail", 51: "sleep"}
SLEPT = 51  # its client gave up


def asked(number, method, count):
    """The messages that the call sent, as JSON by the names of their fields."""
    words = [SPECIAL.get(number, f"call {number} message {i} " * 10) for i in range(max(count, 1))]
    made = [{"text": w, "count": count, "numbers": [i, -i]} for i, w in enumerate(words)]
    if not count:
        made = [{"text": w["text"], "numbers": w["numbers"]} for w in made]
    return made[:count] if method in ("ClientStream", "Bidi") else made[:1]


def answered(asks, method, count, received):
    if method == "Unary":
        return [{"text": asks[0]["text"], "last": True}][:received]
    if method == "ClientStream":
        return [{"text": str(count), "last": True}]
    if method == "ServerStream":
        return [{"text": asks[0]["text"], "part": i} for i in range(count)]
    return [{"text": a["text"], "part": i} for i, a in enumerate(asks)][:received]


def wanted(number, method, code, sent, received, message):
    count = number // 4 % 4 if number < 48 else 2 if number == 49 else 1
    asks = asked(number, method, count)
    if number == SLEPT:
        received = 0
    want = {
        "rpc.system.name": "grpc",
        "rpc.method": "test.Calls/" + method,
        "rpc.response.status_code": CODES[code],
        "tlslens.grpc.request.messages": sent,
        "tlslens.grpc.response.messages": received,
        "tlslens.grpc.message": message or None,
        "tlslens.grpc.request.content": asks or None,
        "tlslens.grpc.response.content": answered(asks, method, count, received) or None,
        "tlslens.partial": None,
        "tlslens.lost_bytes": 0,
        "error.type": CODES[code] if code else None,
    }
    if number == SLEPT:  # what the server said when its client was gone is the server's affair
        for name in ("rpc.response.status_code", "tlslens.grpc.message", "tlslens.partial", "error.type",
                     "tlslens.grpc.response.messages", "tlslens.grpc.response.content"):
            del want[name]
    return want


def call_of(t):
    for header in t.get("tlslens.request.headers", ()):
        if header["name"] == "x-call":
            return int(header["value"][5:])
    return None


def check_deadline(number, got):
    timeout = got.get("tlslens.grpc.timeout_ns")
    longest = 0.2 if number == SLEPT else 60 if number < 48 and number % 3 == 0 else None
    if longest is None:
        return timeout is None
    return timeout is not None and longest / 2 < timeout / 1e9 <= longest * 1.01


def main(calls, transactions, role):
    lines = [json.loads(line) for line in open(transactions, encoding="utf-8")]
    lines = [t for t in lines if t["tlslens.role"] == role]
    exchanges = [t for t in lines if t["event.name"] == "rpc.exchange"]
    shown = {call_of(t): t for t in exchanges}
    events = {}
    for t in lines:
        if t["event.name"] == "rpc.message":
            way = (t["tlslens.conn.id"], t["tlslens.stream.id"], t["rpc.message.type"])
            events.setdefault(way, []).append(t)
    counted = right = messages = messages_right = compressed = bare = 0
    for line in open(calls, encoding="utf-8"):
        number, method, code, sent, received, message = line.rstrip("\n").split("\t")
        number, code, sent, received = int(number), int(code), int(sent), int(received)
        want = wanted(number, method, code, sent, received, message)
        got = shown.pop(number, {})
        differs = {k: (got.get(k), v) for k, v in want.items() if got.get(k) != v}
        if differs:
            print(number, method, differs)
        if not check_deadline(number, got):
            print(number, "deadline", got.get("tlslens.grpc.timeout_ns"))
        if (got.get("tlslens.grpc.request.encoding") == "gzip") != (number < 48 and number // 16 % 2 == 1):
            print(number, "encoding", got.get("tlslens.grpc.request.encoding"))
        counted += 1
        right += not differs
        messages += sent + received
        ways = (("SENT", "request"), ("RECEIVED", "response"))
        for kind, side in ways if role == "client" else zip(("RECEIVED", "SENT"), ("request", "response")):
            seen = events.get((got.get("tlslens.conn.id"), got.get("tlslens.stream.id"), kind), [])
            content = f"tlslens.grpc.{side}.content"
            ids = [t["rpc.message.id"] for t in seen]
            if ids != list(range(1, len(ids) + 1)):
                print(number, kind, "in this order:", ids)
            if [c for t in seen for c in t.get(content, ())] != (got.get(content) or []):
                print(number, kind, "by themselves are others")
            messages_right += len(seen)
            compressed += sum("rpc.message.compressed_size" in t for t in seen)
        fields = {h["name"]: h for h in got.get("tlslens.response.headers", ())}
        bare += "%" in (fields.get("grpc-message") or {"value": ""})["value"] and \
            "trailer" not in fields["grpc-message"]
    for number in shown:
        print("no such call:", number)
    if len(exchanges) != counted:
        print(len(exchanges), "exchanges, not", counted)
    if compressed < 20:
        print("only", compressed, "messages were compressed")
    if not bare:
        print("no response was trailers only, with a coded message")
    print(counted, right, messages, messages_right, file=sys.stderr)


main(*sys.argv[1:])
