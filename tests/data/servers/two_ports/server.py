"""A server with a service port and a console port, as statsd, gearmand or consul have them: PORT CONSOLE_PORT."""

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
    servers = [await asyncio.start_server(serve, "127.0.0.1", int(port)) for port in sys.argv[1:3]]
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
