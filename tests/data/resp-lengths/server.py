"""A server of RESP that echoes: argv is PORT [sound].

It makes room for a string as soon as its length is announced, whatever the length is, unless it is `sound`, which
refuses more than 64 KiB.
"""

import socketserver
import sys

SOUND = sys.argv[2:] == ["sound"]
MIB = 1 << 20


class Client(socketserver.StreamRequestHandler):
    def number(self):
        line = self.rfile.readline(32)
        if not line.endswith(b"\r\n"):
            raise ValueError("no number")
        return int(line[1:])

    def strings(self):
        for _ in range(self.number()):
            length = self.number()
            if SOUND and not 0 <= length <= 65536:
                raise ValueError("a length that is not allowed")
            # At most 128 MiB, to spare the machine of the test.
            room = bytearray(b"\0") * min(length, 128 * MIB)
            text = self.rfile.read(length)
            room[: len(text)] = text
            self.rfile.read(2)
            yield text

    def handle(self):
        try:
            while words := list(self.strings()):
                self.wfile.write(b"$%d\r\n%s\r\n" % (len(words[-1]), words[-1]))
        except (ValueError, OSError):
            pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", int(sys.argv[1])), Client).serve_forever()
