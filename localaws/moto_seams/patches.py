"""What the laptop replaces in moto, and how it is put back when the laptop stops.

Classes and modules of moto belong to the process: without this a test (or a second laptop) after
the first one would meet a moto that calls a server which is gone. Imports nothing of moto.
"""

import threading
from collections.abc import Callable, MutableMapping
from typing import Any

_undo: list[Callable[[], None]] = []
_lock = threading.Lock()


def replace(owner: Any, name: str, value: object) -> Any:
    """Set a name that must exist on a class or module until `restore`; what it was comes back."""
    found = getattr(owner, name)
    own = vars(owner)
    # The raw attribute: of a static method `getattr` gives the function within.
    before = own.get(name)
    undo = _set_back(owner, name, before) if name in own else _remove(owner, name)
    with _lock:
        _undo.append(undo)
    setattr(owner, name, value)
    return found


def add(owner: Any, name: str, value: object) -> None:
    """Set a name that `owner` may not have, until `restore`."""
    if hasattr(owner, name):
        replace(owner, name, value)
        return
    with _lock:
        _undo.append(_remove(owner, name))
    setattr(owner, name, value)


def put(mapping: MutableMapping[Any, Any], key: str, value: object) -> None:
    """Set an item of a dictionary (or of the environment), until `restore`."""
    existed, before = key in mapping, mapping.get(key)

    def undo() -> None:
        if existed:
            mapping[key] = before
        else:
            mapping.pop(key, None)

    with _lock:
        _undo.append(undo)
    mapping[key] = value


def restore() -> None:
    """Put everything back as moto has it, the last replacement first."""
    with _lock:
        undo, _undo[:] = _undo[::-1], []
    for step in undo:
        step()


def _set_back(owner: Any, name: str, before: object) -> Callable[[], None]:
    return lambda: setattr(owner, name, before)


def _remove(owner: Any, name: str) -> Callable[[], None]:
    return lambda: delattr(owner, name)
