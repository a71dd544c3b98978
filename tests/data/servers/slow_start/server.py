"""A server that listens before it is ready: for a second it drops every client. PORT"""

import socketserver
import sys
import time

READY = time.monotonic() + 1


class Client(socketserver.StreamRequestHandler):
    def handle(self):
        if time.monotonic() >= READY:
            for line in self.rfile:
                self.wfile.write(line)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Client).serve_forever()
