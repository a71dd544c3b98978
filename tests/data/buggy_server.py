"""A server with one bug at a time, of the kind that the variable BUG names; `sound` has none.

Answers `PING` with `PONG`, `bad` with `ERR`, any other line with `OK` and its length. Bugs wait for `%n`.
"""
import os
import socket
import sys
import threading
import time

BUG = os.environ["BUG"]
HELD = []
TURN = threading.Lock()


def answer(line):
    if line == b"PING":
        return b"PONG\n"
    if line == b"bad" and BUG != "conformance":
        return b"ERR\n"
    return b"OK %d\n" % len(line)


def planted(conn, line):
    """What a line with the trigger in it does."""
    if BUG == "crash":
        os.abort()
    if BUG == "panic":
        raise ValueError("cannot format " + repr(line))
    if BUG == "hang":
        TURN.acquire()
    if BUG == "flood":
        sys.stdout.write("cannot format this\n" * 10_000)
        sys.stdout.flush()
    if BUG == "leak":
        HELD.append(conn.dup())
    if BUG == "starvation":
        with TURN:
            time.sleep(0.5)
    if BUG == "complexity":
        for _ in range(len(line) ** 2 // 4):
            pass


def serve(conn):
    rest = b""
    try:
        while data := conn.recv(65536):
            if BUG == "divergence" and not data.endswith(b"\n"):
                conn.sendall(b"PART\n")
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                with TURN:
                    pass
                if b"%n" in line:
                    planted(conn, line)
                conn.sendall(answer(line))
    except OSError:
        pass
    finally:
        conn.close()


server = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
