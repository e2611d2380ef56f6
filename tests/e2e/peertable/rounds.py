# SPDX-License-Identifier: GPL-2.0-or-later
"""What the programs of peertable.sh agree on.

Round 0 makes one request on each of CONNECTIONS connections; then the client says "open" and waits for a line.
Each further round has a request on each of twice as many: those, and as many new ones. Requests and responses
are all of the same lengths; a request's path is /cNN-ROUND. A server answers a round when it has all of it, so
every connection is in the middle of a request at that time. Who knows a client's port says "PATH PORT".
"""
import asyncio
import sys

CONNECTIONS = 50
ROUNDS = 3
SECONDS_MAX = 60


def requests_in(round_number):
    return CONNECTIONS if round_number == 0 else 2 * CONNECTIONS


def say(*words):
    print(*words, flush=True)


class Together:
    """Of a server: nobody goes on before the round is complete."""

    def __init__(self):
        self.came = {}
        self.complete = {}

    async def wait(self, path):
        number = int(path.rsplit("-", 1)[1])
        event = self.complete.setdefault(number, asyncio.Event())
        self.came[number] = self.came.get(number, 0) + 1
        if self.came[number] == requests_in(number):
            event.set()
        await event.wait()


async def play(request):
    """Of a client: request(n, path) makes one, on connection n if the program has a say in that."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(SECONDS_MAX):
        for number in range(ROUNDS + 1):
            if number == 1:
                say("open")
                await loop.run_in_executor(None, sys.stdin.readline)
            await asyncio.gather(
                *(request(n, "/c%02d-%d" % (n, number)) for n in range(requests_in(number)))
            )
