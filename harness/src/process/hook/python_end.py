

def _begin():
    import os
    import sys

    own = os.path.dirname(os.path.abspath(__file__))
    try:
        _hook(own)
    except Exception:
        pass
    # The server's own sitecustomize, as if this one did not exist.
    sys.path[:] = [one for one in sys.path if os.path.abspath(one) != own]
    hidden = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize
    except ImportError as error:
        if getattr(error, "name", None) not in (None, "sitecustomize"):
            raise
    finally:
        sys.modules.setdefault("sitecustomize", hidden)


_begin()
