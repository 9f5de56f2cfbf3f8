"""What the laptop's AWS asks of a child process, and how the request crosses a socket.

The sender is the server's process (`localaws.forkserver.server`), the receiver the fork server
(`localaws.forkserver.process`). Standard library only: both import it before anything heavy.
"""

import json
import socket
import struct
from dataclasses import asdict, dataclass, field
from typing import Any

MAX_PASSED_FDS = 16
_LENGTH = struct.Struct("!I")


@dataclass(frozen=True)
class ChildSpec:
    """One child to be: its program, what it sees as /opt/ml, its environment.

    `program` is `run` (argv is a command line, Python scripts run inside the child), `serve`
    (a model server) or `transform` (a batch transform); the last two read `task`.
    """

    program: str
    environment: dict[str, str]
    root: str
    scratch: str
    cwd: str = "/"
    argv: list[str] = field(default_factory=list)
    task: dict[str, Any] = field(default_factory=dict)
    threads: int = 1
    has_network: bool = True

    def to_json(self) -> bytes:
        """The wire form, UTF-8."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "ChildSpec":
        """The spec that `to_json` wrote."""
        return cls(**json.loads(text))


def send_spec(channel: socket.socket, spec: ChildSpec, fds: list[int]) -> None:
    """Write one spec and hand the file descriptors over with its first bytes."""
    body = spec.to_json()
    socket.send_fds(channel, [_LENGTH.pack(len(body))], fds)
    channel.sendall(body)


def receive_spec(channel: socket.socket) -> tuple[ChildSpec, list[int]] | None:
    """The next spec with its file descriptors; None when the sender is gone."""
    header, fds, _flags, _address = socket.recv_fds(channel, _LENGTH.size, MAX_PASSED_FDS)
    if not header:
        return None
    header += _read_exactly(channel, _LENGTH.size - len(header))
    body = _read_exactly(channel, _LENGTH.unpack(header)[0])
    return ChildSpec.from_json(body), fds


def _read_exactly(channel: socket.socket, size_bytes: int) -> bytes:
    parts: list[bytes] = []
    while size_bytes:
        part = channel.recv(min(size_bytes, 1 << 16))
        if not part:
            raise ConnectionError("the sender of a child specification went away in its middle")
        parts.append(part)
        size_bytes -= len(part)
    return b"".join(parts)
