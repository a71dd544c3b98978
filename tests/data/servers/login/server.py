"""A server whose clients must answer a challenge with a hash of the password and it before they are served: PORT PASSWORD."""

import asyncio
import hashlib
import secrets
import sys

PASSWORD = sys.argv[2].encode()


async def serve(reader, writer):
    challenge = secrets.token_hex(16)
    writer.write(f"challenge {challenge}\n".encode())
    try:
        answer = (await reader.readline()).strip()
        if answer.decode() != hashlib.sha256(PASSWORD + challenge.encode()).hexdigest():
            writer.write(b"wrong\n")
            return
        writer.write(b"welcome\n")
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    except (ConnectionError, ValueError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
