#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The first process of the virtual machine of tests/vm/kernel.sh: runs what is there, and ends the machine.
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin:/usr/sbin TMPDIR=/tmp HOME=/ CMOCKA_MESSAGE_OUTPUT=TAP
export TLSLENS=/bin/tlslens TLSLENS_BACKENDS=kprobe
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mount -t tmpfs none /tmp
mkdir -p /dev/shm && mount -t tmpfs none /dev/shm
ip link set lo up
echo # what the firmware wrote stands at the beginning of a line

# marked LINES: for the outside
marked() { sed 's/^/TAP /'; }

# run COMMAND...: its results; its status and its last words when it failed without one
run() {
	timeout 400 "$@" >/tmp/out 2>&1
	status=$?
	grep -E '^(ok|not ok|# )' /tmp/out | marked
	[ $status -eq 0 ] || grep -q '^not ok' /tmp/out || {
		echo "TAP not ok - $* ends with $status"
		tail -20 /tmp/out | sed 's/^/# /' | marked
	}
}

# Programs are verified anew for every scenario, which takes seconds here: those that the kernel matters for.
run /tests/test_sockets
run /tests/test_plain families uring
run /tests/test_datagrams families
run python3 /programs.py
echo "TAP # the end"
poweroff -f
