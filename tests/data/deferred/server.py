"""An echo of lines on whose port the kernel completes a connection only once data has arrived: PORT."""
import socket
import sys
import threading


def serve(client):
    try:
        with client, client.makefile("rwb") as stream:
            for line in stream:
                stream.write(line)
                stream.flush()
    except OSError:
        pass


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=512)
listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
