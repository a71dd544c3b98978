"""An HTTP server with one fault of those that only a client who knows fields can show.

usage: fields_server.py PORT FAULT
"""

import asyncio
import os
import re
import sys

PORT, FAULT = int(sys.argv[1]), sys.argv[2]
PARSERS = {"application/json": len, "text/plain": len}
VALUE = re.compile(rb'[^;]*(?:;\s*a="(?:[^"\\]|\\.|\\)*")*$')


def type_of(value):
    if FAULT == "crash-on-type" and value.startswith(b"constructor"):
        print("no parser", file=sys.stderr, flush=True)
        os._exit(3)
    if FAULT == "backtracks" and b'; a="' in value:
        VALUE.match(value)


def parts(headers, body):
    boundary = headers.get(b"content-type", b"").partition(b"boundary=")[2].strip(b'"')
    for part in body.split(b"--" + boundary)[1:] if boundary else []:
        head, _, content = part.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length" and value.strip().isdigit():
                left = int(value)
                while left > len(content) and FAULT == "endless-part":
                    content += b""


async def chunks(reader):
    """A chunked body. A line feed in the line with a size is taken for a part of its extension."""
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = re.fullmatch(rb"([0-9a-f]{1,6})(?:;[^\r]*)?\r\n", line)
        if size is None:
            return None
        body += await reader.readexactly(int(size[1], 16))
        if await reader.readexactly(2) != b"\r\n":
            return None
        if int(size[1], 16) == 0:
            return body


async def upgraded(reader, path):
    """The reply to a request for another protocol. A client that has left already gets none."""
    await asyncio.sleep(0.01)
    if reader.at_eof():
        return b""
    if FAULT == "crash-on-upgrade" and b"kind=__proto__" in path:
        print("no protocol", file=sys.stderr, flush=True)
        os._exit(3)
    return b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


def reply(text, status=b"200 OK"):
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(text), text)


async def serve(reader, writer):
    tasks = set()
    try:
        while True:
            lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            words = lines[0].split(b" ")
            fields = [line.partition(b":")[::2] for line in lines[1:] if line]
            headers = {name.lower(): value.strip() for name, value in fields}
            coding, length = headers.get(b"transfer-encoding"), headers.get(b"content-length", b"0")
            is_odd = any(re.fullmatch(rb"[\w-]+", name) is None for name, _ in fields)
            is_odd = is_odd or len(headers) < len(fields)
            is_coded = coding is not None and FAULT != "smuggles"
            if is_coded and FAULT == "extension":
                is_coded = coding != b"chunked" or await chunks(reader) is None
            if len(words) != 3 or is_odd or is_coded or not length.isdigit():
                writer.write(reply(b"", b"400 Bad Request"))
                break
            body = await reader.readexactly(int(length))
            type_of(headers.get(b"content-type", b""))
            parts(headers, body)
            if FAULT == "disorder" and words[1].startswith(b"/slow"):
                later = asyncio.ensure_future(asyncio.sleep(0.02))
                later.add_done_callback(lambda _, path=words[1]: writer.write(reply(path)))
                tasks.add(later)
            elif b"upgrade" in headers:
                writer.write(await upgraded(reader, words[1]))
            else:
                writer.write(reply(words[1]))
            await writer.drain()
        await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        pass
    if tasks:
        await asyncio.wait(tasks)
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", PORT)
    async with server:
        await server.serve_forever()


asyncio.run(main())
