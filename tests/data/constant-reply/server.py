"""Answers every line with "stored". Faulty: answers every read.

usage: server.py PORT sound|faulty
"""
import socket
import sys
import threading

SOUND = sys.argv[2] == "sound"


def serve(connection):
    try:
        while data := connection.recv(1024):
            connection.sendall(b"stored\n" * (data.count(b"\n") if SOUND else 1))
    except OSError:
        pass
    finally:
        connection.close()


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
while True:
    try:
        connection, _ = listener.accept()
    except OSError:
        continue
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
