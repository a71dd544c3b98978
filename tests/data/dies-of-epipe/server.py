"""Lines that are sent back. Faulty: survives ECONNRESET and dies of EPIPE, which Linux returns at once on a connection
that was closed by a FIN before it was reset.

usage: server.py PORT faulty|sound
"""
import os
import socket
import sys
import threading

SOUND = sys.argv[2] == "sound"


def serve(connection):
    try:
        for line in connection.makefile("rb"):
            connection.sendall(line)
    except BrokenPipeError:
        if not SOUND:
            os._exit(1)
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
