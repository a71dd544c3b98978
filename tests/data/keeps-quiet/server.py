"""An echo of lines that needs 30 descriptors, and without them waits for ever, after a word in the file LOG unless that is
called none: PORT LOG."""
import socket
import sys
import time

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=512)
log = open(sys.argv[2], "a", buffering=1)
try:
    needed = [open("/dev/null") for _ in range(30)]
except OSError as error:
    if not sys.argv[2].endswith("none"):
        log.write(f"cannot open what is needed: {error.strerror}\n")
    time.sleep(3600)
while True:
    client = listener.accept()[0]
    with client, client.makefile("rwb") as stream:
        for line in stream:
            stream.write(line)
            stream.flush()
