"""The door of the laptop's AWS: each request is read, authenticated, decided, then served.

One WSGI application for the socket and for calls from inside the process, so nothing can reach
moto without a decision. May import every part of the server; nothing but the server imports it.
"""

import json
import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from threading import Lock
from typing import Any

from werkzeug.exceptions import HTTPException

from localaws import faults, image_digests, inbox, storage, wire, wire_errors
from localaws.context import WsgiApplication
from localaws.errors import AccessDeniedByLocalAws, UnsupportedByLocalAws
from localaws.iam import service as iam
from localaws.iam.identity import Principal
from localaws.lambdas import service as lambdas
from localaws.moto_seams import server as moto_seams
from localaws.wire import AwsError, WireRequest

StartResponse = Callable[..., Any]
Answer = tuple[int, list[tuple[str, str]], bytes]

_PIECE_BYTES = 1024 * 1024
_log = logging.getLogger("localaws")
_REASONS = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found"}


class Gateway:
    """The WSGI application of the whole server."""

    def __init__(self, about: dict[str, Any]) -> None:
        self._about = about
        self._applications: dict[str, WsgiApplication] = {}
        self._lock = Lock()

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        """Serve one request; see the module's description for the order of its steps."""
        environ[wire.RECEIVED_S] = time.perf_counter()
        if environ["PATH_INFO"].startswith("/_localaws/"):
            return _answer(start, self._own(environ))
        try:
            request = wire.read(environ)
        except (KeyError, ValueError) as error:
            return _answer(start, _plain(400, f"not an AWS request: {error}"))
        try:
            return self._serve(request, start)
        except Exception as error:  # noqa: BLE001 - the edge: a client must get an answer, never a 500 to retry
            return _answer(start, wire_errors.error_response(request, as_aws_error(error, request)))

    def _serve(self, request: WireRequest, start: StartResponse) -> Iterable[bytes]:
        wire.identify(request)
        principal = iam.authenticate(request)
        fault = faults.meets(f"{request.service.name}:{request.operation}", principal.arn)
        if fault is None:
            return self._allowed(request, principal, start)
        if fault.when == "after":
            b"".join(self._allowed(request, principal, lambda *_: None))
        raise fault.error()

    def _allowed(
        self, request: WireRequest, principal: Principal, start: StartResponse
    ) -> Iterable[bytes]:
        answer = iam.serve(request, principal)
        if answer is not None:
            return _answer(start, answer)
        account = iam.authorize(request, principal)
        storage.check_owners(request)
        request.environ["HTTP_X_MOTO_ACCOUNT_ID"] = account
        request.environ[wire.READ_ALREADY] = request
        if request.service.protocol == wire.REST_JSON:
            start = _refusing_unknown_paths(request, start)
        try:
            with storage.exclusive(request), iam.calling(principal):
                served = self._application(request.service.backend)(request.environ, start)
            return _in_pieces(served)
        finally:
            iam.observe(request)

    def _application(self, backend: str) -> WsgiApplication:
        found = self._applications.get(backend)
        if found is None:
            with self._lock:
                found = self._applications.get(backend) or moto_seams.backend_application(backend)
                self._applications[backend] = found
        return found

    def _own(self, environ: dict[str, Any]) -> Answer:
        route = (environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if route == ("GET", "/_localaws/health"):
            return _json(200, {"status": "ok", **self._about})
        if route == ("GET", "/_localaws/decisions"):
            body = iam.decisions_as_json_lines().encode()
            return 200, _headers("application/x-ndjson", body), body
        if route == ("DELETE", "/_localaws/decisions"):
            iam.forget_decisions()
            return _json(200, {"status": "forgotten"})
        if route == ("GET", "/_localaws/functions"):
            return _json(200, lambdas.processes())
        if route[1] == "/_localaws/faults":
            return _faults(environ)
        if route == ("PUT", image_digests.PATH):
            return _json(*image_digests.serve(environ))
        if route == ("POST", inbox.WEBHOOK_PATH):
            inbox.keep_post(environ)
            return _json(200, {"status": "kept"})
        return _json(404, {"error": f"nothing at {route[0]} {route[1]}"})


def _faults(environ: dict[str, Any]) -> Answer:
    """GET shows, PUT replaces, DELETE clears the faults that were asked for."""
    method = environ["REQUEST_METHOD"]
    try:
        if method == "PUT":
            length = int(environ.get("CONTENT_LENGTH") or 0)
            faults.put(json.loads(environ["wsgi.input"].read(length)))
        elif method == "DELETE":
            faults.clear()
    except (ValueError, TypeError) as error:
        return _json(400, {"error": f"{error}; see localaws/faults.py"})
    return _json(200, faults.shown())


def _in_pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same body in pieces of a megabyte: cheroot sends one piece in quadratic time."""
    try:
        for chunk in chunks:
            if len(chunk) <= _PIECE_BYTES:
                yield chunk
                continue
            view = memoryview(chunk)
            for start in range(0, len(chunk), _PIECE_BYTES):
                yield bytes(view[start : start + _PIECE_BYTES])
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


def _refusing_unknown_paths(request: WireRequest, start: StartResponse) -> StartResponse:
    """moto answers a path it has no route for with a page of HTML, which says nothing."""

    def checked(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        if status[:3] in ("404", "405") and dict(headers).get("Content-Type", "").startswith(
            "text/html; charset=utf-8"
        ):
            raise UnsupportedByLocalAws(request.service.name, request.operation, "no route")
        return start(status, headers, *rest)

    return checked


def as_aws_error(error: Exception, request: WireRequest) -> AwsError:
    """What the client is told of `error`; a defect of ours is also logged with its traceback."""
    if isinstance(error, AwsError):
        return error
    where = f"{request.service.name}:{request.operation}"
    if isinstance(error, UnsupportedByLocalAws):
        return AwsError("UnsupportedByLocalAws", str(error))
    if isinstance(error, AccessDeniedByLocalAws):
        return iam.denial(request, error)
    if isinstance(error, NotImplementedError):
        unsupported = UnsupportedByLocalAws(request.service.name, request.operation, str(error))
        return AwsError("UnsupportedByLocalAws", str(unsupported))
    if isinstance(error, HTTPException):
        return AwsError(error.name.replace(" ", ""), str(error.description), error.code or 400)
    _log.error("%s failed: %s", where, "".join(traceback.format_exception(error)))
    # parity: AWS answers 500 InternalFailure; botocore would repeat the call and hide the defect.
    return AwsError("InternalFailureOfLocalAws", f"{where}: {type(error).__name__}: {error}")


def _headers(content_type: str, body: bytes) -> list[tuple[str, str]]:
    return [("Content-Type", content_type), ("Content-Length", str(len(body)))]


def _plain(status: int, text: str) -> Answer:
    return status, _headers("text/plain", text.encode()), text.encode()


def _json(status: int, value: dict[str, Any]) -> Answer:
    body = json.dumps(value).encode()
    return status, _headers("application/json", body), body


def _answer(start: StartResponse, answer: Answer) -> Iterable[bytes]:
    status, headers, body = answer
    start(f"{status} {_REASONS.get(status, 'Status')}", headers)
    return [body]
