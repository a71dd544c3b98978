"""Limits: how long a line may be, how long a client may be silent, how many there may be; and an end when it is asked for."""
import signal
import socket
import sys
import threading
import time

REPLY = "ok, 问题正在处理中...\n".encode("utf-8")
LINE_MAX = 4096
IDLE_S = 10
CLIENTS = threading.Semaphore(200)


def serve(client):
    with client:
        try:
            client.settimeout(IDLE_S)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
            reader = client.makefile("rb")
            while line := reader.readline(LINE_MAX + 1):
                if len(line) > LINE_MAX:
                    client.sendall(b"error: too long\n")
                    break
                if not line.endswith(b"\n"):
                    break
                try:
                    line.decode("utf-8")
                except UnicodeDecodeError:
                    client.sendall(b"error: not UTF-8\n")
                    continue
                client.sendall(REPLY)
        except OSError:
            pass
    CLIENTS.release()


def accept(server):
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            # Without a free descriptor there may be one in a moment.
            time.sleep(0.05)
            continue
        if not CLIENTS.acquire(blocking=False):
            with client:
                client.sendall(b"error: too many clients\n")
            continue
        try:
            threading.Thread(target=serve, args=(client,), daemon=True).start()
        except RuntimeError:
            client.close()
            CLIENTS.release()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=512)
accept(server)
