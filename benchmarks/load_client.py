"""One process that asks a server without a pause, over a few connections that stay open.

    python -m benchmarks.load_client < spec.json

The requests are whole HTTP messages made beforehand (signed, where the server wants that), so that
the client costs every server the same. Reads a specification, prints what came of it, both JSON.
"""

import base64
import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Connection:
    """One connection and the request that is under way on it."""

    address: tuple[str, int]
    channel: socket.socket | None = None
    received: bytearray = field(default_factory=bytearray)
    sent_at: float = 0.0
    number: int = 0
    total: int = -1

    def open(self) -> socket.socket:
        """The socket, connected."""
        if self.channel is None:
            self.channel = socket.create_connection(self.address)
            self.channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.channel

    def send(self, request: bytes, number: int) -> None:
        """Begin a request."""
        self.received.clear()
        self.number, self.total = number, -1
        self.sent_at = time.perf_counter()
        self.open().sendall(request)

    def take(self) -> tuple[int, bytes] | None:
        """Read what is there; status and body once the answer is complete."""
        piece = self.open().recv(65_536)
        if not piece:
            raise ConnectionError("the server closed the connection")
        self.received += piece
        if self.total < 0:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return None
            self.total = end + 4 + _length(bytes(self.received[:end]))
        if len(self.received) < self.total:
            return None
        head, _, body = bytes(self.received[: self.total]).partition(b"\r\n\r\n")
        if b"connection: close" in head.lower():
            self.close()
        return int(head[9:12]), body

    def close(self) -> None:
        """End the connection; the next request opens another."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + len(b"content-length:")
    return int(lower[start:].partition(b"\r\n")[0])


def drive(spec: dict[str, Any]) -> dict[str, Any]:
    """Ask for `seconds`; counts, errors and every request's milliseconds."""
    requests = [base64.b64decode(text) for text in spec["requests"]]
    expected = [base64.b64decode(text) for text in spec["answers"]]
    address = (spec["host"], spec["port"])
    connections = [Connection(address) for _ in range(spec["connections"])]
    latencies: list[float] = []
    errors: list[str] = []
    with selectors.DefaultSelector() as selector:
        for index, connection in enumerate(connections):
            connection.send(requests[index % len(requests)], index % len(requests))
            selector.register(connection.open(), selectors.EVENT_READ, connection)
        started = time.perf_counter()
        until, asked = started + spec["seconds"], len(connections)
        while time.perf_counter() < until:
            for key, _ in selector.select(1.0):
                connection = key.data
                found = connection.take()
                if found is None:
                    continue
                latencies.append((time.perf_counter() - connection.sent_at) * 1000)
                status, body = found
                if status != 200 or (spec["check"] and body != expected[connection.number]):
                    errors.append(f"{status} {body[:200]!r}")
                if connection.channel is None:
                    selector.unregister(key.fileobj)
                    selector.register(connection.open(), selectors.EVENT_READ, connection)
                number = asked % len(requests)
                connection.send(requests[number], number)
                asked += 1
        seconds = time.perf_counter() - started
    for connection in connections:
        connection.close()
    return {
        "seconds": seconds,
        "latencies_ms": latencies,
        "errors": errors[:5],
        "failed": len(errors),
    }


if __name__ == "__main__":
    json.dump(drive(json.load(sys.stdin)), sys.stdout)
