"""A line server that works for half a millisecond on each line before it returns it: argv is PORT keeps|waits.

  keeps  puts replies into a queue without a maximum, which a thread sends
  waits  sends a reply before it reads the next request
"""

import queue
import socket
import sys
import threading
import time

KEEPS = sys.argv[2] == "keeps"


def send_all_of(replies, client):
    while reply := replies.get():
        try:
            client.sendall(reply)
        except OSError:
            return


def answers(client):
    """The replies to what the client sends. It is read in small pieces: a slow server reads slowly, and all the time."""
    rest = b""
    while data := client.recv(256):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            time.sleep(0.0005)
            yield line + b"\n"


def serve(client):
    replies = queue.Queue()
    if KEEPS:
        threading.Thread(target=send_all_of, args=(replies, client), daemon=True).start()
    try:
        for reply in answers(client):
            if KEEPS:
                replies.put(reply)
            else:
                client.sendall(reply)
    except OSError:
        pass
    replies.put(b"")
    if not KEEPS:
        client.close()


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
while True:
    client, _ = listener.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
