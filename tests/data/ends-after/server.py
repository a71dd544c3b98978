"""Sends back what follows `say`, and closes the connection after `quit`. usage: server.py PORT"""
import asyncio
import sys


async def session(reader, writer):
    try:
        while line := await reader.readline():
            word, _, rest = line.partition(b" ")
            if word == b"quit":
                writer.write(b"bye " + rest)
                break
            writer.write(rest)
            await writer.drain()
    except (ConnectionError, ValueError):
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(session, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()


asyncio.run(main())
