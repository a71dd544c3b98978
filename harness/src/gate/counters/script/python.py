"""Tells tcprove what each function of a server costs: how often it is called, and its own CPU time with that of what it calls in C.

SIGVTALRM begins, and the next one writes a file and ends the server: a line for each function in each place from which it is called,
with its depth, its own nanoseconds, its calls, 1 if it is a part of a library, its name, its file unless that is the main one, and its
place, separated by tabs. The clock does not count the time in this hook.
"""


def _hook(_):
    import os
    import signal
    import sys
    import threading
    from time import thread_time_ns as clock

    path = os.environ.get("TCPROVE_PROFILE")
    if not path:
        return
    threads = []
    places_max = 20000
    count = 0
    has_begun = False

    class Place(dict):
        """A function where it is called: by what it calls, with its own nanoseconds and calls."""

        __slots__ = ("code", "own", "calls")

        def __init__(self, code):
            self.code, self.own, self.calls = code, 0, 0
            nonlocal count
            count += 1

    def profiler():
        root = Place(None)
        threads.append(root)
        live = {}
        last = clock()

        def place_of(frame):
            """Where a frame is that was there before the hook, or was resumed."""
            if frame is None:
                return root
            found = live.get(frame)
            if found is None:
                found = live[frame] = below(place_of(frame.f_back), frame.f_code)
            return found

        def below(place, code):
            found = place.get(code)
            if found is None:
                if count > places_max:
                    return place
                found = place[code] = Place(code)
            return found

        def event(frame, what, _):
            nonlocal last
            if what == "return":
                now = clock()
                place_of(frame).own += now - last
                del live[frame]
            elif what == "call":
                now = clock()
                above = place_of(frame.f_back)
                above.own += now - last
                here = live[frame] = below(above, frame.f_code)
                here.calls += 1
            else:
                # What it calls in C counts for the function.
                return
            last = clock()

        return event

    def begin(frame, what, argument):
        event = profiler()
        sys.setprofile(event)
        event(frame, what, argument)

    own = profiler.__code__.co_filename
    library = os.path.dirname(os.__file__) + os.sep

    def is_library(file):
        return file.startswith((library, "<frozen")) or "site-packages" in file or "dist-packages" in file

    def told(code, main):
        file = code.co_filename
        parts = file.split(os.sep)
        short = os.sep.join(parts[-2:] if parts[-1] == "__init__.py" else parts[-1:])
        name = getattr(code, "co_qualname", code.co_name).replace("<locals>.", "")
        is_main = main is not None and os.path.abspath(file) == main
        place = "%s:%d" % (short, code.co_firstlineno)
        return [1 if is_library(file) else 0, name, "" if is_main else short, place]

    def reset():
        waiting = list(threads)
        while waiting:
            place = waiting.pop()
            place.own = place.calls = 0
            waiting.extend(list(place.values()))

    def write():
        sys.setprofile(None)
        lines = []
        main = getattr(sys.modules.get("__main__"), "__file__", None)
        main = main and os.path.abspath(main)

        def add(place, depth):
            if place.code.co_filename == own:
                return
            columns = [depth, place.own, place.calls] + told(place.code, main)
            lines.append("\t".join(" ".join(str(column).split()) for column in columns) + "\n")
            for below in list(place.values()):
                add(below, depth + 1)

        sys.setrecursionlimit(max(sys.getrecursionlimit(), 20000))
        for root in threads:
            for below in list(root.values()):
                add(below, 0)
        part = os.path.join(path, "part.%d" % os.getpid())
        with open(part, "w", encoding="utf-8", errors="replace") as file:
            file.writelines(lines)
        os.rename(part, os.path.join(path, "script.%d" % os.getpid()))
        os._exit(0)

    def signalled(*_):
        nonlocal has_begun
        if has_begun:
            write()
        has_begun = True
        reset()
        open(os.path.join(path, "begun.%d" % os.getpid()), "w").close()

    signal.signal(signal.SIGVTALRM, signalled)
    # What was counted before the fork is the parent's.
    os.register_at_fork(after_in_child=reset)
    threading.setprofile(begin)
    sys.setprofile(begin)
