"""One request for each connection, one recv for it, and a reply that ends with the connection, as those of finger, whois
and HTTP/1.0. Faulty: a request in two segments is answered as if it were cut.

usage: server.py PORT
"""
import socket
import sys
import threading


def serve(connection):
    try:
        data = connection.recv(1024)
        if data:
            connection.sendall(b"you said " + data.split(b"\n")[0] + b"\nbye\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    except OSError:
        pass
    finally:
        connection.close()


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
while True:
    try:
        connection, _ = listener.accept()
    except OSError:
        continue
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
