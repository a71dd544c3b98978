"""Servers that a harness must survive.

hostile.py MODE PORT MARKER [NOTE]: MARKER is not looked at; it marks the processes of one run, those
that are forked included. NOTE is a file that `hangs-when-cut` makes when it begins to hang.

Every mode listens on 127.0.0.1:PORT. The modes that speak the line protocol give each line back.
"""

import os
import signal
import socket
import struct
import sys
import threading
import time

PORT = int(sys.argv[2])
# A window title, red text, a cleared screen; the ends of CDATA, of a code fence, of a table cell.
EVIL = b"\x1b]0;owned\x07\x1b[31m\x1b[2J<script>alert(1)</script>]]>&amp;<!--```|`\x9b31m\xff\x00\xe2\x80\xae"


def listen():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", PORT))
    listener.listen(64)
    return listener


def serve(listener, session):
    while True:
        client, _ = listener.accept()
        threading.Thread(target=quietly, args=(session, client), daemon=True).start()


def quietly(session, client):
    try:
        with client:
            session(client)
    except OSError:
        pass


def lines(client):
    """The line protocol, sound."""
    rest = b""
    while piece := client.recv(65536):
        rest += piece
        whole, newline, rest = rest.rpartition(b"\n")
        client.sendall(whole + newline)


def endless(client):
    """Sends without end, and without a line's end."""
    while True:
        client.sendall(b"A" * 65536)


def endless_lines(client):
    """Sends without end."""
    while True:
        client.sendall(b"all work and no play\n" * 4096)


def trickle(client):
    """Answers a byte at a time and never comes to the end."""
    while True:
        client.sendall(b"z")
        time.sleep(0.05)


def reset(client):
    """Answers every client with a reset."""
    client.recv(1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def closes(client):
    """Closes at once."""


def markup(client):
    """Answers with terminal escapes and markup."""
    while client.recv(65536):
        client.sendall(EVIL + b"\n")


def markup_when_cut(client):
    """Sound as long as a read ends where a line ends; then escapes and markup."""
    while piece := client.recv(65536):
        client.sendall(piece if piece.endswith(b"\n") else EVIL + b"\n")


def hangs_when_cut(client):
    """Sound as long as a read ends where a line ends; then it says no more."""
    while piece := client.recv(65536):
        if not piece.endswith(b"\n"):
            with open(sys.argv[4], "w", encoding="ascii") as note:
                note.write("hanging")
            time.sleep(3600)
        client.sendall(piece)


def never_accepts():
    kept = listen()
    while True:
        time.sleep(60)
    del kept


def prints():
    """Prints 1 GB, half of it on each stream, before it serves."""
    block = b"x" * (1 << 20)
    for _ in range(512):
        for stream in (1, 2):
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(stream, rest) :]
    serve(listen(), lines)


def forks_and_dies():
    """The parent ends at once; the child daemonizes, listens and ignores every polite signal."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    for polite in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(polite, signal.SIG_IGN)
    serve(listen(), lines)


def ignores_term():
    """Serves lines, with two children, and none of the three ends when asked to."""
    for polite in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(polite, signal.SIG_IGN)
    listener = listen()
    for _ in range(2):
        if os.fork() == 0:
            while True:
                time.sleep(60)
    serve(listener, lines)


def dies_with_escapes():
    """Its last words are escapes and markup, and many."""
    for _ in range(5000):
        os.write(2, EVIL * 20 + b"\n")
    os._exit(7)


PROGRAMS = {
    "endless": lambda: serve(listen(), endless),
    "endless-lines": lambda: serve(listen(), endless_lines),
    "trickle": lambda: serve(listen(), trickle),
    "never-accepts": never_accepts,
    "closes": lambda: serve(listen(), closes),
    "resets": lambda: serve(listen(), reset),
    "prints": prints,
    "forks-and-dies": forks_and_dies,
    "ignores-term": ignores_term,
    "hangs-when-cut": lambda: serve(listen(), hangs_when_cut),
    "markup": lambda: serve(listen(), markup),
    "markup-when-cut": lambda: serve(listen(), markup_when_cut),
    "dies-with-escapes": dies_with_escapes,
    "sound": lambda: serve(listen(), lines),
}

PROGRAMS[sys.argv[1]]()
