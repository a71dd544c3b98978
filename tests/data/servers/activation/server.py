"""A server that inherits its listening socket as descriptor 3, as from systemd."""

import asyncio
import os
import socket

assert os.environ["LISTEN_PID"] == str(os.getpid()), "the socket is not for this process"
assert os.environ["LISTEN_FDS"] == "1" and os.environ["LISTEN_FDNAMES"] == "echo"


async def serve(reader, writer):
    try:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    except (ConnectionError, ValueError):
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(serve, sock=socket.socket(fileno=3))
    await server.serve_forever()


asyncio.run(main())
