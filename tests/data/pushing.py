"""Servers that send more than replies: a ping, an event, or both, between any two replies.

usage: pushing.py PORT lines|frames|login|idle
lines   replies are lines, pushed are a line and an event of two lines
frames  all messages have a length of four bytes
login   as lines, and the ping also comes before the reply to the login
idle    replies are lines; a tick comes 0.8 s after the client
"""
import contextlib
import socket
import struct
import sys
import threading


def lines(stream, send, login=False):
    if login:
        send(b"INFO {}\r\n")
        if not stream.readline().startswith(b"CONNECT"):
            return
        send(b"PING\r\n+OK\r\nPING\r\n")
    for number, line in enumerate(iter(stream.readline, b"")):
        if line == b"PONG\r\n":
            continue
        events = b"PING\r\n" * (number % 2) + b"MSG 2\r\nhi\r\n" * (number % 3)
        send(events + line)
        if number % 5 == 0:
            send(b"MSG 2\r\n")
            send(b"yo\r\n")


def frames(stream, send):
    for number, head in enumerate(iter(lambda: stream.read(4), b"")):
        body = stream.read(struct.unpack(">I", head)[0])
        if number % 2:
            send(struct.pack(">I", 4) + b"tick")
        send(head + body)


def login(stream, send):
    lines(stream, send, login=True)


def idle(stream, send):
    def tick():
        with contextlib.suppress(OSError):
            send(b"tick\n")

    timer = threading.Timer(0.8, tick)
    timer.start()
    for line in iter(stream.readline, b""):
        send(line)
    timer.cancel()


def serve(client, mode):
    try:
        with client, client.makefile("rb") as stream:
            mode(stream, client.sendall)
    except (OSError, struct.error):
        pass


def main():
    mode = globals()[sys.argv[2]]
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128) as server:
        while True:
            client, _ = server.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(client, mode), daemon=True).start()


main()
