"""Logs in on the connection, which is descriptor 3: PASSWORD."""

import hmac
import socket
import sys

conn = socket.socket(fileno=3)


def line():
    """Reads one line, and nothing behind it."""
    data = b""
    while not data.endswith(b"\n"):
        byte = conn.recv(1)
        if not byte:
            sys.exit("the server closed the connection")
        data += byte
    return data.decode().split()


challenge = line()[1]
conn.sendall(hmac.new(sys.argv[1].encode(), challenge.encode(), "sha256").hexdigest().encode() + b"\n")
if line() != ["welcome"]:
    sys.exit("refused")
