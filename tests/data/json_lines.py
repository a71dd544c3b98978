"""A JSON-lines server. usage: json_lines.py PORT escapes|plain|decodes

  escapes  writes characters outside ASCII as \\uXXXX
  plain    writes them as they are
  decodes  the same, but decodes what each recv returns, so that a character in two pieces is replaced
"""
import json
import socket
import sys
import threading


def reply(text, mode):
    return json.dumps({"result": text}, ensure_ascii=mode == "escapes").encode() + b"\n"


def serve(client, mode):
    with client:
        talk(client, mode)


def talk(client, mode):
    buffer = ""
    received = b""
    while data := client.recv(4096):
        if mode == "decodes":
            buffer += data.decode("utf-8", "replace")
        else:
            received += data
            if not received.endswith(b"\n"):
                continue
            buffer, received = received.decode(), b""
        while "\n" in buffer:
            line, buffer = buffer.split("\n", 1)
            client.sendall(reply(json.loads(line)["text"], mode))


server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client, _ = server.accept()
    threading.Thread(target=serve, args=(client, sys.argv[2]), daemon=True).start()
