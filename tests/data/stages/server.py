"""Echoes lines, and aborts after a login and five exact lines on one connection, each of which is echoed like any other."""

import os
import socketserver
import sys


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        stage = 0
        for line in self.rfile:
            text = line.rstrip(b"\r\n")
            if stage == 0:
                if text == b"LOGIN kiwi":
                    stage = 1
            elif stage == 1:
                if text == b"qz7":
                    stage = 2
            elif stage == 2:
                if text == b"Vx!3p":
                    stage = 3
            elif stage == 3:
                if text == b"0mW_k9":
                    stage = 4
            elif stage == 4:
                if text == b"jY5":
                    stage = 5
            elif stage == 5:
                if text == b"tR~2":
                    os.abort()
            self.wfile.write(line)

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    def handle_error(self, request, client_address):
        pass


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
