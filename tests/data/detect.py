"""Small servers whose talk `tcprove init` finds out: detect.py KIND [PORT]."""
import asyncio
import json
import os
import random
import sys
import time


async def lines(reader, end):
    """The lines of a client, each with this end; other line ends do not count."""
    held = b""
    while data := await reader.read(4096):
        held += data
        while end in held:
            line, held = held.split(end, 1)
            yield line


async def mute(reader, writer):
    while await reader.read(4096):
        pass


async def closes(reader, writer):
    await reader.read(1)


async def constant(reader, writer):
    while await reader.read(4096):
        writer.write(b"OK\n")


async def noise(reader, writer):
    while await reader.read(4096):
        writer.write(random.randbytes(random.randrange(1, 40)))


async def echo(reader, writer):
    while data := await reader.read(4096):
        writer.write(data)


async def echo_once(reader, writer):
    writer.write(await reader.read(4096))


async def line_lf(reader, writer):
    async for line in lines(reader, b"\n"):
        writer.write(line + b"\n")


async def line_crlf(reader, writer):
    async for line in lines(reader, b"\r\n"):
        writer.write(line + b"\r\n")


async def upper(reader, writer):
    async for line in lines(reader, b"\n"):
        writer.write(b"you said " + line.strip().upper() + b"\n")


async def clock(reader, writer):
    async for line in lines(reader, b"\n"):
        writer.write(time.strftime("it is %H:%M:%S, {").encode() + line.strip() + b"\n")


async def numbers(reader, writer):
    async for _ in lines(reader, b"\n"):
        writer.write(b"%d\n" % random.getrandbits(40))


async def one_shot(reader, writer):
    await reader.read(1024)
    writer.write("got it, 谢谢".encode())


async def greets(reader, writer):
    writer.write(b"welcome, client %d\r\n" % random.getrandbits(30))
    async for line in lines(reader, b"\r\n"):
        writer.write(b"250 " + line + b"\r\n" if line else b"500 empty\r\n")


async def greets_late(reader, writer):
    await asyncio.sleep(1.4)
    writer.write(b"220 patience is a virtue ESMTP\r\n")
    async for line in lines(reader, b"\r\n"):
        verb = line.upper().split(b" ")[0]
        known = verb in (b"EHLO", b"NOOP")
        writer.write(b"250 ok\r\n" if known else b"502 what?\r\n" if verb != b"RCPT" else b"503 first MAIL\r\n")


async def greets_only(reader, writer):
    writer.write(b"come back later\n")


async def json_lines(reader, writer):
    async for line in lines(reader, b"\n"):
        try:
            request = json.loads(line)
            reply = {"jsonrpc": "2.0", "id": request["id"], "result": request.get("params")}
        except (ValueError, KeyError, TypeError):
            reply = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "Parse error"}}
        writer.write(json.dumps(reply).encode() + b"\n")


async def dies_of_nonsense(reader, writer):
    async for line in lines(reader, b"\n"):
        try:
            reply = {"id": json.loads(line)["id"]}
        except ValueError:
            os._exit(3)
        writer.write(json.dumps(reply).encode() + b"\n")


async def one_client(reader, writer):
    await line_lf(reader, writer)
    os._exit(0)


async def session(reader, writer):
    try:
        await HANDLERS[KIND](reader, writer)
        await writer.drain()
    except ConnectionError:
        pass
    writer.close()


HANDLERS = {name: value for name, value in globals().items() if asyncio.iscoroutinefunction(value)}
KIND = sys.argv[1]


async def main():
    port = int(sys.argv[2] if len(sys.argv) > 2 else os.environ.get("PORT", 0))
    server = await asyncio.start_server(session, "127.0.0.1", port)
    print(f"ready at 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


asyncio.run(main())
