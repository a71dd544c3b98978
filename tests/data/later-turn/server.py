"""Lines that are answered, and a text that ends with a line of a single dot. Faulty: the end of the text is looked for in
what one recv returns. The server refuses anything that begins with BAD as soon as it has read that, and closes.

usage: server.py PORT faulty|sound
"""
import socket
import sys
import threading

SOUND = sys.argv[2] == "sound"
REFUSED = b"BAD"
END = b"\n.\n"


def text(connection, buffer):
    """Reads a text; returns what follows it."""
    while True:
        end = buffer.find(END)
        if end >= 0:
            return buffer[end + len(END) :]
        more = connection.recv(1024)
        if not more:
            raise EOFError
        buffer = buffer + more if SOUND else more


def serve(connection):
    buffer = b""
    try:
        while True:
            while b"\n" not in buffer and not buffer.startswith(REFUSED):
                more = connection.recv(1024)
                if not more:
                    return
                buffer += more
            if buffer.startswith(REFUSED):
                connection.sendall(b"ERR\n")
                return
            line, buffer = buffer.split(b"\n", 1)
            if line == b"TEXT":
                connection.sendall(b"GO ON\n")
                buffer = text(connection, b"\n" + buffer)
                connection.sendall(b"STORED\n")
            else:
                connection.sendall(b"OK " + line + b"\n")
    except (OSError, EOFError):
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
