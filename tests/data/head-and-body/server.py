"""An HTTP server after a public bug report (async-h1#199): argv is PORT [sound].

It sends the head and the body of a reply in two calls and leaves Nagle's algorithm on, unless it is `sound`, which sends
them together.
"""

import socket
import sys
import threading

PORT = int(sys.argv[1])
SOUND = sys.argv[2:] == ["sound"]


def serve(client):
    with client:
        received = b""
        while True:
            while b"\r\n\r\n" not in received:
                data = client.recv(65536)
                if not data:
                    return
                received += data
            request, received = received.split(b"\r\n\r\n", 1)
            body = request.split(b" ")[1][1:]
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
            for part in [head + body] if SOUND else [head, body]:
                client.sendall(part)


listener = socket.create_server(("127.0.0.1", PORT), backlog=128)
while True:
    threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
