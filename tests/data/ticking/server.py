# A sound line server that also looks at its sockets when nothing has happened, a number of times per second.
# argv: port, times per second
import selectors
import socket
import sys

selector = selectors.DefaultSelector()
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
listener.setblocking(False)
selector.register(listener, selectors.EVENT_READ, None)
while True:
    for key, _ in selector.select(1 / float(sys.argv[2])):
        if key.data is None:
            try:
                client, _ = listener.accept()
            except OSError:
                continue
            selector.register(client, selectors.EVENT_READ, bytearray())
            continue
        try:
            got = key.fileobj.recv(4096)
        except OSError:
            got = b""
        if not got or len(key.data) > 65536:
            selector.unregister(key.fileobj)
            key.fileobj.close()
            continue
        key.data.extend(got)
        while b"\n" in key.data:
            end = key.data.index(b"\n") + 1
            try:
                key.fileobj.sendall(bytes(key.data[:end]))
            except OSError:
                pass
            del key.data[:end]
