"""A message ends with a line feed, and is collected until then, however it arrives."""
import socket
import sys
import threading

REPLY = "ok, 问题正在处理中...\n"


def serve(client):
    with client:
        try:
            for line in client.makefile("rb"):
                line.decode("utf-8")
                client.sendall(REPLY.encode("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            print("error:", error)


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen(128)
while True:
    client, peer = server.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
