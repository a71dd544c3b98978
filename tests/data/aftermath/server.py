"""Lines that are sent back by two worker processes, which a main process starts again when they end.

usage: server.py PORT sound|abort|keep|spin|fork|last|all

  abort  a worker whose client resets the connection crashes
  keep   a worker never closes a connection that was reset
  spin   a worker polls a connection that was reset for ever
  fork   sound: a process for each connection, which exits with 1 after a reset
  last   the connection of the last client is closed when the next one comes: nothing but the loop that accepts refers to it
  all    no connection is ever closed
"""
import os
import select
import socket
import sys
import threading

HOW = sys.argv[2]
kept = []


def serve(connection):
    try:
        for line in connection.makefile("rb"):
            connection.sendall(line)
    except OSError:
        if HOW == "abort":
            os.abort()
        if HOW == "keep":
            kept.append(connection.dup())
        if HOW == "spin" and not kept:
            kept.append(connection.dup())
            poller = select.poll()
            poller.register(kept[0], select.POLLIN)
            while True:
                poller.poll()
        if HOW == "fork":
            os._exit(1)
    finally:
        if HOW == "all":
            kept.append(connection.dup())
        if HOW != "last":
            connection.close()


def work():
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            continue
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if HOW == "fork":
            reap()
            if os.fork() == 0:
                listener.close()
                serve(connection)
                os._exit(0)
            connection.close()
        else:
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
if HOW in ("fork", "last"):
    work()
workers = 0
while True:
    while workers < 2:
        workers += 1
        if os.fork() == 0:
            work()
    os.wait()
    workers -= 1
