"""Lines that are sent back, by a server whose fault is easily overlooked.

usage: server.py PORT HOW

  sound
  stops       sound: reads no more of a line once 1 MB of it waits, and closes once its client has left
  keeps       stores a line without end, and copies all of it with each read, so that it grows slowly
  prints      slowly prints one line for each request, and waits until somebody reads it
  drops-nul   removes NULs
  closes      ends the connection if a read does not end with a whole line
  few-wait    sound: lets only two connections wait, and accepts one in 50 ms
  inline      sound: an urgent byte is part of the stream, and ends the connection as any byte does that begins no request
  urgent-ends ends the connection of a client that sends an urgent byte
  one-client  closes its listening socket a moment after its first client has left
"""
import os
import select
import socket
import sys
import threading
import time

HOW = sys.argv[2]
LIMIT = 1 << 20


def serve(connection):
    pending = b""
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if HOW == "inline":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        if HOW == "urgent-ends":
            watched = select.poll()
            watched.register(connection, select.POLLPRI | select.POLLIN)
            if watched.poll()[0][1] & select.POLLPRI:
                return
        while data := connection.recv(2048 if HOW == "keeps" else 65536):
            pending = pending + data
            if HOW == "inline" and pending.startswith(b"!"):
                break
            while b"\n" in pending:
                line, pending = pending.split(b"\n", 1)
                if HOW == "prints":
                    time.sleep(0.02)
                    print("a request of", len(line), "bytes", flush=True)
                if HOW == "drops-nul":
                    line = line.replace(b"\0", b"")
                connection.sendall(line + b"\n")
            if HOW == "closes" and pending:
                break
            if HOW != "keeps" and len(pending) > LIMIT:
                if HOW == "stops":
                    gone = select.poll()
                    gone.register(connection, select.POLLRDHUP)
                    gone.poll()
                break
    except OSError:
        pass
    finally:
        connection.close()
    if HOW == "one-client":
        time.sleep(0.02)
        os.close(listener.detach())


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1 if HOW == "few-wait" else 1024)
while True:
    try:
        connection, _ = listener.accept()
    except OSError:
        if listener.fileno() < 0:
            threading.Event().wait()
        continue
    if HOW == "few-wait":
        time.sleep(0.05)
    if HOW == "one-client":
        serve(connection)
    else:
        threading.Thread(target=serve, args=(connection,), daemon=True).start()
