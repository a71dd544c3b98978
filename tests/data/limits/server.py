"""A server of lines that sets limits: PORT CONNECTIONS REQUESTS BYTES IDLE HOW LOCK. HOW is what happens to a client beyond a
limit: told, closed, left (it waits for ever), queued (it waits for its turn), displaces (the earliest connection is closed for
it), hurries (it waits, and a place that is taken while more than half are in use has an IDLE of 0.2 from then on), cut (a line
that is too long becomes two), or lost (told, and a client that leaves does not give back its place). IDLE is the time in
seconds after which a silent client is closed, or 0. Only one instance runs that locks the file LOCK, if that is not empty."""

import asyncio
import contextlib
import fcntl
import sys

PORT, CONNECTIONS, REQUESTS, BYTES = (int(word) for word in sys.argv[1:5])
IDLE = float(sys.argv[5]) or None
HOW = sys.argv[6]
served = 0
open_ones = []
taken = set()
free = asyncio.Semaphore(CONNECTIONS)
places = [IDLE] * CONNECTIONS if HOW == "hurries" else []
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
    idle, place = IDLE, None
    if places:
        place = next(at for at in range(CONNECTIONS) if at not in taken)
        taken.add(place)
        if len(taken) > CONNECTIONS // 2:
            places[place] = 0.2
        idle = places[place]
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
            line = await asyncio.wait_for(reader.readline(), idle)
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
        taken.discard(place)
        if writer in open_ones:
            open_ones.remove(writer)


async def session(reader, writer):
    try:
        async with free if HOW in ("queued", "hurries") else contextlib.nullcontext():
            await serve(reader, writer)
            await writer.drain()
    except (ConnectionError, ValueError, TimeoutError, asyncio.TimeoutError):
        pass
    writer.close()


async def main():
    server = await asyncio.start_server(session, "127.0.0.1", PORT, backlog=1024, limit=1 << 24)
    await server.serve_forever()


asyncio.run(main())
