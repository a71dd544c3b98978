"""A line server in which the function `respond` can be made more expensive.

usage: server.py PORT [respond]
"""
import socket
import sys
import threading

TIMES = 40 if "respond" in sys.argv[2:] else 1


def parse(line):
    return line.rstrip(b"\n").split(b" ")


def respond(words):
    for _ in range(TIMES):
        longest = max(words, key=len)
        reply = b" ".join(words)
    return reply if longest else b""


def serve(client):
    for line in client.makefile("rb"):
        client.sendall(respond(parse(line)) + b"\n")


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=64)
while True:
    client, _ = listener.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(client,), daemon=True).start()
