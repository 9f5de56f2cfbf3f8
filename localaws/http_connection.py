"""A shorter way through the HTTP server for invocations of endpoints.

cheroot reads with Python's own slow buffers, and gives a connection back to its selector after
every answer. A whole, plain invocation that is there already is read here in one piece and served
by the same application, with the same decisions; everything else takes cheroot's way.
"""

import io
import select
import socket
from collections.abc import Iterator
from typing import Any

from cheroot.server import HTTPConnection

_PREFIX = b"POST /endpoints/"
_END = b"\r\n\r\n"
_MOST_BYTES = 1 << 16
_LINGER_MS = 20
"""How long a thread stays with a connection for its next request."""
_NEEDS_CHEROOT = frozenset({"transfer-encoding", "expect", "upgrade", "connection"})


class Connection(HTTPConnection):
    """One connection of a client."""

    def communicate(self) -> bool:
        """Serve what the client sends; whether the connection is to be kept."""
        while (environ := self._whole_invocation()) is not None:
            try:
                self.socket.sendall(_answered(self.server.wsgi_app, environ))
            except OSError:
                return False
            if not self._next_comes():
                return True
        kept: bool = super().communicate()  # type: ignore[no-untyped-call]
        return kept

    def _whole_invocation(self) -> dict[str, Any] | None:
        """The WSGI environment of an invocation that is there as a whole, taken off the socket."""
        if self.rfile.has_data():
            return None
        try:
            there = self.socket.recv(_MOST_BYTES, socket.MSG_PEEK)
        except OSError:
            return None  # cheroot finds the same and answers it
        end = there.find(_END) if there.startswith(_PREFIX) else -1
        environ = _environ(there[:end].decode("latin-1")) if end > 0 else None
        if environ is None:
            return None
        start = end + len(_END)
        length = int(environ["CONTENT_LENGTH"])
        if len(there) < start + length:
            return None
        _take(self.socket, start + length)
        environ["wsgi.input"] = io.BytesIO(there[start : start + length])
        return environ

    def _next_comes(self) -> bool:
        """Whether the next request is there soon, unless another connection needs the thread."""
        if self.server.requests.qsize > 0 or not hasattr(select, "poll"):
            return False
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(_LINGER_MS))


def _take(channel: socket.socket, count: int) -> None:
    while count > 0:
        count -= len(channel.recv(count))


def _environ(head: str) -> dict[str, Any] | None:
    """The environment of a request's head; None for one that is not plain."""
    first, *lines = head.split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or parts[2] != "HTTP/1.1":
        return None
    method, uri, protocol = parts
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": uri.partition("?")[0],
        "QUERY_STRING": uri.partition("?")[2],
        "REQUEST_URI": uri,
        "SERVER_NAME": "localhost",
        "SERVER_PROTOCOL": protocol,
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
    }
    for name, value in _headers(lines):
        if not name or name in environ:
            return None
        environ[name] = value
    return environ if environ.get("CONTENT_LENGTH", "").isdigit() else None


def _headers(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Names as WSGI has them; "" for a header that only cheroot understands."""
    for line in lines:
        name, colon, value = line.partition(":")
        lower, value = name.lower(), value.strip()
        odd = not colon or name != name.strip() or "_" in name
        if odd or (lower in _NEEDS_CHEROOT and value.lower() != "keep-alive"):
            yield "", ""
            return
        key = name.upper().replace("-", "_")
        yield (key if lower in ("content-type", "content-length") else f"HTTP_{key}"), value


def _answered(application: Any, environ: dict[str, Any]) -> bytes:
    """The whole HTTP answer of the application."""
    head: list[str] = []

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        lines = [f"{name}: {value}" for name, value in headers]
        head[:] = [f"HTTP/1.1 {status}", *lines, "", ""]

    body = b"".join(application(environ, start))
    return "\r\n".join(head).encode("latin-1") + body
