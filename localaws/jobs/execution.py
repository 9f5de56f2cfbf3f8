"""Runs a job's child to its end: output to the logs, limits kept, stop requests obeyed."""

import fcntl
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event

from localaws import clock
from localaws.forkserver import server as forkserver
from localaws.forkserver.child_spec import ChildSpec
from localaws.forkserver.server import Child
from localaws.jobs.logs import Recorder
from localaws.jobs.state import End, Job, Status

_POLL_S = 0.1
_PIECE_BYTES = 1 << 16
_PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)
_REASON_LINES = 3

STOPPED, TIMED_OUT = "stopped", "timed out"


@dataclass
class Limits:
    """Times that the platform keeps."""

    # parity: AWS gives a job 120 seconds between SIGTERM and SIGKILL; a laptop's user waits for it.
    stop_grace_s: float = 10.0


LIMITS = Limits()
closing = Event()
"""Set when the server goes down: running jobs are abandoned, not finished."""


class Abandoned(Exception):
    """The server goes down; the job will never be finished."""


@dataclass(frozen=True)
class Result:
    """How a child ended."""

    exit_code: int
    """Negative: the signal that killed it."""
    cause: str
    """`exited`, `stopped` or `timed out`."""
    last_lines: list[str]

    @property
    def interrupted(self) -> bool:
        """Whether the platform ended it."""
        return self.cause in (STOPPED, TIMED_OUT)

    @property
    def status_code(self) -> int:
        """The exit code as a shell shows it."""
        return 128 - self.exit_code if self.exit_code < 0 else self.exit_code


def failure_text(result: Result) -> str:
    """The last lines printed, on which Python writes what went wrong."""
    lines = " ".join(result.last_lines[-_REASON_LINES:])
    return f"See job logs for more information. {lines}"[:900].rstrip()


def stopped_end(result: Result) -> End:
    """The end of a job that was stopped by request or by its time limit."""
    if result.cause == TIMED_OUT:
        return End(Status.STOPPED, "MaxRuntimeExceeded: the job ran into its MaxRuntimeInSeconds")
    return End(Status.STOPPED)


@dataclass(frozen=True)
class Helper:
    """A further child of a job, which the first one talks to."""

    child: Child
    connection: socket.socket


def execute(
    job: Job,
    spec: ChildSpec,
    recorder: Recorder,
    *,
    limit_s: float,
    helpers: Sequence[Helper] = (),
) -> Result:
    """Start the child and see it through; raises Abandoned when the server goes down."""
    child = forkserver.spawn(spec, [helper.connection.fileno() for helper in helpers])
    outputs = [child.output_fd, *(helper.child.output_fd for helper in helpers)]
    try:
        widen_pipe(child)
        cause = _follow(job, child, _Outputs(outputs, recorder), clock.Deadline(limit_s))
        recorder.close()
    finally:
        child.close()
    return Result(child.exit_code or 0, cause, recorder.last_lines(_REASON_LINES))


def widen_pipe(child: Child) -> None:
    """Let a chatty child run ahead of its reader, where the system has a call for it."""
    if _SET_PIPE_SIZE is not None:
        try:
            fcntl.fcntl(child.output_fd, _SET_PIPE_SIZE, _PIPE_BYTES)
        except OSError:
            return  # a user's pipes are limited together; the default size works too


class _Outputs:
    """What the children print, on its way to the recorder."""

    def __init__(self, fds: list[int], recorder: Recorder) -> None:
        self._open = fds
        self._recorder = recorder

    def wait(self, status: socket.socket, timeout_s: float) -> bool:
        """Take what is there or comes in time; True when the status has news."""
        ready = forkserver.readable([*self._open, status.fileno()], timeout_s)
        for fd in ready & set(self._open):
            self._read(fd)
        self._recorder.flush()
        return status.fileno() in ready

    def drain(self) -> None:
        """Take what dead children left, without waiting for strays that hold a pipe open."""
        while ready := forkserver.readable(self._open, 0.0):
            for fd in ready:
                self._read(fd)

    def _read(self, fd: int) -> None:
        try:
            piece = os.read(fd, _PIECE_BYTES)
        except BlockingIOError:
            return
        self._recorder.feed(piece)
        if not piece:
            self._open.remove(fd)


def _follow(job: Job, child: Child, outputs: _Outputs, deadline: clock.Deadline) -> str:
    """Read until the child ends; returns why it ended."""
    cause, kill_at = "exited", None
    while child.exit_code is None:
        if closing.is_set():
            raise Abandoned
        if outputs.wait(child.status, min(_POLL_S, deadline.remaining_s() or _POLL_S)):
            child.poll()
        if kill_at is None and (job.stop_wanted.is_set() or deadline.passed()):
            cause = STOPPED if job.stop_wanted.is_set() else TIMED_OUT
            child.signal_group("TERM")
            kill_at = clock.Deadline(LIMITS.stop_grace_s)
        elif kill_at is not None and kill_at.passed():
            child.signal_group("KILL")
    outputs.drain()
    return cause
