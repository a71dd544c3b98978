"""Lines that are sent back, by a server of which only some lives have a fault.

usage: server.py PORT HOW LIVES FOLDER

A life is counted at its first short line that arrives in pieces: FOLDER, which all lives share, has a file for each of them. Those
with a number in LIVES, as in 1,3, take every line in pieces for something else:

  wrong   reply something else
  late    do not reply
  dies    exit

With HOW `17th`, no life has a fault, but each 17th client waits for 5 s, as that of a server whose name server does not answer.
"""
import os
import socket
import sys
import threading
import time

HOW, LIVES, FOLDER = sys.argv[2:5]
FAULTY = LIVES.split(",")
SHORT = 100  # bytes: a long one always arrives in pieces
lock = threading.Lock()
life = None


def is_faulty():
    """Whether this life, which has just met a line in pieces, has the fault."""
    global life
    with lock:
        number = 0
        while life is None:
            number += 1
            try:
                os.close(os.open(os.path.join(FOLDER, str(number)), os.O_CREAT | os.O_EXCL))
                life = str(number)
            except FileExistsError:
                pass
        return life in FAULTY


def serve(connection, number):
    if HOW == "17th" and number % 17 == 0:
        time.sleep(5)
    pending, pieces = b"", 0
    while data := connection.recv(65536):
        pending, pieces = pending + data, pieces + 1
        while b"\n" in pending:
            line, pending = pending.split(b"\n", 1)
            if pieces > 1 and len(line) < SHORT and is_faulty():
                if HOW == "dies":
                    os._exit(3)
                if HOW == "late":
                    continue
                line = b"?"
            connection.sendall(line + b"\n")
            pieces = 0
    connection.close()


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
clients = 0
while True:
    connection, _ = listener.accept()
    clients += 1
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(connection, clients), daemon=True).start()
