# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command on a terminal of its own and presses Ctrl-C when it has said "started".

terminal.py COMMAND...: prints what it said; the exit status is its own, 128 + n when a signal ended it.
"""
import os
import pty
import select
import signal
import sys
import time

pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
said = b""
pressed = False
until = time.monotonic() + 30
while time.monotonic() < until:
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            said += os.read(terminal, 4096)
        except OSError:  # the last process on the terminal is gone
            break
    if not pressed and b"started" in said:
        os.write(terminal, b"\x03")
        pressed = True
if time.monotonic() >= until:
    os.kill(pid, signal.SIGKILL)
sys.stdout.buffer.write(said.replace(b"\r\n", b"\n"))
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(status if status >= 0 else 128 - status)
