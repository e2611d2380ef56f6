# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command on a terminal of its own and draws what a person would see.

screen.py COLUMNS FILE both|stderr COMMAND...: both of its outputs, or standard error alone, are the terminal; the other
stays as it is. FILE holds the lines seen, from the first on, drawn anew whenever something comes; colours stand in
them as {32}, their end as {0}; {wrapped} ends a line that was longer than the terminal. SIGINT is handed on;
SIGUSR1 makes the terminal 140 columns wide.
"""
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios

SEQUENCE = re.compile(rb"\x1b\[([0-9;]*)([A-Za-z])")


class Screen:
    def __init__(self, columns):
        self.columns, self.lines, self.at = columns, [[]], 0
        self.pending = b""

    def put(self, char):
        line = self.lines[-1]
        if self.at >= self.columns:
            line.append("{wrapped}")
            self.lines.append([])
            line, self.at = self.lines[-1], 0
        line.extend(" " * (self.at - len(line)))
        line[self.at : self.at + 1] = [char]
        self.at += 1

    def take(self, data):
        data, self.pending = self.pending + data, b""
        i = 0
        while i < len(data):
            c = data[i : i + 1]
            if c == b"\x1b":
                found = SEQUENCE.match(data, i)
                if not found:
                    break
                self.control(found[1].decode(), found[2].decode())
                i = found.end()
            elif c == b"\r":
                self.at, i = 0, i + 1
            elif c == b"\n":
                self.lines.append([])
                self.at, i = 0, i + 1
            else:
                n = 1 if data[i] < 0x80 else 2 if data[i] < 0xE0 else 3 if data[i] < 0xF0 else 4
                if i + n > len(data):
                    break
                self.put(data[i : i + n].decode("utf-8"))
                i += n
        self.pending = data[i:]

    def control(self, numbers, kind):
        line = self.lines[-1]
        if kind == "K" and not numbers:
            del line[self.at :]
        elif kind == "m":  # takes no column: part of the character before it, or after
            if self.at and self.at <= len(line):
                line[self.at - 1] += "{" + numbers + "}"
        else:
            raise ValueError(f"an unknown control sequence: {numbers} {kind}")

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.lines)


def main():
    columns, path, what, command = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    stdout = os.dup(1)
    pid, terminal = pty.fork()
    if pid == 0:
        if what == "stderr":
            os.dup2(stdout, 1)
        os.close(stdout)
        os.environ["TERM"] = os.environ.get("SCREEN_TERM", "xterm")
        os.execvp(command[0], command)
    screen = Screen(columns)

    def resize(wide):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, wide, 0, 0))
        screen.columns = wide

    resize(columns)
    signal.signal(signal.SIGUSR1, lambda *_: resize(140))
    signal.signal(signal.SIGINT, lambda *_: os.kill(pid, signal.SIGINT))
    for fd in (stdout, 8):  # the command's: whoever reads there waits for its end alone
        try:
            os.close(fd)
        except OSError:
            pass
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # nobody is left on it
            break
        if not data:
            break
        screen.take(data)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(screen.text() + "\n")
        os.replace(path + ".new", path)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xFF)


main()
