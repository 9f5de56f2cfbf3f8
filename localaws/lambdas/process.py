"""One warm process of one function: started, asked, stopped.

The process gets the function's own environment and nothing of the laptop's: no variable, no module,
no open file but its socket and its log. It ends by itself when the socket closes, so it cannot
outlive the server, however that ends.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from localaws.lambdas.function import FunctionSpec, Invocation, Outcome
from localaws.lambdas.log import CapturedLog, error_payload

_LENGTHS = struct.Struct(">II")
_BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
INTERPRETER = (sys.executable, "-I", "-S", "-B", "-u", "-X", "utf8")
_GRACE_S = 2.0


class Child(Protocol):
    """A process as far as it is needed here; subprocess.Popen is one."""

    @property
    def pid(self) -> int:
        """Process id."""

    def poll(self) -> int | None:
        """Exit code, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Exit code at its end; raises subprocess.TimeoutExpired."""


@dataclass(frozen=True)
class Birth:
    """What a new process starts with."""

    channel: int
    log: int
    environment: Mapping[str, str]
    folder: str


def spawned(birth: Birth) -> Child:
    """A process of its own, from nothing."""
    return subprocess.Popen(
        [*INTERPRETER, str(_BOOTSTRAP), str(birth.channel)],
        stdin=subprocess.DEVNULL,
        stdout=birth.log,
        stderr=birth.log,
        cwd=birth.folder,
        env=dict(birth.environment),
        pass_fds=(birth.channel,),
        start_new_session=True,
    )


class ProcessEnded(Exception):
    """The process ended instead of answering."""


class FunctionProcess:
    """A process that has, or soon will have, imported its handler."""

    def __init__(
        self,
        spec: FunctionSpec,
        paths: list[str],
        environment: Mapping[str, str],
        *,
        stream: str,
        begin: Callable[["Birth"], "Child"],
    ) -> None:
        self.spec = spec
        self.stream = stream
        self.used = False
        self.idle_since = time.monotonic()
        self.started_at = time.time()
        self.init_ms = 0.0
        self.init_error: bytes | None = None
        self._ready = False
        self._folder = Path(tempfile.mkdtemp(prefix="signalbox-lambda-"))
        self._log = CapturedLog(self._folder / "log")
        self._socket, theirs = socket.socketpair()
        own = {"HOME": str(self._folder), "TMPDIR": str(self._folder)}
        with theirs:
            birth = Birth(theirs.fileno(), self._log.descriptor, {**environment, **own}, paths[0])
            self._child = begin(birth)
        introduction = _introduction(spec, paths, stream)
        self._send({**introduction, "folder": str(self._folder)}, b"")

    @property
    def pid(self) -> int:
        """Process id."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether the process can still be asked."""
        return self._child.poll() is None

    def await_ready(self, limit_s: float) -> bool:
        """Wait for the end of the init phase; False when it took too long."""
        if self._ready:
            return True
        try:
            header, body = self._receive(limit_s)
        except TimeoutError:
            return False
        except ProcessEnded:
            self.init_error = self._exit_payload("")
            return True
        self._ready = True
        self.init_ms = (header.get("at", time.time()) - self.started_at) * 1000
        if header["kind"] == "init-error":
            self.init_error = body
        return True

    def ask(self, invocation: Invocation) -> tuple[Outcome, float, int]:
        """The outcome (its log still raw), the duration in ms, and the peak memory in MB."""
        limit_s = self.spec.timeout_s
        started, ends_at = time.perf_counter(), time.time() + limit_s
        peak_kb = 0
        try:
            self._send(_request(invocation, ends_at), invocation.payload)
            header, body = self._receive(limit_s)
            failed, peak_kb = header["kind"] != "result", header["peakKb"]
        except TimeoutError:
            self.kill()
            body, failed = self._timeout_payload(invocation.request_id), True
        except (ProcessEnded, BrokenPipeError, ConnectionResetError):
            body, failed = self._exit_payload(invocation.request_id), True
        self.used = True
        duration_ms = (time.perf_counter() - started) * 1000
        kind = json.loads(body).get("errorType", "") if failed else ""
        outcome = Outcome(body, failed, self._log.take(), kind)
        return outcome, duration_ms, peak_kb // 1024

    def early_log(self) -> str:
        """What the init phase wrote."""
        return self._log.take()

    def kill(self) -> None:
        """End the process now, with all it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait(_GRACE_S)

    def close(self) -> None:
        """Stop the process and remove what it left on disk."""
        self._socket.close()
        self.kill()
        self._log.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _timeout_payload(self, request_id: str) -> bytes:
        text = f"Error: Task timed out after {self.spec.timeout_s:.2f} seconds"
        return error_payload("Sandbox.Timedout", f"RequestId: {request_id} {text}")

    def _exit_payload(self, request_id: str) -> bytes:
        """Only the process's end explains a closed socket."""
        try:
            code = self._child.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            code = -signal.SIGKILL
        reason = f"signal: {signal.strsignal(-code)}".lower() if code < 0 else f"exit status {code}"
        text = f"Runtime exited with error: {reason}"
        if code == 0:
            text = "Runtime exited without providing a reason"
        prefix = f"RequestId: {request_id} Error: " if request_id else ""
        return error_payload("Runtime.ExitError", f"{prefix}{text}")

    def _send(self, header: Mapping[str, Any], body: bytes) -> None:
        head = json.dumps(header).encode()
        self._socket.settimeout(None)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(_LENGTHS.pack(len(head), len(body)) + head + body)

    def _receive(self, limit_s: float) -> tuple[dict[str, Any], bytes]:
        ends = time.monotonic() + limit_s
        head, body = _LENGTHS.unpack(self._read(_LENGTHS.size, ends))
        header: dict[str, Any] = json.loads(self._read(head, ends))
        return header, self._read(body, ends)

    def _read(self, size: int, ends: float) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            self._socket.settimeout(max(0.001, ends - time.monotonic()))
            try:
                piece = self._socket.recv(min(size - len(parts), 1 << 20))
            except ConnectionResetError as error:
                raise ProcessEnded from error
            if not piece:
                raise ProcessEnded
            parts += piece
        return bytes(parts)


def _introduction(spec: FunctionSpec, paths: list[str], stream: str) -> dict[str, Any]:
    return {
        "name": spec.name,
        "version": spec.version,
        "memoryMb": spec.memory_mb,
        "handler": spec.handler,
        "logGroup": spec.log_group,
        "logStream": stream,
        "logFormat": spec.log_format,
        "paths": paths,
    }


def _request(invocation: Invocation, ends_at: float) -> dict[str, Any]:
    root = f"1-{int(time.time()):08x}-{invocation.request_id.replace('-', '')[:24]}"
    context = invocation.client_context
    return {
        "requestId": invocation.request_id,
        "arn": invocation.invoked_arn,
        "deadlineMs": ends_at * 1000,
        "traceId": f"Root={root};Parent={root[-16:]};Sampled=0",
        "clientContext": json.loads(context) if context else None,
    }
