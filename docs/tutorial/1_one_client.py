"""The tutorial's server: one client after the other, one recv, one reply, close."""
import socket
import sys

REPLY = "ok, 问题正在处理中..."


def serve(client):
    data = client.recv(1024)
    print("text:", data.decode("utf-8"))
    client.send(REPLY.encode("utf-8"))
    client.close()


server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen(128)
while True:
    client, peer = server.accept()
    serve(client)
