"""The process in which one function runs: imports its handler once, then answers invocations.

Started as `python -I -S -B -u bootstrap.py FD` so that nothing of the laptop itself is
importable; standard library only, nothing of the project. FD is a socket to the laptop's AWS:
frames of two lengths (header, body), a JSON header and a body. The first frame says what to run.
When the socket closes, the laptop is gone and so is this process.

Messages and error types are those of AWS's Python runtime (Lambda Developer Guide, "AWS Lambda
function errors in Python"; aws-lambda-python-runtime-interface-client).
"""

import decimal
import importlib
import json
import logging
import os
import queue
import resource
import site
import socket
import struct
import sys
import threading
import time
import traceback
from datetime import UTC, datetime
from typing import Any

_LENGTHS = struct.Struct(">II")
_FRAMES_OF_OURS = 1


class Context:
    """The second argument of a handler."""

    def __init__(self, request: dict[str, Any], function: dict[str, Any]) -> None:
        self.aws_request_id: str = request["requestId"]
        self.invoked_function_arn: str = request["arn"]
        self.function_name: str = function["name"]
        self.function_version: str = function["version"]
        self.memory_limit_in_mb: str = str(function["memoryMb"])
        self.log_group_name: str = function["logGroup"]
        self.log_stream_name: str = function["logStream"]
        self.client_context: Any = request.get("clientContext")
        self.identity = Identity()
        self.tenant_id: str | None = None
        self._deadline_ms: float = request["deadlineMs"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is stopped."""
        return max(0, int(self._deadline_ms - time.time() * 1000))

    def log(self, message: object) -> None:
        """Write to the function's log as it is."""
        sys.stdout.write(str(message))


class Identity:
    """Who called a function of a mobile application; nobody here."""

    cognito_identity_id: str | None = None
    cognito_identity_pool_id: str | None = None


class Channel:
    """Frames to and from the laptop's AWS, read by a thread of its own to notice its end."""

    def __init__(self, descriptor: int) -> None:
        self.folder = ""
        self._socket = socket.socket(fileno=descriptor)
        self._frames: queue.SimpleQueue[tuple[dict[str, Any], bytes]] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="laptop", daemon=True).start()

    def next(self) -> tuple[dict[str, Any], bytes]:
        """The next frame; waits for it."""
        return self._frames.get()

    def send(self, header: dict[str, Any], body: bytes = b"") -> None:
        """Send one frame."""
        head = json.dumps(header).encode()
        self._socket.sendall(_LENGTHS.pack(len(head), len(body)) + head + body)

    def _read(self) -> None:
        with self._socket.makefile("rb") as stream:
            while lengths := stream.read(_LENGTHS.size):
                head, body = _LENGTHS.unpack(lengths)
                self._frames.put((json.loads(stream.read(head)), stream.read(body)))
        self._tidy()
        os._exit(0)

    def _tidy(self) -> None:
        """Nobody is left to remove this process's folder."""
        import shutil

        shutil.rmtree(self.folder, ignore_errors=True)


class InitFailed(Exception):
    """The handler cannot be had; carries the error AWS would show."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.trace = trace or []


def main() -> None:
    """Serve until the socket closes."""
    if os.environ.get("LC_CTYPE") == "C.UTF-8":
        del os.environ["LC_CTYPE"]  # set by Python itself where the locale of LANG is missing
    serve(Channel(int(sys.argv[1])))


def serve(channel: Channel) -> None:
    """Import the handler, then answer one invocation after the other."""
    site.setquit()
    function, _ = channel.next()
    channel.folder = function["folder"]
    _set_path(function["paths"])
    sys.argv = [""]
    formatter = _configure_logging(function["logFormat"])
    try:
        handler = load(function["handler"])
    except Exception as error:  # noqa: BLE001 - the process edge: any fault of the import is the answer
        payload = _init_failure(error)
        write_error(payload, function["logFormat"])
        _flush()
        channel.send({"kind": "init-error"}, json.dumps(payload).encode())
        sys.exit(1)
    channel.send({"kind": "ready", "at": time.time()})
    while True:
        request, body = channel.next()
        formatter.request_id = request["requestId"]
        os.environ["_X_AMZN_TRACE_ID"] = request["traceId"]
        kind, answer = _answer(handler, body, Context(request, function), function["logFormat"])
        _flush()
        channel.send({"kind": kind, "peakKb": _peak_kb()}, answer)


def _set_path(paths: list[str]) -> None:
    """Put code and layers first; what the code brings itself beats what was imported before it."""
    sys.path[:] = [*paths, *(path for path in sys.path if path not in paths)]
    code = paths[0]
    for name in [name for name in sys.modules if "." not in name]:
        own = os.path.join(code, name)
        file = getattr(sys.modules[name], "__file__", None) or ""
        from_layer = any(file.startswith(path + os.sep) for path in paths[1:])
        if from_layer and (os.path.isdir(own) or os.path.exists(own + ".py")):
            for loaded in [item for item in sys.modules if item.partition(".")[0] == name]:
                del sys.modules[loaded]


def load(name: str) -> Any:
    """The handler called `module.function`; raises InitFailed in AWS's words."""
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        message = f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        raise InitFailed("Runtime.MalformedHandlerName", message)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        text = f"Unable to import module '{module_name}': {error}"
        raise InitFailed("Runtime.ImportModuleError", text) from error
    except SyntaxError as error:
        line = f'  File "{error.filename}" Line {error.lineno}\n    {error.text or ""}'
        text = f"Syntax error in module '{module_name}': {error}"
        raise InitFailed("Runtime.UserCodeSyntaxError", text, [line]) from error
    if not hasattr(module, function_name):
        text = f"Handler '{function_name}' missing on module '{module_name}'"
        raise InitFailed("Runtime.HandlerNotFound", text)
    return getattr(module, function_name)


def _answer(handler: Any, body: bytes, context: Context, log_format: str) -> tuple[str, bytes]:
    request_id = context.aws_request_id
    try:
        event = json.loads(body)
    except ValueError as error:
        text = f"Unable to unmarshal input: {error}"
        return _failed(_described("Runtime.UnmarshalError", text, request_id), log_format)
    try:
        result = handler(event, context)
    except Exception as error:  # noqa: BLE001 - the process edge: a handler's error is the answer
        return _failed(_raised(error, request_id), log_format)
    try:
        text = json.dumps(result, ensure_ascii=False, default=_decimal)
        return "result", text.encode()
    except (TypeError, ValueError) as error:
        text = f"Unable to marshal response: {error}"
        return _failed(_described("Runtime.MarshalError", text, request_id), log_format)


def _decimal(value: object) -> float:
    if isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _failed(payload: dict[str, Any], log_format: str) -> tuple[str, bytes]:
    write_error(payload, log_format)
    return "error", json.dumps(payload, ensure_ascii=False).encode()


def _raised(error: BaseException, request_id: str) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[_FRAMES_OF_OURS:]
    described = _described(type(error).__name__, str(error), request_id)
    return {**described, "stackTrace": traceback.format_list(frames)}


def _described(kind: str, message: str, request_id: str) -> dict[str, Any]:
    described = {"errorMessage": message, "errorType": kind, "stackTrace": []}
    return {**described, "requestId": request_id} if request_id else described


def _init_failure(error: Exception) -> dict[str, Any]:
    if isinstance(error, InitFailed):
        return {**_described(error.kind, str(error), ""), "stackTrace": error.trace}
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and "importlib" not in frame.filename
    ]
    described = _described(type(error).__name__, str(error), "")
    return {**described, "stackTrace": traceback.format_list(frames)}


def write_error(payload: dict[str, Any], log_format: str) -> None:
    """Write an error to the log the way AWS's runtime does."""
    if log_format == "JSON":
        record = {"timestamp": _now(), "log_level": "ERROR", **payload}
        sys.stdout.write(json.dumps(record) + "\n")
        return
    lines = [f"[ERROR] {payload['errorType']}: {payload['errorMessage']}"]
    if payload["stackTrace"]:
        lines += ["Traceback (most recent call last):", *payload["stackTrace"]]
    text = "\n".join(line.rstrip("\n") for line in lines)
    sys.stdout.write(text.replace("\n", "\r") + "\n")  # one log event, not one per line


class _Formatter(logging.Formatter):
    """The runtime's format of records of the root logger."""

    def __init__(self, log_format: str) -> None:
        super().__init__("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(request)s\t%(message)s\n")
        self.converter = time.gmtime
        self.default_time_format = "%Y-%m-%dT%H:%M:%S"
        self.default_msec_format = None
        self.request_id = ""
        self._json = log_format == "JSON"

    def format(self, record: logging.LogRecord) -> str:
        """Return one line for `record`."""
        record.request = self.request_id
        if not self._json:
            return super().format(record).rstrip("\n").replace("\n", "\r") + "\n"
        entry = {
            "timestamp": _now(),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": self.request_id,
        }
        if record.exc_info and record.exc_info[1] is not None:
            entry["errorType"] = type(record.exc_info[1]).__name__
            entry["errorMessage"] = str(record.exc_info[1])
        return json.dumps(entry) + "\n"


def _configure_logging(log_format: str) -> _Formatter:
    formatter = _Formatter(log_format)
    handler = logging.StreamHandler(sys.stdout)
    handler.terminator = ""
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "")
    if level in logging.getLevelNamesMapping():
        logging.getLogger().setLevel(level)
    return formatter


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _peak_kb() -> int:
    """Most memory held so far; Linux's getrusage would count what the starter held as well."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


if __name__ == "__main__":
    main()
