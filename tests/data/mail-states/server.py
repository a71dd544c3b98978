"""A conversation whose turns depend on each other, like that of a mail server. Faulty: a reset while the text of a mail is
awaited ends the process (nodemailer/smtp-server#229). Late: sound, and a connection is served half a second after it began, as
where the client's name is looked up.

usage: server.py PORT faulty|sound|late
"""
import asyncio
import os
import sys

SOUND = sys.argv[2] != "faulty"
SERVED_AFTER = 0.5 if sys.argv[2] == "late" else 0


class Mail:
    """The state of one connection."""

    def __init__(self):
        self.expected = "FROM"

    def answer(self, line):
        """The reply to a line; None within a text."""
        if self.expected == "text":
            if line != b".":
                return None
            self.expected = "FROM"
            return b"250 queued"
        word, _, rest = line.partition(b" ")
        if word.decode("latin-1") != self.expected:
            return b"503 not now"
        following = {"FROM": "TO", "TO": "DATA", "DATA": "text"}
        replies = {"FROM": b"250 " + rest, "TO": b"250 ok", "DATA": b"354 go on"}
        reply = replies[self.expected]
        self.expected = following[self.expected]
        return reply


async def serve(reader, writer):
    mail = Mail()
    await asyncio.sleep(SERVED_AFTER)
    try:
        while line := await reader.readline():
            reply = mail.answer(line.rstrip(b"\n"))
            if reply is not None:
                writer.write(reply + b"\n")
                await writer.drain()
    except ConnectionError:
        if mail.expected == "text" and not SOUND:
            os._exit(1)
    except ValueError:
        pass  # a line that is too long
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await server.serve_forever()


asyncio.run(main())
