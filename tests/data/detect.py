"""Small servers whose talk `tcprove init` finds out: detect.py KIND [PORT]."""
import asyncio
import base64
import hashlib
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


async def framed(reader, writer, width, order, reply):
    """Messages after a length of so many bytes, and the replies likewise."""
    while True:
        size = int.from_bytes(await reader.readexactly(width), order)
        if size > 1 << 20:
            return
        answer = reply(await reader.readexactly(size))
        writer.write(len(answer).to_bytes(width, order) + answer)


def says_length(body):
    return b"len=%d " % len(body) + body


def json_with_id(body):
    try:
        return json.dumps({"ok": True, "id": json.loads(body)["id"]}).encode()
    except (ValueError, KeyError, TypeError):
        return b'{"ok": false}'


async def u32be(reader, writer):
    await framed(reader, writer, 4, "big", says_length)


async def u32le(reader, writer):
    await framed(reader, writer, 4, "little", says_length)


async def u32le_json(reader, writer):
    await framed(reader, writer, 4, "little", json_with_id)


async def u16be(reader, writer):
    await framed(reader, writer, 2, "big", says_length)


async def u16be_echo(reader, writer):
    await framed(reader, writer, 2, "big", bytes)


async def u16le_echo(reader, writer):
    await framed(reader, writer, 2, "little", bytes)


async def u8_echo(reader, writer):
    await framed(reader, writer, 1, "big", bytes)


async def u32be_hasty(reader, writer):
    """An echo that takes what one read returns for the whole header, as many a server in C does."""
    while header := await reader.read(4):
        header = header.ljust(4, b"\0")
        size = int.from_bytes(header, "big")
        if size > 1 << 20:
            return
        writer.write(header + await reader.readexactly(size))


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


async def netstring(reader, writer):
    while head := await reader.readuntil(b":"):
        if not head[:-1].isdigit():
            return
        text = await reader.readexactly(int(head[:-1]) + 1)
        writer.write(head + text)


async def lsp(reader, writer):
    while head := await reader.readuntil(b"\r\n\r\n"):
        fields = dict(line.split(b": ") for line in head.strip().split(b"\r\n"))
        request = json.loads(await reader.readexactly(int(fields[b"Content-Length"])))
        if "id" not in request:
            continue
        reply = {"jsonrpc": "2.0", "id": request["id"]}
        if request["method"] == "initialize":
            reply["result"] = {"capabilities": {}}
        else:
            reply["error"] = {"code": -32601, "message": "Method Not Found"}
        body = json.dumps(reply).encode()
        writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)


async def websocket(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = (line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    fields = {name.lower(): value for name, value in lines}
    key = fields.get(b"sec-websocket-key")
    if key is None:
        writer.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        return
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
    writer.write(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    while True:
        first, size = await reader.readexactly(2)
        size &= 0x7F
        if size > 125:
            size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8))
        mask = await reader.readexactly(4)
        text = bytes(byte ^ mask[place % 4] for place, byte in enumerate(await reader.readexactly(size)))
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2) if size < 65536 else b"\x7f" + size.to_bytes(8)
        writer.write(bytes([first]) + length + text)


async def modbus(reader, writer):
    registers = {}
    while True:
        head = await reader.readexactly(6)
        body = await reader.readexactly(int.from_bytes(head[4:]))
        device, function, data = body[0], body[1], body[2:]
        first, count = int.from_bytes(data[:2]), int.from_bytes(data[2:4])
        if function == 3 and 1 <= count <= 125:
            values = b"".join(registers.get(first + place, b"\0\0") for place in range(count))
            reply = bytes([function, 2 * count]) + values
        elif function == 16 and len(data) == 5 + 2 * count:
            registers |= {first + place: data[5 + 2 * place : 7 + 2 * place] for place in range(count)}
            reply = bytes([function]) + data[:4]
        else:
            reply = bytes([function | 0x80, 3 if function in (3, 16) else 1])
        writer.write(head[:4] + (1 + len(reply)).to_bytes(2) + bytes([device]) + reply)


async def finger(reader, writer):
    line = await reader.readuntil(b"\n")
    writer.write(b"finger: " + line.strip() + b": no such user\r\n")


async def dies_of_nonsense(reader, writer):
    async for line in lines(reader, b"\n"):
        try:
            reply = {"id": json.loads(line)["id"]}
        except ValueError:
            os._exit(3)
        writer.write(json.dumps(reply).encode() + b"\n")


async def warms_up(reader, writer):
    async for line in lines(reader, b"\n"):
        if time.monotonic() < LISTENS + 0.7:
            writer.write(b"not yet\n")
            return
        writer.write(line + b"\n")


async def one_client(reader, writer):
    await line_lf(reader, writer)
    os._exit(0)


async def session(reader, writer):
    try:
        await HANDLERS[KIND](reader, writer)
        await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        pass
    finally:
        # Before Python 3.12, nothing else closes the connection of a session that has died.
        writer.close()


HANDLERS = {name: value for name, value in globals().items() if asyncio.iscoroutinefunction(value)}
HANDLERS.pop("framed")
KIND = sys.argv[1]
if KIND == "warms_up":
    time.sleep(0.6)
LISTENS = time.monotonic()


async def main():
    port = int(sys.argv[2] if len(sys.argv) > 2 else os.environ.get("PORT", 0))
    server = await asyncio.start_server(session, "127.0.0.1", port)
    print(f"ready at 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


asyncio.run(main())
