"""What a function writes: captured from its process, framed as Lambda frames it, sent to Logs.

Sending is done with the function's own role, as on AWS: a role that may not write logs has none.
"""

import contextlib
import json
import logging
import os
import queue
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws import clients
from localaws.errors import LocalAwsError
from localaws.lambdas.function import FunctionSpec

PRINCIPAL = "lambda.amazonaws.com"
_CAPTURE_LIMIT_BYTES = 4_000_000  # parity: more of one invocation is cut; AWS would keep it
_EVENT_LIMIT_BYTES = 250_000  # CloudWatch Logs, PutLogEvents: 256 KB per event
_BATCH_LIMIT_BYTES = 900_000  # the same: 1 MB and 10,000 events per batch
_BATCH_LIMIT_EVENTS = 9_000
_STOP = None

_log = logging.getLogger("localaws.lambdas")


def error_payload(kind: str, message: str) -> bytes:
    """The description of an error that the platform, not the function, found."""
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


class CapturedLog:
    """A nameless file that the process appends to; read after each answer, so nothing is missed."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL
        self.descriptor = os.open(path, flags, 0o600)
        path.unlink()
        self._offset = 0

    def take(self) -> str:
        """What was written since the last time; the file is emptied."""
        size = os.fstat(self.descriptor).st_size - self._offset
        content = os.pread(self.descriptor, min(size, _CAPTURE_LIMIT_BYTES), self._offset)
        self._offset += size
        if size > _CAPTURE_LIMIT_BYTES:
            content += f"\n[{size - len(content)} more bytes were dropped]\n".encode()
        if self._offset > _CAPTURE_LIMIT_BYTES:
            os.ftruncate(self.descriptor, 0)
            self._offset = 0
        return content.decode("utf-8", "replace")

    def close(self) -> None:
        """Free the file."""
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


@dataclass(frozen=True)
class Measured:
    """Numbers of one invocation for its REPORT line; `init_ms` 0 when it was warm."""

    duration_ms: float
    init_ms: float
    peak_mb: int


def framed(spec: FunctionSpec, request_id: str, text: str, measured: Measured, end: str) -> str:
    """The log of one invocation; `end` is an AWS message about its end, "" when it just ended."""
    if spec.log_format == "JSON":
        return _framed_json(spec, request_id, text, measured, end)
    body = text if not text or text.endswith("\n") else f"{text}\n"
    ending = f"{_now()} {request_id} {end}\n\n" if end else ""
    report = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {measured.duration_ms:.2f} ms",
        f"Billed Duration: {int(measured.duration_ms + measured.init_ms) + 1} ms",
        f"Memory Size: {spec.memory_mb} MB",
        f"Max Memory Used: {measured.peak_mb} MB",
    ]
    if measured.init_ms:
        report.append(f"Init Duration: {measured.init_ms:.2f} ms")
    return (
        f"START RequestId: {request_id} Version: {spec.version}\n{body}{ending}"
        f"END RequestId: {request_id}\n" + "\t".join(report) + "\t\n"
    )


def _framed_json(
    spec: FunctionSpec, request_id: str, text: str, measured: Measured, end: str
) -> str:
    metrics = {
        "durationMs": round(measured.duration_ms, 3),
        "billedDurationMs": int(measured.duration_ms + measured.init_ms) + 1,
        "memorySizeMB": spec.memory_mb,
        "maxMemoryUsedMB": measured.peak_mb,
    }
    if measured.init_ms:
        metrics["initDurationMs"] = round(measured.init_ms, 3)
    start = {"requestId": request_id, "version": spec.version}
    status = {"requestId": request_id, "status": "error" if end else "success", "metrics": metrics}
    if end:
        status["errorMessage"] = end
    lines = [_platform("platform.start", start)]
    lines += [line for line in text.split("\n") if line]
    lines.append(_platform("platform.report", status))
    return "\n".join(lines) + "\n"


def _platform(kind: str, record: dict[str, Any]) -> str:
    return json.dumps({"time": _now(), "type": kind, "record": record})


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def stream_name(spec: FunctionSpec, process_id: str) -> str:
    """Name of the log stream of one process."""
    return f"{datetime.now(UTC):%Y/%m/%d}/[{spec.version}]{process_id}"


@dataclass(frozen=True)
class _Entry:
    spec: FunctionSpec
    stream: str
    events: tuple[tuple[int, str], ...]


class LogWriter:
    """Sends logs to CloudWatch Logs one after the other, beside the invocations."""

    def __init__(self) -> None:
        self._entries: queue.Queue[_Entry | None] = queue.Queue()
        self._streams: set[tuple[str, str, str]] = set()
        self._thread = threading.Thread(target=self._work, name="lambda-logs", daemon=True)
        self._thread.start()

    def write(self, spec: FunctionSpec, stream: str, text: str) -> None:
        """Send each line of `text` as one event."""
        now_ms = int(time.time() * 1000)
        lines = [line for line in text.split("\n") if line.strip()]
        events = tuple((now_ms, line[:_EVENT_LIMIT_BYTES]) for line in lines)
        if events:
            self._entries.put(_Entry(spec, stream, events))

    def flush(self) -> None:
        """Wait until everything written so far has been sent."""
        self._entries.join()

    def stop(self) -> None:
        """Send what is left, then end."""
        self._entries.put(_STOP)
        self._thread.join(timeout=5)

    def _work(self) -> None:
        while (entry := self._entries.get()) is not _STOP:
            try:
                self._send(entry)
            except (ClientError, LocalAwsError) as error:
                # As on AWS: a function whose role may not write logs runs all the same.
                _log.warning("the log of %s is lost: %s", entry.spec.name, error)
            finally:
                self._entries.task_done()
        self._entries.task_done()

    def _send(self, entry: _Entry) -> None:
        spec = entry.spec
        logs = clients.client_as(
            spec.role_arn, PRINCIPAL, "logs", region=spec.region, session_name=spec.name
        )
        self._ensure_stream(logs, entry)
        for batch in _batches(entry.events):
            logs.put_log_events(
                logGroupName=spec.log_group,
                logStreamName=entry.stream,
                logEvents=[{"timestamp": at, "message": line} for at, line in batch],
            )

    def _ensure_stream(self, logs: Any, entry: _Entry) -> None:
        spec = entry.spec
        key = (spec.account, spec.log_group, entry.stream)
        if key in self._streams:
            return
        place = {"logGroupName": spec.log_group, "logStreamName": entry.stream}
        try:
            logs.create_log_stream(**place)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            logs.create_log_group(logGroupName=spec.log_group)
            logs.create_log_stream(**place)
        self._streams.add(key)


def _batches(events: tuple[tuple[int, str], ...]) -> list[list[tuple[int, str]]]:
    batches: list[list[tuple[int, str]]] = [[]]
    size = 0
    for event in events:
        length = len(event[1].encode()) + 26
        full = size + length > _BATCH_LIMIT_BYTES or len(batches[-1]) >= _BATCH_LIMIT_EVENTS
        if batches[-1] and full:
            batches.append([])
            size = 0
        batches[-1].append(event)
        size += length
    return batches
