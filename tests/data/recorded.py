"""Servers of which a client's session is recorded: recorded.py KIND PORT."""
import asyncio
import http.server
import json
import secrets
import struct
import sys
import time


COUNTED = []


async def text(reader, writer):
    """A greeting, a login, then commands in lines; QUIT ends it."""
    writer.write(b"220 shop %d ready\r\n" % (time.time_ns() % 100000))
    user = None
    while line := (await reader.readline()).strip():
        verb, _, rest = line.partition(b" ")
        if verb == b"LOGIN" and rest == b"anna secret":
            user = rest.split()[0]
            writer.write(b"250 welcome\r\n")
        elif verb == b"QUIT":
            writer.write(b"221 bye\r\n")
            return
        elif user is None:
            writer.write(b"530 log in first\r\n")
        elif verb == b"ADD":
            writer.write(b"251 added " + rest + b"\r\n")
        elif verb == b"COUNT":
            COUNTED.append(user)
            writer.write(b"253 %d counted\r\n" % len(COUNTED))
        elif verb == b"TIME":
            writer.write(b"252 %d\r\n" % time.time_ns())
        else:
            writer.write(b"500 what?\r\n")


async def framed(reader, writer):
    """Messages of a type, a 32-bit length and a body."""
    while True:
        kind, size = struct.unpack(">BI", await reader.readexactly(5))
        body = await reader.readexactly(size)
        replies = {1: b"hello " + body, 2: b"\xff\x00pong", 3: b"size %d" % size}
        if kind not in replies:
            return
        writer.write(struct.pack(">BI", kind | 0x80, len(replies[kind])) + replies[kind])


async def nonce(reader, writer):
    """Each request has to repeat the number of the last reply: no fixed words say that."""
    number = secrets.token_hex(8)
    writer.write(number.encode() + b"\n")
    while line := (await reader.readline()).strip():
        if line.decode() != number:
            writer.write(b"ERR wrong number\n")
            return
        number = secrets.token_hex(8)
        writer.write(number.encode() + b"\n")


class Web(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        words = self.path.strip("/").split("/")
        if words[0] == "say" and len(words) == 2:
            self.answer(200, "you said " + words[1])
        elif self.path == "/":
            self.answer(200, "welcome")
        else:
            self.answer(404, "no such page")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            self.answer(201, json.dumps({"stored": json.loads(body)["text"]}))
        except (ValueError, KeyError):
            self.answer(400, "not JSON")

    def answer(self, code, text):
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


async def serve(handle, port):
    async def one(reader, writer):
        try:
            await handle(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", port)
    say(server.sockets[0])
    async with server:
        await server.serve_forever()


def say(socket):
    print(f"listening on 127.0.0.1:{socket.getsockname()[1]}", flush=True)


kind, port = sys.argv[1], int(sys.argv[2])
if kind == "web":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Web)
    say(server.socket)
    server.serve_forever()
asyncio.run(serve({"text": text, "framed": framed, "nonce": nonce}[kind], port))
