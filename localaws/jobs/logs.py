"""Turns what a job prints into CloudWatch Logs events, bounded in memory, volume and time.

A script may print 100 MB: the first `MAX_KEPT_BYTES` of it become log events, the rest is counted
and dropped, and the last lines are kept for the end of the stream and for the failure reason.
Written with the job role's credentials, as on AWS; a role without logs permissions leaves no logs
and the job goes on.
"""

import re
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from localaws import clock
from localaws.jobs.transfer import Courier

MAX_KEPT_BYTES = 4 << 20
_MAX_LINE_BYTES = 16 << 10
_BATCH_BYTES = 256 << 10
_BATCH_EVENTS = 2_000
_FLUSH_AFTER_S = 0.3
_TAIL_LINES = 50


@dataclass(frozen=True)
class Metric:
    """A value that a script printed, found by a metric definition."""

    name: str
    value: float
    at: datetime


@dataclass(frozen=True)
class MetricDefinition:
    """A name and the pattern whose first group is its value."""

    name: str
    pattern: re.Pattern[str]

    @classmethod
    def compiled(cls, name: str, regex: str) -> "MetricDefinition":
        """The definition as the API gives it."""
        return cls(name, re.compile(regex))


class LogStream:
    """One stream of one log group."""

    def __init__(self, courier: Courier, group: str, name: str) -> None:
        self._courier = courier
        self.group = group
        self.name = name
        self._state = "new"

    def write(self, events: list[dict[str, Any]]) -> None:
        """Append events; does nothing any more once the role has been refused."""
        if self._state == "refused" or not events:
            return
        try:
            if self._state == "new":
                self._create()
            self._logs.put_log_events(
                logGroupName=self.group, logStreamName=self.name, logEvents=events
            )
        except ClientError:
            # As on AWS: logs that the role may not write are lost, the job is not.
            self._state = "refused"

    @property
    def _logs(self) -> Any:
        return self._courier.client("logs")

    def _create(self) -> None:
        if not _groups.known(self._courier.account, self._courier.region, self.group):
            self._quietly("create_log_group", logGroupName=self.group)
            _groups.add(self._courier.account, self._courier.region, self.group)
        self._quietly("create_log_stream", logGroupName=self.group, logStreamName=self.name)
        self._state = "open"

    def _quietly(self, operation: str, **parameters: str) -> None:
        try:
            getattr(self._logs, operation)(**parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                raise


class _Groups:
    """Log groups made already, so that each job need not ask again."""

    def __init__(self) -> None:
        self._made: set[tuple[str, str, str]] = set()

    def known(self, *key: str) -> bool:
        return key in self._made

    def add(self, *key: str) -> None:
        self._made.add(key)  # type: ignore[arg-type]

    def clear(self) -> None:
        self._made.clear()


_groups = _Groups()


def forget_groups() -> None:
    """After the store of logs was emptied."""
    _groups.clear()


@dataclass
class Recorder:
    """Takes a child's output in pieces; keeps lines, metrics and the tail."""

    stream: LogStream
    limit_bytes: int = MAX_KEPT_BYTES
    definitions: Sequence[MetricDefinition] = ()
    metrics: dict[str, Metric] = field(default_factory=dict)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL_LINES))
    _partial: bytes = b""
    _batch: list[dict[str, Any]] = field(default_factory=list)
    _batch_bytes: int = 0
    _kept_bytes: int = 0
    _dropped_bytes: int = 0
    _last_flush: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def feed(self, piece: bytes) -> None:
        """Take the next piece of output."""
        with self._lock:
            if self._kept_bytes >= self.limit_bytes:
                self._drop(piece)
                return
            *lines, self._partial = (self._partial + piece).split(b"\n")
            for line in lines:
                self._keep(line)
            if len(self._partial) > _MAX_LINE_BYTES:
                self._keep(self._partial)
                self._partial = b""

    def line(self, text: str) -> None:
        """Add a line of the platform's own."""
        with self._lock:
            self._keep(text.encode())

    def flush(self, *, force: bool = False) -> None:
        """Write what has gathered, if it is time."""
        due = time.monotonic() - self._last_flush >= _FLUSH_AFTER_S
        if self._batch and (force or due):
            self._write()

    def close(self) -> None:
        """Write the rest; state what was left out."""
        with self._lock:
            partial, self._partial = self._partial, b""
            if self._dropped_bytes:
                self._close_truncated(partial)
            elif partial:
                self._keep(partial)
            self._write()

    def last_lines(self, count: int) -> list[str]:
        """The last lines that say something: neither empty nor a traceback's underlining."""
        return [line.strip() for line in self.tail if line.strip(" ^~")][-count:]

    def _keep(self, line: bytes) -> None:
        for start in range(0, max(len(line), 1), _MAX_LINE_BYTES):
            self._append(line[start : start + _MAX_LINE_BYTES].decode("utf-8", "replace"))
        self._kept_bytes += len(line) + 1

    def _append(self, text: str) -> None:
        text = text.rstrip("\r")
        self.tail.append(text)
        self._measure(text)
        # CloudWatch refuses empty messages.
        self._batch.append(
            {"timestamp": int(clock.now().timestamp() * 1000), "message": text or " "}
        )
        self._batch_bytes += len(text) + 26
        if self._batch_bytes >= _BATCH_BYTES or len(self._batch) >= _BATCH_EVENTS:
            self._write()

    def _measure(self, text: str) -> None:
        for definition in self.definitions:
            for found in definition.pattern.finditer(text):
                try:
                    value = float(found.group(1))
                except (ValueError, IndexError, TypeError):
                    continue
                self.metrics[definition.name] = Metric(definition.name, value, clock.now())

    def _drop(self, piece: bytes) -> None:
        self._dropped_bytes += len(piece)
        # Enough of the end for the tail; splitting all of it would cost more than the job.
        self._partial = (self._partial + piece)[-_MAX_LINE_BYTES:]

    def _close_truncated(self, partial: bytes) -> None:
        note = (
            f"[the laptop's AWS keeps {self.limit_bytes} bytes of this output; "
            f"{self._dropped_bytes} bytes were left out here, the last lines follow]"
        )
        self._dropped_bytes = 0
        self._append(note)
        for line in partial.split(b"\n")[1:]:
            if line:
                self._append(line.decode("utf-8", "replace"))

    def _write(self) -> None:
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        self._last_flush = time.monotonic()
        self.stream.write(batch)
