"""A line server with the standard library's socketserver: one thread for each connection, one line, one echo.

usage: socketserver_line.py PORT
"""
import socketserver
import sys


class Lines(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            if not line.endswith(b"\n"):
                return  # the stream ended inside a line: no request
            self.wfile.write(line)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", int(sys.argv[1])), Lines).serve_forever()
