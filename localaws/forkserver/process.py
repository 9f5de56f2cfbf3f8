"""The process that imports the scientific stack once and then forks a child per job.

Run as `python -m localaws.forkserver.process CHANNEL_FD preload|plain`. It has one thread, so a
fork copies nothing half done. It kills all its children when the channel to the server closes, and
each child's process group when that child ends or is given up. Must not import moto or boto3.
"""

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import NoReturn

from localaws import container
from localaws.forkserver.child_spec import ChildSpec, receive_spec
from localaws.jobs import child as job_child

# What small jobs and model servers import; a script that needs more imports it itself.
STACK = (
    "numpy",
    "pandas",
    "joblib",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "sklearn.compose",
    "sklearn.preprocessing",
    "sklearn.impute",
    "sklearn.model_selection",
    "sklearn.metrics",
    "threadpoolctl",
    "argparse",
    "tarfile",
    "localaws.models.server",
    "localaws.models.batch_transform",
)


@dataclass
class Running:
    """A child and the socket on which its end is told."""

    pid: int
    status: socket.socket


class Forker:
    """Answers requests with forks until the channel closes."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._children: dict[int, Running] = {}
        self._selector = selectors.DefaultSelector()
        self._namespaces = container.namespaces_work()

    def serve(self) -> None:
        """Run until the server goes away; then kill what is left."""
        ended = _child_signals()
        self._selector.register(ended, selectors.EVENT_READ, "ended")
        self._selector.register(self._channel, selectors.EVENT_READ, "request")
        while self._step(ended):
            pass
        self._kill_all()

    def _step(self, ended: socket.socket) -> bool:
        for key, _events in self._selector.select():
            if key.data == "ended":
                ended.recv(4096)
                self._reap()
            elif key.data == "request":
                if not self._accept():
                    return False
            else:
                self._obey(key.data)
        return True

    def _accept(self) -> bool:
        try:
            received = receive_spec(self._channel)
        except ConnectionError:
            return False
        if received is None:
            return False
        spec, (status_fd, output_fd, *fds) = received
        self._fork(spec, socket.socket(fileno=status_fd), output_fd, fds)
        return True

    def _fork(self, spec: ChildSpec, status: socket.socket, output_fd: int, fds: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_child(spec, status, output_fd, fds)
        for fd in (output_fd, *fds):
            os.close(fd)
        running = Running(pid, status)
        self._children[pid] = running
        _tell(status, {"pid": pid})
        self._selector.register(status, selectors.EVENT_READ, running)

    def _become_child(
        self, spec: ChildSpec, status: socket.socket, output_fd: int, fds: list[int]
    ) -> NoReturn:
        # Sockets of the parent are closed by number below: their objects must not do it again
        # later.
        for owned in (status, self._channel, *(r.status for r in self._children.values())):
            owned.detach()
        self._selector.close()
        signal.set_wakeup_fd(-1)
        job_child.run(spec, output_fd, fds, namespaces=self._namespaces)

    def _obey(self, running: Running) -> None:
        """A byte from the server is a signal to send; the end of the stream means give up."""
        if running.pid not in self._children:
            return
        try:
            received = running.status.recv(16)
        except OSError:
            received = b""
        for number in received or bytes([signal.SIGKILL]):
            _signal_group(running.pid, number)
        if not received:
            self._selector.unregister(running.status)

    def _reap(self) -> None:
        for pid in list(self._children):
            if not _has_ended(pid):
                continue
            # The dead leader still holds the group's number, so this hits only its own children.
            _signal_group(pid, signal.SIGKILL)
            _pid, wait_status = os.waitpid(pid, 0)
            self._forget(pid, os.waitstatus_to_exitcode(wait_status))

    def _forget(self, pid: int, exit_code: int) -> None:
        running = self._children.pop(pid)
        _tell(running.status, {"exit": exit_code})
        if running.status in self._selector.get_map():
            self._selector.unregister(running.status)
        running.status.close()

    def _kill_all(self) -> None:
        for pid in self._children:
            _signal_group(pid, signal.SIGKILL)
        for pid in list(self._children):
            os.waitpid(pid, 0)


def _has_ended(pid: int) -> bool:
    """Whether the child is dead; it stays unreaped."""
    if not hasattr(os, "waitid"):
        # macOS before Python 3.13: look without taking is not offered, `ps` is.
        listed = ["ps", "-o", "stat=", "-p", str(pid)]
        shown = subprocess.run(listed, capture_output=True, check=False)
        return shown.stdout.strip().startswith(b"Z")
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _tell(status: socket.socket, message: dict[str, int]) -> None:
    try:
        status.sendall(json.dumps(message).encode() + b"\n")
    except OSError:
        return  # nobody listens any more


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        # Forked a moment ago and not yet the leader of a group.
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


def _child_signals() -> socket.socket:
    """A socket that becomes readable when a child ends."""
    readable, written = socket.socketpair()
    for end in (readable, written):
        end.setblocking(False)
    signal.set_wakeup_fd(written.detach(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return readable


def preload() -> None:
    """Import the stack; what is not installed is left to the script that wants it."""
    # pandas takes pyarrow where it is found: 60 MB that no script asked for, and a second thread,
    # with which a fork is not safe. SageMaker's image has none either.
    sys.modules["pyarrow"] = None  # type: ignore[assignment]
    for name in STACK:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    del sys.modules["pyarrow"]
    job_child.remember_thread_pools()
    gc.collect()
    gc.freeze()


def main(channel_fd: int, mode: str) -> None:
    """Serve the channel until it closes."""
    channel = socket.socket(fileno=channel_fd)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.path[0] == os.getcwd():
        # Put there by `-m`: a job must not import from the folder that the server was started in.
        del sys.path[0]
    if mode == "preload":
        preload()
    Forker(channel).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
