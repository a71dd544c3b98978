# Echoes lines behind a proxy that sends the header of the PROXY protocol, version 1: ONE_RECV.PY PORT header|request
# It drops a connection whose header, or whose first request, does not arrive with one recv.
import socket
import sys

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = listener.accept()
    with client:
        header = client.recv(108)
        while sys.argv[2] == "request" and header and not header.endswith(b"\r\n"):
            header += client.recv(1)
        if not header.endswith(b"\r\n"):
            continue
        line = client.recv(4096)
        while sys.argv[2] == "header" and line and not line.endswith(b"\n"):
            line += client.recv(4096)
        if line.endswith(b"\n"):
            client.sendall(line)
