#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Containers of runc: two of one image (overlays over the same files) that serve on the same port of the same
# address, each in a network namespace of its own. The image has copies of its programs and libraries, and a static
# program, so that probes on them concern nobody else.
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/lib.sh

a=tlslens-a-$$ b=tlslens-b-$$
image=registry.example/shop/web:1

remove_containers() {
	local name
	for name in "$a" "$b"; do
		runc delete -f "$name" 2>/dev/null
		umount "$work/$name/rootfs" 2>/dev/null
	done
	clean_up
}
trap remove_containers EXIT

copy_program() {
	local file
	for file in "$1" $(ldd "$1" | grep -o '/[^ ]*'); do
		mkdir -p "$work/image/$(dirname "$file")"
		cp -L "$file" "$work/image/$file"
	done
}

make_image() {
	local dir
	make_certificate
	for dir in proc dev sys tmp etc run; do mkdir -p "$work/image/$dir"; done
	copy_program "$(command -v nginx)"
	copy_program "$(command -v curl)"
	gcc -O2 -static -DTALK_PATH='"/static"' -o "$work/image/usr/bin/talk" tests/e2e/talk/openssl.c -lssl -lcrypto \
		2>"$work/log" || { cat "$work/log" && return 1; }
	cp "$work/cert.pem" "$work/key.pem" "$work/image/etc"
	echo 'root:x:0:0::/:/bin/false' >"$work/image/etc/passwd"
	echo 'root:x:0:' >"$work/image/etc/group"
	cat >"$work/image/etc/nginx.conf" <<-CONF
	daemon off; worker_processes 1; pid /tmp/nginx.pid; error_log /tmp/err; user root;
	events { worker_connections 64; }
	http {
		access_log off;
		client_body_temp_path /tmp; proxy_temp_path /tmp; fastcgi_temp_path /tmp;
		uwsgi_temp_path /tmp; scgi_temp_path /tmp;
		server {
			listen 127.0.0.1:8443 ssl;
			ssl_certificate /etc/cert.pem; ssl_certificate_key /etc/key.pem;
			location / { return 200 "hello\n"; }
		}
	}
	CONF
}

make_bundle() { # NAME
	mkdir -p "$work/$1"/{rootfs,upper,scratch}
	mount -t overlay overlay "$work/$1/rootfs" \
		-o "lowerdir=$work/image,upperdir=$work/$1/upper,workdir=$work/$1/scratch" || return 1
	(cd "$work/$1" && runc spec) &&
		python3 - "$work/$1/config.json" "$image" "$(command -v nginx)" "$1" <<-'PY'
	import json, sys
	path, image, nginx, name = sys.argv[1:]
	spec = json.load(open(path))
	spec["process"].update(terminal=False, args=[nginx, "-p", "/tmp", "-c", "/etc/nginx.conf", "-e", "/tmp/err"])
	caps = ["CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL"]
	spec["process"]["capabilities"] = {k: caps for k in ("bounding", "effective", "permitted")}
	spec["root"]["readonly"] = False
	# As the kubelet's runtimes note it; both are containers "web" of pods of their own.
	spec["annotations"] = {
	    "org.opencontainers.image.ref.name": image, "io.kubernetes.cri.container-name": "web",
	    "io.kubernetes.cri.sandbox-name": "pod-" + name, "io.kubernetes.cri.sandbox-namespace": "shop",
	    "io.kubernetes.cri.sandbox-uid": "a3c4d5e6-1111-2222-3333-444455556666"}
	json.dump(spec, open(path, "w"))
	PY
}

start() { # NAME
	runc run -d -b "$work/$1" "$1" </dev/null >"$work/$1/log" 2>&1 || { cat "$work/$1/log" && return 1; }
	wait_for 10 ask "$1" /started
}

ask() { # NAME PATH
	runc exec "$1" "$(command -v curl)" -sf --cacert /etc/cert.pem --resolve localhost:8443:127.0.0.1 \
		"https://localhost:8443$2"
}

seen() { grep -qs "\"url.path\":\"$1\"" "$work/$2"; }

make_image || exit 1
check "bundle A" make_bundle "$a"
check "bundle B" make_bundle "$b"
check "container A runs" start "$a"
check "container B runs" start "$b"

start_tracing --container "$a" -o "json:$work/a.jsonl" -w "$work/a.pcapng"
for i in 1 2 3; do
	ask "$a" "/a$i" >/dev/null
	ask "$b" "/b$i" >/dev/null
done
check "A's transactions come" wait_for 10 seen /a3 a.jsonl

runc delete -f "$a"
check "A is restarted while traced" start "$a"
ask "$a" /again >/dev/null
check "and traced again" wait_for 10 seen /again a.jsonl

# A program that nobody ran before has its probes a moment after it began; from then on every run is seen whole.
talk() { runc exec "$1" /usr/bin/talk client 8443; }
static_seen() {
	talk "$a" && json "$work/a.jsonl" "any(x['process.executable.path'] == '/usr/bin/talk' and
		x.get('http.response.status_code') == 200 for x in t)" | grep -q True
}
check "a static program, too" wait_for 10 static_seen
talk "$b"
stop_tracing

only_a() {
	equal "paths of B" "$(json "$work/a.jsonl" 'sum(x.get("url.path", "").startswith("/b") for x in t)')" 0 &&
	equal "names" "$(json "$work/a.jsonl" 'sorted({x.get("container.name") for x in t})')" "['$a']" &&
	equal "runtimes" "$(json "$work/a.jsonl" '{x.get("container.runtime.name") for x in t}')" "{'runc'}" &&
	equal "images" "$(json "$work/a.jsonl" '{x.get("container.image.name") for x in t}')" "{'$image'}"
}
inner_pid() {
	equal "inner pids given" "$(json "$work/a.jsonl" 'all(0 < x.get("process.vpid", 0) < 100 for x in t)')" True
}
# The server is there from the beginning; a client that lives for a few milliseconds may have begun before it
# was looked at, and is then known in part or not at all.
of_server() { json "$work/$1.jsonl" "sorted(x['url.path'] for x in t if x['process.executable.name'] == 'nginx')"; }
whole_requests() { json "$work/$1.jsonl" 'sum("http.request.method" in x for x in t)'; }
names_in_wireshark() {
	equal "interfaces outside A" "$(tshark -r "$work/a.pcapng" -Y http -T fields -e frame.interface_name \
		2>/dev/null | grep -cv "@$a\$")" 0
}
same_number() { # FILE
	equal "requests in packets" "$(tshark -r "$work/$1.pcapng" -Y http.request 2>/dev/null | wc -l)" \
		"$(whole_requests "$1")"
}

# Probes sit in files that both have; B's calls are turned away before they are counted.
nobody_else() {
	equal "counted, but not shown" "$(sed -nE 's/^  [^ ]+\[([0-9]+)\] .*: [0-9]+ connection.*/\1/p' "$work/err" | sort -u |
		grep -vxFf <(json "$work/a.jsonl" '"\n".join({str(x["process.pid"]) for x in t})'))" ""
}
check "nobody else's calls were counted" nobody_else
check "only A is shown, with its name and image" only_a
check "with the pid inside the container" inner_pid
# The first process of a container is traced a moment after it began, perhaps after its first request.
asked_of_server() { of_server a | sed "s/'\/started', //; s/, '\/started'//; s/, '\/static'//g"; }
check "every request that the server saw" equal paths "$(asked_of_server)" "['/a1', '/a2', '/a3', '/again']"
check "Wireshark names the container" names_in_wireshark
check "as many requests in packets as in JSON" same_number a

start_tracing --container "$a" --container "$b" -o "json:$work/both.jsonl" -w "$work/both.pcapng" \
	-o "summary-json:$work/who.jsonl"
for i in 1 2 3; do
	ask "$a" "/a$i" >/dev/null
	ask "$b" "/b$i" >/dev/null
done
check "both containers' transactions come" eval 'wait_for 10 seen /a3 both.jsonl && wait_for 10 seen /b3 both.jsonl'
stop_tracing
each_by_itself() {
	equal "wrongly named" "$(json "$work/both.jsonl" \
		"sum(x.get('container.name') != want for x in t if 'url.path' in x
			for want in ['$a' if '/a' in x['url.path'] else '$b'])")" 0 &&
	equal "the servers' paths" "$(of_server both)" "['/a1', '/a2', '/a3', '/b1', '/b2', '/b3']"
}
check "each with its own name, none missing" each_by_itself
ends() { json "$work/both.jsonl" "sorted({($1) for x in t if x['process.executable.name'] == 'nginx'})"; }
check "on one address and port" equal ends \
	"$(ends "x['server.address'], x['network.local.address'], x['server.port']")" \
	"[('localhost', '127.0.0.1', 8443)]"
check "in two networks" equal networks "$(ends "x['container.name'], x['tlslens.process.net_namespace']" |
	grep -o "'[^']*', [0-9]*" | sort -u -k2 | wc -l)" 2
in_packets() {
	tshark -r "$work/both.pcapng" -Y "http.request and frame.interface_name contains \"@$1\"" 2>/dev/null | wc -l
}
in_json() { json "$work/both.jsonl" "sum('http.request.method' in x and x['container.name'] == '$1' for x in t)"; }
for name in "$a" "$b"; do
	check "as many requests on the interfaces of one" equal requests "$(in_packets "$name")" "$(in_json "$name")"
done
who() {
	json "$work/who.jsonl" "sorted((x['container.name'], x['http.route'], x['server.port'], x['tlslens.summary.count'])
		for x in t if x['process.executable.name'] == 'nginx' and x['http.route'].endswith('2'))"
}
check "the summary tells them apart" equal "who" "$(who)" "[('$a', '/a2', 8443, 1), ('$b', '/b2', 8443, 1)]"
check "both in packets, as many as in JSON" same_number both

start_tracing --cgroup "/$b" --filter 'url.path ~ "^/c2"' -o "json:$work/c.jsonl"
for i in 1 2 3; do
	ask "$a" "/c$i" >/dev/null
	ask "$b" "/c$i" >/dev/null
done
ask "$b" /c2-end >/dev/null
check "a control group, filtered" wait_for 10 seen /c2-end c.jsonl
stop_tracing
filtered() {
	equal "what came" "$(json "$work/c.jsonl" 'sorted({(x.get("container.name"), x["url.path"]) for x in t})')" \
		"[('$b', '/c2'), ('$b', '/c2-end')]"
}
check "nothing else" filtered

NODE_NAME=node-7 start_tracing --pod "shop/pod-$b" --labels -o "json:$work/pod.jsonl"
ask "$a" /p1 >/dev/null
ask "$b" /p2 >/dev/null
check "a pod" wait_for 10 seen /p2 pod.jsonl
stop_tracing
pods() {
	json "$work/pod.jsonl" "sorted({(x['k8s.pod.name'], x['k8s.namespace.name'], x['k8s.container.name'],
		x['k8s.pod.uid'], x['k8s.node.name'], x['url.path']) for x in t})"
}
check "and no other" equal pods "$(pods)" \
	"[('pod-$b', 'shop', 'web', 'a3c4d5e6-1111-2222-3333-444455556666', 'node-7', '/p2')]"
check "with its labels" equal labels \
	"$(json "$work/pod.jsonl" "{x['container.label.org_opencontainers_image_ref_name'] for x in t}")" "{'$image'}"

start_tracing --container "no-such-$$" -o "json:$work/none.jsonl"
ask "$a" /unseen >/dev/null
stop_tracing
check "a container that is not there costs nothing" equal "bytes of output" "$(wc -c <"$work/none.jsonl")" 0
finish
