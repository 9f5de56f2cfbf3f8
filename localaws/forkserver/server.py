"""Starts child processes for jobs and model servers from a parent that imported scikit-learn once.

Importing the scientific stack is most of a small job's time. `start()` launches one separate
process (see `localaws.forkserver.process`) that imports it in the background; `spawn()` then costs
a fork. Call `start()` before moto is imported, so that the two imports run side by side.

Standard library only, so that importing this module costs nothing. Where the stack cannot be
preloaded (LOCALAWS_PRELOAD=0, or not Linux: forking after Accelerate or Objective-C has been loaded
is not safe) the same process forks without it and every script pays its own imports.
"""

import atexit
import json
import math
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from localaws.forkserver.child_spec import ChildSpec, send_spec

_LONGEST_POLL_S = 3600.0
_STOP_SIGNALS = {"TERM": signal.SIGTERM, "KILL": signal.SIGKILL}


def readable(fds: list[int], timeout_s: float) -> set[int]:
    """Which of the descriptors have something to read, or have ended, within the time.

    Not `select`, which refuses descriptors from 1024 on: a busy server has more.
    """
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return {fd for fd, _events in poll.poll(max(0, math.ceil(timeout_s * 1000)))}


@dataclass
class Child:
    """A running child: its output to read, its end to wait for."""

    status: socket.socket
    output_fd: int
    pid: int | None = None
    exit_code: int | None = None
    _pending: bytes = field(default=b"", repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def poll(self, timeout_s: float = 0.0) -> int | None:
        """The exit code once the child has ended (negative: the signal), else None."""
        with self._lock:
            if self.exit_code is None and readable([self.status.fileno()], timeout_s):
                self._read_status()
            return self.exit_code

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Block until the end; None when `timeout_s` passed first."""
        ends = math.inf if timeout_s is None else time.monotonic() + timeout_s
        while self.exit_code is None and time.monotonic() < ends:
            self.poll(min(_LONGEST_POLL_S, ends - time.monotonic()))
        return self.exit_code

    def signal_group(self, name: str) -> None:
        """Send TERM or KILL to the child and everything it started."""
        try:
            self.status.send(bytes([_STOP_SIGNALS[name]]))
        except OSError:
            return  # it ended meanwhile, which is what the caller wants

    @property
    def is_closed(self) -> bool:
        """Whether it was given up."""
        return self.output_fd < 0

    def close(self) -> None:
        """Give the child up: what still runs of it is killed."""
        self.status.close()
        if self.output_fd >= 0:
            os.close(self.output_fd)
            self.output_fd = -1

    def _read_status(self) -> None:
        received = self.status.recv(1024)
        self._pending += received
        *lines, self._pending = self._pending.split(b"\n")
        for line in lines:
            message: dict[str, Any] = json.loads(line)
            self.pid = message.get("pid", self.pid)
            self.exit_code = message.get("exit", self.exit_code)
        if not received and self.exit_code is None:
            self.exit_code = -int(signal.SIGKILL)


class ForkServer:
    """One fork server process and the channel to it."""

    def __init__(self, *, preload: bool) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._channel = ours
        self._lock = threading.Lock()
        self._was_asked = False
        self._children: list[Child] = []
        self.used_at = time.monotonic()
        with theirs:
            self.process = subprocess.Popen(
                _command(theirs.fileno(), preload=preload),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # Ctrl-C reaches the whole foreground group: the server decides, not its children.
                start_new_session=True,
                env=_process_environment(),
            )

    def spawn(self, spec: ChildSpec, fds: list[int] | None = None) -> Child:
        """Fork one child; its stdout and stderr arrive on `output_fd`, `fds` become 3, 4, ..."""
        status, their_status = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        output_fd, their_output = os.pipe()
        os.set_blocking(output_fd, False)
        try:
            with self._lock:
                self._was_asked = True
                passed = [their_status.fileno(), their_output, *(fds or [])]
                send_spec(self._channel, spec, passed)
                child = Child(status, output_fd)
                self._children = [*self._living(), child]
        finally:
            their_status.close()
            os.close(their_output)
        return child

    def _living(self) -> list[Child]:
        return [child for child in self._children if not child.is_closed]

    def is_idle(self, longest_idle_s: float) -> bool:
        """Whether it has no child, and nobody has asked for one that long."""
        return not self._living() and time.monotonic() - self.used_at >= longest_idle_s

    def alive(self) -> bool:
        """Whether the process is still there."""
        return self.process.poll() is None

    def stop(self) -> None:
        """End the process and, with it, every child."""
        self._channel.close()
        if not self._was_asked:
            # No child to end, and it would not hear of it before its imports are done.
            self.process.kill()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


_guard = threading.Lock()
_current: ForkServer | None = None


def start() -> None:
    """Launch the fork server unless it runs; returns at once, the imports go on behind."""
    _server()


def spawn(spec: ChildSpec, fds: list[int] | None = None) -> Child:
    """Fork a child for `spec`, starting the fork server when it is not there (any more)."""
    return _server().spawn(spec, fds)


def stop() -> None:
    """End the fork server and every child; `start` may follow."""
    global _current
    with _guard:
        server, _current = _current, None
    if server is not None:
        server.stop()


def retire_idle(longest_idle_s: float = 0.0) -> None:
    """End a fork server that nobody has needed that long; the next `start` or `spawn` makes one."""
    global _current  # noqa: PLW0603 - one fork server per process
    with _guard:
        server = _current
        if server is None or not server.is_idle(longest_idle_s):
            return
        _current = None
    server.stop()


def process_id() -> int | None:
    """The fork server's pid, for measurements; None when it does not run."""
    return _current.process.pid if _current is not None else None


def _server() -> ForkServer:
    global _current  # noqa: PLW0603 - one fork server per process
    with _guard:
        if _current is None or not _current.alive():
            _current = ForkServer(preload=_may_preload())
        _current.used_at = time.monotonic()
        return _current


def _may_preload() -> bool:
    return sys.platform == "linux" and os.environ.get("LOCALAWS_PRELOAD", "1") != "0"


def _command(channel_fd: int, *, preload: bool) -> list[str]:
    mode = "preload" if preload else "plain"
    return [sys.executable, "-m", "localaws.forkserver.process", str(channel_fd), mode]


def _process_environment() -> dict[str, str]:
    """The server's environment with one thread per library: threads must not exist at a fork."""
    single = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    # OpenBLAS threads would spin for tens of milliseconds before they sleep: 2**4 cycles do.
    single["OPENBLAS_THREAD_TIMEOUT"] = "4"
    return {**os.environ, **single}


atexit.register(stop)
