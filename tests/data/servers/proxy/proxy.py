"""A proxy. Its configuration file, the first argument, has the lines "listen PORT" and "backend PORT"."""

import asyncio
import sys

with open(sys.argv[1]) as lines:
    CONFIG = dict(line.split() for line in lines)


async def pump(source, sink):
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.write_eof()
    except OSError:
        sink.transport.abort()


async def serve(reader, writer):
    try:
        backend = await asyncio.open_connection("127.0.0.1", int(CONFIG["backend"]))
    except OSError as error:
        print("no backend:", error, file=sys.stderr)
        writer.close()
        return
    await asyncio.gather(pump(reader, backend[1]), pump(backend[0], writer))
    backend[1].close()
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(CONFIG["listen"]))
    await server.serve_forever()


asyncio.run(main())
