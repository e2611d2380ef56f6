# SPDX-License-Identifier: GPL-2.0-or-later
"""GETs PATH?n=0.. COUNT times over one connection, once a line comes in: client.py PORT CERT PATH COUNT"""
import http.client
import ssl
import sys

port, cert, path, count = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
context = ssl.create_default_context(cafile=cert)
print("waiting", flush=True)
sys.stdin.readline()
connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
for n in range(count):
    connection.request("GET", f"{path}?n={n}")
    response = connection.getresponse()
    print(response.status, len(response.read()), flush=True)
connection.close()
