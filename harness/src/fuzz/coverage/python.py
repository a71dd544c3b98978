"""Tells tcprove which code a server executes, and the constants of its functions.

The file named by TCPROVE_COVERAGE is a map: a byte for each place, which is 1 once the place was reached. A byte with the
highest bit means that tcprove knows the place: its event is turned off.
"""


def _watch(path, folder):
    import sys

    state, header = 4, 64
    monitoring = getattr(sys, "monitoring", None)
    with open(path, "r+b") as file:
        tools = [3, 4] if monitoring else []
        tools = [tool for tool in tools if monitoring.get_tool(tool) is None]
        if not tools:
            file.seek(state)
            file.write(b"\3" if monitoring else b"\2")
            return
        import mmap

        places = mmap.mmap(file.fileno(), 0)
    import binascii
    import os

    tool = tools[0]
    mask = len(places) - header - 1
    events, off = monitoring.events, monitoring.DISABLE
    library = os.path.dirname(os.__file__) + os.sep

    class Files(dict):
        """A number for each file, and whether it is a part of Python."""

        def __missing__(self, name):
            at = name[len(folder) :] if folder and name.startswith(folder) else name
            own = not name.startswith(library) or "site-packages" in name
            self[name] = found = binascii.crc32(at.encode("utf-8", "replace")), own and name[:1] != "<"
            return found

    files = Files()
    words = os.open(os.path.join(os.path.dirname(path), "words"), os.O_WRONLY | os.O_APPEND)

    def reach(number):
        place = header + (number & mask)
        if places[place] & 0x80:
            return off
        places[place] = 1
        places[0] = 1

    def line(code, number):
        return reach(files[code.co_filename][0] + number * 40503)

    def instruction(code, offset):
        return reach(files[code.co_filename][0] + code.co_firstlineno * 30011 + offset * 65537 // 2 + 1)

    def start(code, _):
        number, own = files[code.co_filename]
        if own:
            monitoring.set_local_events(tool, code, events.INSTRUCTION)
            if reach(number + code.co_firstlineno * 30011) is None:
                try:
                    tell(code.co_consts)
                except OSError:
                    pass
        return off

    def tell(constants):
        """Appends a line with each constant in hexadecimal: what the function may want to read from a client."""
        for one in constants:
            if isinstance(one, str):
                one = one.encode("utf-8", "replace")
            if isinstance(one, bytes) and 1 < len(one) <= 64:
                os.write(words, binascii.hexlify(one) + b"\n")
            elif isinstance(one, (tuple, frozenset)):
                tell(one)

    monitoring.use_tool_id(tool, "tcprove")
    monitoring.register_callback(tool, events.LINE, line)
    monitoring.register_callback(tool, events.INSTRUCTION, instruction)
    monitoring.register_callback(tool, events.PY_START, start)
    monitoring.set_events(tool, events.LINE | events.PY_START)
    places[state] = 1


def _hook(own):
    import os

    path = os.environ.get("TCPROVE_COVERAGE")
    if path and os.path.dirname(path) == own:
        _watch(path, os.environ.get("TCPROVE_COVERAGE_TMP"))
