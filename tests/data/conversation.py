"""Servers whose conversations need more than a request and a reply.

usage: conversation.py PORT greeting|farewell|push|eof|http|refuse
"""
import secrets
import socket
import sys
import threading


def greeting(lines, send):
    """Says a word first, and serves only who says it back."""
    word = secrets.token_hex(4)
    send(f"220 {word} ready\n")
    if next(lines) != f"LOGIN {word}\n":
        return send("530 no\n")
    send("230 welcome\n")
    for line in lines:
        send(line)


def farewell(lines, send):
    """As greeting, and closes after one reply."""
    greeting((next(lines) for _ in range(2)), send)


def push(lines, send):
    """Asks whether the client is there before every reply."""
    for line in lines:
        send("PING\n")
        if next(lines) != "PONG\n":
            return send("gone\n")
        send(line)


def eof(lines, send):
    """One reply a connection, of any length: it ends where the stream does."""
    line = next(lines, None)
    if line:
        send(line)
        send(line)


def http(lines, send):
    """HTTP/1.0 without a Content-Length: the body ends with the connection."""
    path = next(lines, "").split()
    if path and any(line == "\r\n" for line in lines):
        send(f"HTTP/1.0 200 OK\r\nServer: small\r\n\r\n{path[1]}")


def refuse(lines, send):
    """Closes without a word after the request."""
    next(lines, None)


def serve(client, mode):
    try:
        with client, client.makefile("r", newline="") as lines:
            mode(iter(lines.readline, ""), lambda text: client.sendall(text.encode()))
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
    except (OSError, StopIteration, UnicodeDecodeError):
        pass


def main():
    mode = globals()[sys.argv[2]]
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128) as server:
        while True:
            client, _ = server.accept()
            threading.Thread(target=serve, args=(client, mode), daemon=True).start()


main()
