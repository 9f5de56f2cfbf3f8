"""A model server's child: answers /ping and /invocations on a socket it was given.

The socket is one end of a pair, so there is no port and no path, only one client, and the server
ends when that client does. One request at a time: `InitialInstanceCount` processes serve side by
side.
"""

import os
import socket
from http.server import BaseHTTPRequestHandler
from typing import Any

from localaws import model_handlers
from localaws.model_handlers import Answer, Model

DEFAULT_ACCEPT = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"


def run(task: dict[str, Any], fds: list[int]) -> None:
    """Load the model, then serve until the other end closes."""
    del task
    model = model_handlers.load()
    with socket.socket(fileno=fds[0]) as connection:
        _Handler.model = model
        _Handler(connection, ("", 0), None)  # type: ignore[arg-type]


def effective_accept(accept: str | None) -> str:
    """The type to answer with when the client did not care."""
    if not accept or accept == "*/*":
        return os.environ.get(DEFAULT_ACCEPT, "application/json")
    return accept


class _Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with one connection kept open."""

    model: Model
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """/ping: it answers, so the model is loaded."""
        self._send(Answer(200 if self.path == "/ping" else 404, b"", "text/plain"))

    def do_POST(self) -> None:
        """/invocations."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        content_type = self.headers.get("Content-Type", "application/json")
        accept = effective_accept(self.headers.get("Accept"))
        self._send(self.model.answer(body, content_type, accept))

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Access logs would only repeat what the caller knows."""
