#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""OTLP in JSON, read by a parser that nobody here wrote: Protobuf's own, with the definitions that OpenTelemetry
publishes (in one of its npm packages). Unknown names, wrong types and wrong enums are errors to it.

What it read is then compared with the JSON lines of the same recordings, field by field.

  otlp.py [RECORDING...]      the fixtures when none is named"""
import base64
import calendar
import json
import os
import subprocess
import sys
import tempfile
import time

TLSLENS = os.environ["TLSLENS"]
HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURES = os.path.join(HERE, "..", "fixtures", "recordings")
PACKAGE = "@opentelemetry/otlp-grpc-exporter-base@0.33.0"
PROTOS = "package/build/protos"
FILES = ["common/v1/common.proto", "resource/v1/resource.proto", "logs/v1/logs.proto"]
failures = 0


def check(name, ok, why=""):
    global failures
    print(f"{'ok' if ok else 'not ok'} - {name}", flush=True)
    if not ok:
        failures += 1
        print(f"# {why}")


def definitions():
    """Python modules made from the published definitions; kept in the build folder."""
    folder = os.path.join(os.environ["BUILD"], "tests", "otlp")
    if not os.path.exists(os.path.join(folder, "opentelemetry", "proto", "logs", "v1", "logs_pb2.py")):
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryDirectory() as work:
            tarball = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=work, check=True, text=True,
                                     stdout=subprocess.PIPE).stdout.split()[-1]
            subprocess.run(["tar", "xzf", tarball], cwd=work, check=True)
            subprocess.run(["protoc", "-I", PROTOS, f"--python_out={folder}"] +
                           [f"{PROTOS}/opentelemetry/proto/{f}" for f in FILES], cwd=work, check=True)
    sys.path.insert(0, folder)
    from opentelemetry.proto.logs.v1 import logs_pb2
    return logs_pb2


def replay(name, output):
    out = subprocess.run([TLSLENS, "replay", os.path.join(FIXTURES, name), "-q", "--body", "64K", "--resource",
                          "deployment.environment.name=a \"b\" ü", "-o", output], check=True, stdout=subprocess.PIPE)
    return out.stdout.decode("utf-8").splitlines()


def value_of(any_value):
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(v) for v in any_value.array_value.values]
    if kind == "kvlist_value":
        return {p.key: value_of(p.value) for p in any_value.kvlist_value.values}
    value = getattr(any_value, kind)
    return base64.b64encode(value).decode("ascii") if kind == "bytes_value" else value


def pairs_of(attributes):
    pairs = {p.key: value_of(p.value) for p in attributes}
    assert len(pairs) == len(attributes), "a key twice"
    return pairs


def nanoseconds(timestamp):
    seconds, fraction = timestamp.rstrip("Z").split(".")
    return calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) * 10**9 + int(fraction)


def without_null(value):
    """OTLP has no null: what is not known of a header is not there."""
    if not isinstance(value, list):
        return value
    return [{k: v for k, v in x.items() if v is not None} if isinstance(x, dict) else x for x in value]


def difference(data, line):
    """What the record says otherwise than the line of JSON, or None."""
    (resource_logs,) = data.resource_logs
    (scope_logs,) = resource_logs.scope_logs
    (record,) = scope_logs.log_records
    said = pairs_of(record.attributes)
    resource = pairs_of(resource_logs.resource.attributes)
    if said.keys() & resource.keys():
        return "in the resource and the record"
    if not {"process.pid", "deployment.environment.name"} <= resource.keys():
        return f"resource has {sorted(resource)}"
    said.update(resource)
    want = json.loads(line)
    if record.time_unix_nano != nanoseconds(want.pop("@timestamp")):
        return "the time differs"
    if record.observed_time_unix_nano != record.time_unix_nano + want["event.duration"]:
        return "the end differs"
    if record.body.string_value != want.pop("message"):
        return "the body differs"
    status = want.get("http.response.status_code", 0)
    severities = {17} if status >= 500 else {13} if status >= 400 else {13, 17} if "error.type" in want else \
        {9, 17} if want.get("tlslens.partial") else {9}
    if record.severity_number not in severities:
        return f"severity {record.severity_number} of status {status}"
    want = {k: without_null(v) for k, v in want.items() if ".header." not in k}
    for key in said.keys() & want.keys():
        if isinstance(said[key], str) and not isinstance(want[key], str):
            said[key] = json.loads(said[key])  # of unlike parts: a value that is JSON itself
    other = [k for k in said.keys() | want.keys() if said.get(k) != want.get(k)]
    return f"{other[0]}: {said.get(other[0])!r:.80}, not {want.get(other[0])!r:.80}" if other else None


def main():
    from google.protobuf import json_format
    logs = definitions()

    def parse(line):
        return json_format.Parse(line, logs.LogsData(), ignore_unknown_fields=False)

    names = sys.argv[1:] or sorted(n for n in os.listdir(FIXTURES) if n.endswith(".raw"))
    for name in names:
        lines, plain = replay(name, "otlp-json"), replay(name, "json")
        check(f"{name}: as many records as lines of JSON", len(lines) == len(plain) > 0, f"{len(lines)}, {len(plain)}")
        bad = []
        for line, want in zip(lines, plain):
            try:
                why = difference(parse(line), want)
            except (json_format.ParseError, AssertionError, ValueError) as err:
                why = str(err)
            if why:
                bad.append(why)
        check(f"{name}: the parser takes every line, and reads what the JSON says", not bad, bad[:3])

    line = replay(names[0], "otlp-json")[0]
    for what, broken in (("an unknown name", line.replace("severityText", "severityWord")),
                         ("a wrong type", line.replace('"severityNumber":9', '"severityNumber":"info"')),
                         ("two values", line.replace('{"stringValue":', '{"intValue":"1","stringValue":', 1))):
        try:
            parse(broken)
            refused = broken == line
        except json_format.ParseError:
            refused = True
        check(f"the parser refuses {what}", refused and broken != line, broken[:200])
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
