# Echoes lines behind a proxy that sends the header of the PROXY protocol, version 1: ONE_RECV.PY PORT header|request
# It drops a connection whose header, or whose request, does not arrive with one recv.
import socket
import sys

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = listener.accept()
    with client:

        def received(start, end, times):
            while end not in start and times and (more := client.recv(4096)):
                start, times = start + more, times - 1
            return start if end in start else b""

        in_header = sys.argv[2] == "header"
        text = received(b"", b"\r\n", 1 if in_header else 1000)
        line = text.partition(b"\r\n")[2]
        if text and (line := received(line, b"\n", 1000 if in_header else 1)):
            client.sendall(line)
