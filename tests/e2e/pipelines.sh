#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# rsyslog and syslog-ng take the lines unchanged, byte for byte, with the configurations that stand in
# docs/pipelines.md; those of other collectors are at least well-formed, and so is the manifest for Kubernetes.
source "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")/../.." && pwd)
docs=$here/docs
packages=$BUILD/tests/packages
export HOME=$work

# The daemons are unpacked, not installed, so that no syslog of the machine's is touched.
"$here/tests/unpack-packages.sh" "$packages" rsyslog syslog-ng-core 2>"$work/unpack" || {
	cat "$work/unpack" && exit 1
}

# snippet LANGUAGE: the text out of the documents, with the test's folders in place of the machine's
snippet() {
	awk -v fence="\`\`\`$1" '$0 == "```" { inside = 0 } inside; $0 == fence { inside = 1 }' "$docs/pipelines.md" |
		sed -e "s|/var/log/tlslens|$work/in|; s|/run/tlslens|$work/in|; s|/var/log/collected|$work/collected|"
}

mkdir "$work/in" "$work/collected" "$work/spool"
mkfifo -m 600 "$work/in/lines"
touch "$work/in/tlslens.jsonl"

{ echo "global(workDirectory=\"$work/spool\")" && snippet rsyslog; } >"$work/rsyslog.conf"
"$packages/usr/sbin/rsyslogd" -n -f "$work/rsyslog.conf" -i "$work/rsyslog.pid" \
	-M "$packages/usr/lib/$(gcc -print-multiarch)/rsyslog" >"$work/rsyslog.log" 2>&1 &
started+=($!)

{ echo "@version: 3.38" && snippet syslog-ng; } >"$work/syslog-ng.conf"
LD_LIBRARY_PATH=$packages/usr/lib/syslog-ng "$packages/usr/sbin/syslog-ng" -F --no-caps -f "$work/syslog-ng.conf" \
	-R "$work/spool/persist" -p "$work/syslog-ng.pid" -c "$work/spool/ctl" \
	--module-path "$packages/usr/lib/syslog-ng/3.38" >"$work/syslog-ng.log" 2>&1 &
ng=$!
started+=($ng)
reads_fifo() { ls -l /proc/$ng/fd | grep -q "$work/in/lines"; }
check "syslog-ng takes the configuration" wait_for 10 reads_fifo || cat "$work/syslog-ng.log"

start_nginx "location /echo { return 200 \"\$request_uri\"; }" || exit 1
python3 - "$work/www" <<'PYTHON'
import random, sys
folder = sys.argv[1]
awkward = '"quoted" \\back\\slash\\ \u00e4\u20ac\U0001f600 \u2028 \u0085 \t\r \x7f ${MSG} %msg% <13>'
text = "".join(f"{n}: {awkward} {chr(1 + n % 31)}\n" for n in range(6000))
open(folder + "/long.txt", "w", encoding="utf-8", newline="").write(text)
open(folder + "/binary", "wb").write(random.Random(1).randbytes(300000) + bytes(range(256)))
PYTHON
ask() {
	local n
	for n in 1 2 3; do
		get "/hello?n=$1.$n" >/dev/null
		get "/long.txt?$1.$n" >/dev/null
		get "/binary?$1.$n" >/dev/null
		get "/echo?%22%5c%00%0a'\"\\%25msg%25" -H "user-agent: \"a\\b\" ${1} <13>Jan 1 \$MSG" \
			-H $'x-request-id: caf\xc3\xa9 \xff\xfe\x01\x1f\x7f' -H 'traceparent;' >/dev/null
	done
}
start_tracing -p "$worker" --no-plain --body 1M --resource 'deployment.environment.name=ä "b" \ %msg%' \
	-o json:"$work/in/tlslens.jsonl" \
	-o json:"$work/in/lines" -o json:"$work/all" || exit 1
ask first
mv "$work/in/tlslens.jsonl" "$work/in/tlslens.jsonl.1" # as logrotate does
kill -HUP $tracer
reopened() { [ -e "$work/in/tlslens.jsonl" ]; }
wait_for 10 reopened
ask second
stop_tracing
check "tracing went well" equal status "$status" 0
check "every exchange gave a line" equal lines "$(wc -l <"$work/all")" 24
check "the longest is a long one" test "$(awk '{ if (length > n) n = length } END { print n }' "$work/all")" -gt 400000
same() { cmp "$work/all" "$work/collected/$1.jsonl"; }
check "syslog-ng: byte for byte" wait_for 20 same syslog-ng || cat "$work/syslog-ng.log"
check "rsyslog: byte for byte, over a rotation" wait_for 20 same rsyslog || cat "$work/rsyslog.log"
check "all of it is JSON in UTF-8" equal agents "$(json "$work/collected/rsyslog.jsonl" \
	'sorted({x["http.request.header.user-agent"][0] for x in t if x["url.path"] == "/echo"})')" \
	"['\"a\\\\b\" first <13>Jan 1 \$MSG', '\"a\\\\b\" second <13>Jan 1 \$MSG']"

# What no program here can try.
well_formed() {
	snippet otelcol | python3 -c '
import sys, yaml
text = sys.stdin.read().split("receivers:\n")
parts = [yaml.safe_load("receivers:\n" + t) for t in ("\nreceivers:\n".join(text)).split("\nreceivers:\n") if t.strip()]
parts = [p for p in parts if "service" in p]
assert len(parts) == 2, len(parts)
for part in parts:
    logs = part["service"]["pipelines"]["logs"]
    assert set(logs["receivers"]) == set(part["receivers"]) and set(logs["exporters"]) == set(part["exporters"])'
}
check "the Collector's configurations are YAML, and whole" well_formed
check "the manifest asks for what the program needs, and no more" python3 - "$docs/daemonset.yaml" <<'PYTHON'
import sys, yaml
namespace, daemons = yaml.safe_load_all(open(sys.argv[1], encoding="utf-8"))
assert (namespace["kind"], daemons["kind"], daemons["apiVersion"]) == ("Namespace", "DaemonSet", "apps/v1")
assert namespace["metadata"]["name"] == daemons["metadata"]["namespace"]
template = daemons["spec"]["template"]
assert daemons["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
spec = template["spec"]
(container,) = spec["containers"]
security = container["securityContext"]
assert spec["hostPID"] is True
assert set(security["capabilities"]["add"]) == {"BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH"}
mounts = {m["name"]: m for m in container["volumeMounts"]}
assert set(mounts) == {v["name"] for v in spec["volumes"]}
args = container["args"]
root = args[args.index("--host-root") + 1]
assert [m["mountPath"] for m in mounts.values()] == [root] and all(m["readOnly"] for m in mounts.values())
assert args[args.index("-o") + 1] == "json"
assert [e["name"] for e in container["env"]] == ["NODE_NAME"]
assert all(isinstance(a, str) for a in args)
PYTHON
finish
