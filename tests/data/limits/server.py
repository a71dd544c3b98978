"""A server of lines that sets limits: PORT CONNECTIONS REQUESTS BYTES IDLE HOW LOCK. HOW is what happens to a client beyond a
limit: told, closed, left (it waits for ever), queued (it waits for its turn), displaces (the earliest connection is closed for
it), cut (a line that is too long becomes two), or lost (told, and a client that leaves does not give back its place). IDLE is
the time in seconds after which a silent client is closed, or 0. Only one instance runs that locks the file LOCK, if that is
not empty."""

import asyncio
import contextlib
import fcntl
import sys

PORT, CONNECTIONS, REQUESTS, BYTES = (int(word) for word in sys.argv[1:5])
IDLE = float(sys.argv[5]) or None
HOW = sys.argv[6]
served = 0
open_ones = []
free = asyncio.Semaphore(CONNECTIONS)
if sys.argv[7]:
    lock = open(sys.argv[7], "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit("another instance holds the lock")


async def refuse(writer):
    if HOW == "left":
        await asyncio.sleep(3600)
    if HOW != "closed":
        writer.write(b"too much\n")


async def serve(reader, writer):
    global served
    if HOW == "displaces":
        open_ones.append(writer)
        if len(open_ones) > CONNECTIONS:
            open_ones.pop(0).close()
    elif served == CONNECTIONS:
        await refuse(writer)
        return
    served += 1
    try:
        for _ in range(REQUESTS):
            line = await asyncio.wait_for(reader.readline(), IDLE)
            if not line:
                return
            if len(line) > BYTES and HOW == "cut":
                writer.write(b"cut\ncut\n")
            elif len(line) > BYTES:
                await refuse(writer)
                if HOW == "closed":
                    return
            else:
                writer.write(line)
            await writer.drain()
        await refuse(writer)
    finally:
        if HOW != "lost":
            served -= 1
        if writer in open_ones:
            open_ones.remove(writer)


async def session(reader, writer):
    try:
        async with free if HOW == "queued" else contextlib.nullcontext():
            await serve(reader, writer)
            await writer.drain()
    except (ConnectionError, ValueError, TimeoutError, asyncio.TimeoutError):
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(session, "127.0.0.1", PORT, backlog=1024, limit=1 << 24)
    await server.serve_forever()


asyncio.run(main())
