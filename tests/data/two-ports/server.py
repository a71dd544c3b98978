"""Echoes lines on a service port and on a console port, as statsd, gearmand or consul have them. Sound.

usage: server.py PORT CONSOLE
"""
import asyncio
import sys


async def serve(reader, writer):
    try:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    except (ConnectionError, ValueError):
        pass
    writer.close()


async def main():
    listen = lambda port: asyncio.start_server(serve, "127.0.0.1", int(port), backlog=1024)
    service, console = await listen(sys.argv[1]), await listen(sys.argv[2])
    async with service, console:
        await asyncio.gather(service.serve_forever(), console.serve_forever())


asyncio.run(main())
