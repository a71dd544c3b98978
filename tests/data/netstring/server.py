"""Echoes netstrings: "5:hello,". Sound.

usage: server.py PORT
"""
import asyncio
import sys


async def serve(reader, writer):
    try:
        while True:
            size = int((await reader.readuntil(b":"))[:-1])
            if size > 1 << 20:
                break
            body = await reader.readexactly(size + 1)
            writer.write(b"%d:%s" % (size, body))
            await writer.drain()
    except (ConnectionError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    async with server:
        await server.serve_forever()


asyncio.run(main())
