"""What a model server and the laptop say to each other: one request, one answer, in frames.

A frame is a head of fixed size and the parts it counts. Between two processes of our own HTTP
would only cost time: parsing its headers takes longer than most small models take to predict.
Imports nothing of the project but the answer's type.
"""

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass

from localaws.models.handlers import Answer

_REQUEST = struct.Struct("!BHHI")
_ANSWER = struct.Struct("!HHI")
_BUFFER_BYTES = 1 << 16
PING, INVOKE = 0, 1


@dataclass(frozen=True)
class Question:
    """One request as the container gets it."""

    kind: int
    body: bytes = b""
    content_type: str = ""
    accept: str = ""


class LinkBroken(ConnectionError):
    """An earlier request found the other end dead or too slow; this one was never begun."""


class Link:
    """One end; a call that fails leaves it unusable. Raises OSError, as sockets do.

    Threads may ask side by side: their requests wait in the socket, where the other end finds the
    next one at once, and each reads its answer when those before it have read theirs.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._reader = end.makefile("rb", _BUFFER_BYTES)
        self._sending = threading.Lock()
        self._last: threading.Lock | None = None
        self._is_broken = False

    def limit(self, seconds: float) -> None:
        """How long `ask` waits for an answer from now on."""
        self._socket.settimeout(seconds)

    def ask(self, question: Question) -> Answer:
        """Send a request, wait for its answer."""
        content_type, accept = question.content_type.encode(), question.accept.encode()
        head = _REQUEST.pack(question.kind, len(content_type), len(accept), len(question.body))
        frame = b"".join((head, content_type, accept, question.body))
        mine = threading.Lock()
        with mine:
            with self._sending:
                before, self._last = self._last, mine
                self._send(frame)
            if before is not None:
                before.acquire()  # free once the request before this one has its answer
            return self._read_answer()

    def _send(self, frame: bytes) -> None:
        if self._is_broken:
            raise LinkBroken("an earlier request failed")
        try:
            self._socket.sendall(frame)
        except TimeoutError:
            self._is_broken = True
            raise
        except OSError as error:  # the other end is gone and has not read the whole request
            self._is_broken = True
            raise LinkBroken("the other end was closed") from error

    def _read_answer(self) -> Answer:
        if self._is_broken:
            raise LinkBroken("an earlier request failed")
        try:
            status, type_bytes, body_bytes = _ANSWER.unpack(self._exactly(_ANSWER.size))
            answered_type = self._exactly(type_bytes).decode()
            return Answer(status, self._exactly(body_bytes), answered_type)
        except (OSError, ValueError):
            self._is_broken = True
            raise

    def next_question(self) -> Question | None:
        """The next request; None when the other end is closed."""
        head = self._reader.read(_REQUEST.size)
        if len(head) < _REQUEST.size:
            return None
        kind, type_bytes, accept_bytes, body_bytes = _REQUEST.unpack(head)
        content_type = self._exactly(type_bytes).decode()
        accept = self._exactly(accept_bytes).decode()
        return Question(kind, self._exactly(body_bytes), content_type, accept)

    def answer(self, answer: Answer) -> None:
        """Send an answer."""
        content_type = answer.content_type.encode()
        head = _ANSWER.pack(answer.status, len(content_type), len(answer.body))
        self._socket.sendall(b"".join((head, content_type, answer.body)))

    def close(self) -> None:
        """End it for both."""
        self._is_broken = True
        with contextlib.suppress(OSError):  # the other end may have closed it
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.close()
        self._socket.close()

    def _exactly(self, size: int) -> bytes:
        if size == 0:
            return b""
        found: bytes = self._reader.read(size)
        if len(found) < size:
            raise ConnectionError("the other end was closed")
        return found
