"""A line server that is worse in ways that can be chosen.

usage: slowed_line.py PORT [OPTION...]

--work US         computes for so many microseconds for each line
--wait US         sleeps for so many microseconds for each line
--hang-after N    leaves everyone without a reply after N lines
--start MS        sleeps for so many milliseconds before it listens
--descriptors N   keeps so many more files open
--threads N       has so many more threads
--spin SHARE      computes for this share of the time
--polls N         wakes up so many times per second
--connection-work US  computes for so many microseconds for each new connection
--keep BYTES      keeps so many bytes for each connection
--pad BYTES       adds so many spaces to each reply
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
parser.add_argument("--spin", type=float, default=0)
parser.add_argument("--polls", type=float, default=0)
parser.add_argument("--connection-work", type=float, default=0)
parser.add_argument("--keep", type=int, default=0)
parser.add_argument("--pad", type=int, default=0)
parser.add_argument("--marker")
options = parser.parse_args()
left = options.hang_after


def work(microseconds):
    end = time.thread_time() + microseconds / 1e6
    while time.thread_time() < end:
        pass


def serve(client):
    global left
    work(options.connection_work)
    kept = b"x" * options.keep
    for line in client.makefile("rb"):
        if left == 0:
            threading.Event().wait()
        left -= 1
        work(options.work)
        if options.wait:
            time.sleep(options.wait / 1e6)
        client.sendall(line[:-1] + b" " * options.pad + line[-1:])


def spin():
    while True:
        end = time.thread_time() + options.spin / 100
        while time.thread_time() < end:
            pass
        time.sleep((1 - options.spin) / 100)


def poll():
    while True:
        time.sleep(1 / options.polls)


kept = [open("/dev/null") for _ in range(options.descriptors)]
for _ in range(options.threads):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
for each, wanted in ((spin, options.spin), (poll, options.polls)):
    if wanted:
        threading.Thread(target=each, daemon=True).start()
time.sleep(options.start / 1e3)
listener = socket.create_server(("127.0.0.1", options.port), backlog=64)
while True:
    client, _ = listener.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(client,), daemon=True).start()
