"""A line server with a limited number of places, as of a public bug report: argv is PORT LIMIT [sound].

The place of a client is given back where its stream ends. A client that resets its connection ends the loop through an
exception instead, and keeps its place for ever, unless the server is `sound`.
"""

import asyncio
import sys

LIMIT = int(sys.argv[2])
SOUND = sys.argv[3:] == ["sound"]
taken = 0


async def serve(reader, writer):
    global taken
    if taken >= LIMIT:
        writer.write(b"ERR no place left\n")
        writer.close()
        return
    taken += 1
    gone_in_order = False
    try:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
        gone_in_order = True
    except ConnectionError:
        pass
    finally:
        if gone_in_order or SOUND:
            taken -= 1
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    async with server:
        await server.serve_forever()


asyncio.run(main())
