"""A login, then lines that are sent back. Faulty: the login is whatever one recv returns. The server refuses it if that is
only a part, and forgets what follows it in the same recv (Pithikos/python-websocket-server#26, igrigorik/em-websocket#15).

usage: server.py PORT faulty|sound
"""
import socket
import sys
import threading

LOGIN = b"LOGIN me\n"
SOUND = sys.argv[2] == "sound"


def serve(connection):
    try:
        lines = connection.makefile("rb")
        login = lines.readline() if SOUND else connection.recv(1024)
        if login[: len(LOGIN)] != LOGIN:
            return
        connection.sendall(b"WELCOME\n")
        for line in lines:
            connection.sendall(line)
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
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
