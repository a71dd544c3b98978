"""A sound line server as a Python programmer would write it: asyncio streams, one line, one echo.

usage: asyncio_line.py PORT
"""
import asyncio
import signal
import sys


async def serve(reader, writer):
    try:
        while line := await reader.readline():
            if not line.endswith(b"\n"):
                break  # the stream ended inside a line: no request
            writer.write(line)
            await writer.drain()
    except (ConnectionError, ValueError):
        pass  # reset by the peer, or a line over the reader's limit of 64 KiB
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    server.close()


asyncio.run(main())
