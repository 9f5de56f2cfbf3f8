"""The process that forks functions; see nursery.py, which starts and asks it.

Started as `python -I -S -B -u nursery_process.py FD`; standard library only, nothing of the
project but bootstrap.py beside it, which the forked children go on with. FD is a socket to
the laptop's AWS: orders come in (a length, JSON, two descriptors), births and ends go out (JSON
lines). When it closes, this process ends.
"""

import contextlib
import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from types import ModuleType
from typing import Any

_LENGTHS = struct.Struct(">II")


def main() -> None:
    """Fork until the socket closes; a child goes on as the process of one function."""
    bootstrap = _bootstrap()
    descriptor = raise_children(socket.socket(fileno=int(sys.argv[1])))
    bootstrap.serve(bootstrap.Channel(descriptor))


def _bootstrap() -> ModuleType:
    """bootstrap.py, without putting its folder on the path of the functions."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bootstrap.py")
    found = importlib.util.spec_from_file_location("lambda_bootstrap", path)
    if found is None or found.loader is None:
        raise ImportError(path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def raise_children(control: socket.socket) -> int:
    """Import what was asked for, then fork a child per request; returns its socket in the child."""
    order, _ = _receive_order(control)
    sys.path[:0] = order["paths"]
    for name in order["modules"]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    ends_of_children, wake = socket.socketpair()
    for end in (ends_of_children, wake):
        end.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        readable, _, _ = select.select([control, ends_of_children], [], [])
        if ends_of_children in readable:
            ends_of_children.recv(4096)
            _report_ends(control)
        if control in readable:
            order, descriptors = _receive_order(control)
            if _is_child(control, descriptors):
                for end in (control, ends_of_children, wake):
                    end.close()
                return _become(order, descriptors)


def _is_child(control: socket.socket, descriptors: list[int]) -> bool:
    """Fork; True in the child. The parent tells who was born."""
    child = os.fork()
    if child == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        return True
    for descriptor in descriptors:
        os.close(descriptor)
    _tell(control, {"born": child})
    return False


def _become(order: dict[str, Any], descriptors: list[int]) -> int:
    """In a new child: its own session, log, folder and environment."""
    channel, log = descriptors
    os.setsid()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    os.chdir(order["folder"])
    importlib.invalidate_caches()
    return channel


def _receive_order(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    lengths, descriptors, _, _ = socket.recv_fds(control, _LENGTHS.size, 2)
    if len(lengths) < _LENGTHS.size:
        os._exit(0)
    size, _ = _LENGTHS.unpack(lengths)
    text = b""
    while len(text) < size:
        text += control.recv(size - len(text))
    return json.loads(text), descriptors


def _report_ends(control: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            child, status = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                return
            _tell(control, {"ended": child, "code": os.waitstatus_to_exitcode(status)})


def _tell(control: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):
        control.sendall(json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
