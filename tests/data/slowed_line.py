"""A line server that is worse in ways that can be chosen.

usage: slowed_line.py PORT [OPTION...]

--work US         computes for so many microseconds for each line
--wait US         sleeps for so many microseconds for each line
--hang-after N    leaves everyone without a reply after N lines
--start MS        sleeps for so many milliseconds before it listens
--descriptors N   keeps so many more files open
--threads N       has so many more threads
--marker TEXT     does nothing
"""
import argparse
import socket
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("--work", type=float, default=0)
parser.add_argument("--wait", type=float, default=0)
parser.add_argument("--hang-after", type=int, default=-1)
parser.add_argument("--start", type=float, default=0)
parser.add_argument("--descriptors", type=int, default=0)
parser.add_argument("--threads", type=int, default=0)
parser.add_argument("--marker")
options = parser.parse_args()
left = options.hang_after


def serve(client):
    global left
    for line in client.makefile("rb"):
        if left == 0:
            threading.Event().wait()
        left -= 1
        end = time.thread_time() + options.work / 1e6
        while time.thread_time() < end:
            pass
        if options.wait:
            time.sleep(options.wait / 1e6)
        client.sendall(line)


kept = [open("/dev/null") for _ in range(options.descriptors)]
for _ in range(options.threads):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
time.sleep(options.start / 1e3)
listener = socket.create_server(("127.0.0.1", options.port), backlog=64)
while True:
    client, _ = listener.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(client,), daemon=True).start()
