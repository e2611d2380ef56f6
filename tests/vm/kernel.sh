#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel side on Debian's 6.1, which has kprobes and neither the tracepoints of socket calls nor uprobe_multi: in
# a virtual machine without acceleration, with what it needs in its initial file system. What the machine prints
# is this test's output.
set -u
PATH=$PATH:/usr/sbin
here=$(cd "$(dirname "$0")" && pwd)
cache=$BUILD/vm
work=$(mktemp -d)
qemu=
trap 'kill $qemu 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 143' TERM INT

# The image is unpacked, not installed. Its name has the release in it.
fetch_kernel() {
	local package
	[ -f "$cache/vmlinuz" ] && return 0
	mkdir -p "$cache/deb" || return 1
	package=$(apt-cache depends linux-image-cloud-amd64 | sed -nE 's/ *Depends: (linux-image-6\.1.*)/\1/p')
	[ -n "$package" ] || { apt-get update -qq && package=$(apt-cache depends linux-image-cloud-amd64 |
		sed -nE 's/ *Depends: (linux-image-6\.1.*)/\1/p'); }
	(cd "$cache/deb" && apt-get download -qq "$package" && dpkg -x "$package"_*.deb unpacked) &&
		cp "$cache"/deb/unpacked/boot/vmlinuz-* "$cache/vmlinuz"
	rm -rf "$cache/deb"
	[ -f "$cache/vmlinuz" ]
}

# Into the root: programs with the libraries that they need, by the paths that they have here.
put() {
	local file
	for file in "$@"; do
		[ -e "$work/root$file" ] && continue
		mkdir -p "$work/root$(dirname "$file")"
		cp -L "$file" "$work/root$file" || return 1
		ldd "$file" 2>/dev/null | grep -oE '/[^ ]+' | while read -r library; do
			[ -e "$work/root$library" ] || { mkdir -p "$work/root$(dirname "$library")" &&
				cp -L "$library" "$work/root$library"; }
		done
	done
}

make_root() {
	local name lib
	mkdir -p "$work"/root/{proc,sys,dev,tmp,bin,etc,run,tests}
	cp /bin/busybox "$work/root/bin/busybox"
	put "$TLSLENS" /usr/bin/python3 /usr/bin/dig /usr/bin/getent /usr/sbin/unbound /usr/bin/openssl \
		/bin/bash || return 1
	cp "$TLSLENS" "$work/root/bin/tlslens"
	for name in sockets plain datagrams; do
		put "$BUILD/tests/kernel/test_$name" && cp "$BUILD/tests/kernel/test_$name" "$work/root/tests/" || return 1
	done
	lib=$(/usr/bin/python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
	put "$lib"/lib-dynload/*.so || return 1
	tar c -C "${lib%/*}" --exclude=test --exclude=lib2to3 --exclude=ensurepip --exclude='config-3*' \
		--exclude=idlelib --exclude=tkinter --exclude=dist-packages "${lib##*/}" | tar x -C "$work/root${lib%/*}"
	mkdir -p "$work/root/usr/lib/ssl" && cp /etc/ssl/openssl.cnf "$work/root/usr/lib/ssl/"
	echo 'root:x:0:0::/:/bin/sh' >"$work/root/etc/passwd"
	echo '127.0.0.1 localhost' >"$work/root/etc/hosts"
	echo 'nameserver 127.0.0.1' >"$work/root/etc/resolv.conf"
	echo 'hosts: files dns' >"$work/root/etc/nsswitch.conf"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost \
		-addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
		-keyout "$work/root/key.pem" -out "$work/root/cert.pem" 2>/dev/null
	cp "$here"/inside/* "$work/root/" && mv "$work/root/init.sh" "$work/root/init"
	(cd "$work/root" && find . | cpio --quiet -o -H newc) >"$work/initrd"
}

if ! fetch_kernel || ! make_root; then
	echo "not ok - a kernel and its root"
	exit 1
fi
qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -nographic -no-reboot -nodefaults \
	-serial stdio -kernel "$cache/vmlinuz" -initrd "$work/initrd" \
	-append "console=ttyS0 quiet panic=-1 rdinit=/init" </dev/null >"$work/console" 2>&1 &
qemu=$!
wait $qemu
# The console's lines end in CR LF; what begins with "TAP " is for here.
tr -d '\r' <"$work/console" | sed -n 's/^TAP //p'
if ! grep -q '^TAP # the end' <(tr -d '\r' <"$work/console"); then
	echo "not ok - the machine came to its end"
	tail -40 "$work/console" | tr -d '\r' | sed 's/^/# /'
	exit 1
fi
