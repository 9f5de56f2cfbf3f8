"""What every part of the laptop's AWS is told when it is installed.

Imports only the errors and standard types; any part may import this module.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
PORT = 4700
DEVELOPER_KEY_ID = "AKIALAPTOPDEVELOPER0"
DEVELOPER_SECRET = "laptop-developer-secret"  # noqa: S105 - published on purpose, loopback only

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True)
class Config:
    """Choices of the person (or the test) that starts the laptop's AWS."""

    port: int = PORT
    """0 takes any free port."""
    state_dir: Path = field(default_factory=lambda: Path(".signalbox"))
    """Where parts keep builds, unpacked code, job folders and logs."""
    time_scale: float = 60.0
    """How many seconds of AWS's waiting pass in one second; real work is never scaled."""
    warm_ahead: bool = True
    """Start functions before they are called: faster first answers for work that may be in vain."""
    account: str = ACCOUNT_ID
    region: str = REGION
    threads: int = 128
    """Requests served at the same time; synchronous invocations hold one each."""


@dataclass(frozen=True)
class Context:
    """Handed to `install(context)` of each module before the first request."""

    config: Config
    url: str
    application: WsgiApplication
    """The whole server as a WSGI callable: authenticates and decides like the socket does."""
