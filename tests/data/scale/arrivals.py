"""A line server that writes when the kernel received each line, and the line.

usage: arrivals.py HOST PORT LOG
"""
import socket
import struct
import sys
import threading
import time

# linux/net_tstamp.h: the kernel says when it received what recvmsg returns, however late this program is.
SO_TIMESTAMPING = 37
RX_SOFTWARE, SOFTWARE = 1 << 3, 1 << 4


def received_at(ancillary):
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPING):
            seconds, nanos = struct.unpack_from("qq", data)
            return seconds * 1_000_000_000 + nanos
    return time.time_ns()  # it arrived while the kernel was switching this on


def serve(connection):
    left = b""
    with connection:
        while True:
            try:
                data, ancillary, _, _ = connection.recvmsg(65536, 256)
            except ConnectionError:
                return
            if not data:
                return
            *lines, left = (left + data).split(b"\n")
            for line in lines:
                log.write(b"%d %s\n" % (received_at(ancillary), line))
                connection.sendall(line + b"\n")


listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=512)
listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, RX_SOFTWARE | SOFTWARE)  # accepted sockets inherit it
log = open(sys.argv[3], "wb", buffering=0)
print("listening", flush=True)
while True:
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
