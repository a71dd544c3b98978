"""Servers whose requests or replies are of an unusual shape.

usage: phrases.py PORT numbered|rows|oneway|whole|ordered
numbered  the login has no reply; then "SEQ N TEXT" with a SEQ that counts up, and the same N, is sent back
rows      a reply has two rows and an end
oneway    nothing is ever sent back
whole     a request ends with the client's stream, and the reply with the server's
ordered   LOGIN once, then GET as often as one likes, QUIT last
"""
import base64
import json
import socket
import sys
import threading


def numbered(stream, send):
    n = stream.readline().split()[-1]
    for seq, line in enumerate(iter(stream.readline, b""), 2):
        said = line.split()
        if said[:2] != [str(seq).encode(), n] or base64.b64decode(said[2])[:1].isdigit():
            return send(b"out of order\n")
        send(json.dumps({"n": int(n), "seq": seq, "text": "\u95ee " + said[2].decode()}).encode() + b"\n")


def rows(stream, send):
    for line in iter(stream.readline, b""):
        send(b"row 1 " + line)
        send(b"row 2 x\nend " + line)


def oneway(stream, send):
    for _ in iter(stream.readline, b""):
        pass


def whole(stream, send):
    text = stream.read()
    if text:
        send(b"all of " + text)


def ordered(stream, send):
    said = set()
    for line in iter(stream.readline, b""):
        word, rest = line.split()[0], line.split()[-1]
        if word == b"QUIT":
            return send(b"bye " + rest + b"\n")
        if (word == b"LOGIN") == (b"LOGIN" in said):
            return send(b"not now\n")
        said.add(word)
        send(b"ok " + rest + b"\n")


def serve(client, mode):
    try:
        with client, client.makefile("rb") as stream:
            mode(stream, client.sendall)
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
    except (OSError, IndexError, ValueError):
        pass


def main():
    mode = globals()[sys.argv[2]]
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096) as server:
        while True:
            client, _ = server.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(client, mode), daemon=True).start()


main()
