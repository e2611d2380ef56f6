# SPDX-License-Identifier: GPL-2.0-or-later
"""GETs PATH?n=0.. COUNT times over one connection: client.py PORT CERT PATH COUNT [wait]

Begins when a line comes in; with "wait" each further request waits for its line, and the end for the input's.
"""
import http.client
import ssl
import sys

port, cert, path, count = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
context = ssl.create_default_context(cafile=cert)
print("waiting", flush=True)
sys.stdin.readline()
connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
wait = len(sys.argv) > 5
for n in range(count):
    if wait and n:
        sys.stdin.readline()
    connection.request("GET", f"{path}?n={n}")
    response = connection.getresponse()
    print(response.status, len(response.read()), flush=True)
if wait:
    sys.stdin.read()
connection.close()
