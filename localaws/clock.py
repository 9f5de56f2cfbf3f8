"""The one place where the laptop's AWS reads the time and waits.

Two kinds of time. A *wait* is time in which nothing happens (a Wait state, the back-off before a
retry, a schedule): it passes `time_scale` times faster, so a 30-second wait takes half a second at
the default scale of 60. A *limit* bounds real work (a job, a function) and is never scaled.

Imports nothing of the project.
"""

import threading
import time
from datetime import UTC, datetime

_time_scale = 60.0


def set_time_scale(scale: float) -> None:
    """Make waits pass `scale` times faster than on AWS; 1.0 is AWS's own pace."""
    if scale <= 0:
        raise ValueError(f"time scale must be above 0, got {scale}")
    global _time_scale  # noqa: PLW0603 - one clock per process is the point of this module
    _time_scale = scale


def time_scale() -> float:
    """How many seconds of AWS's waiting pass in one second here."""
    return _time_scale


def now() -> datetime:
    """The current moment, aware, UTC."""
    return datetime.now(UTC)


def scaled_s(seconds: float) -> float:
    """Real seconds that a wait of `seconds` takes here."""
    return max(0.0, seconds) / _time_scale


def wait(seconds: float, *, cancelled: threading.Event | None = None) -> bool:
    """Pass a wait of `seconds`; True when it was cancelled before its end."""
    event = cancelled or threading.Event()
    return event.wait(scaled_s(seconds))


class Deadline:
    """A limit on real work, in unscaled seconds from its creation."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._ends = time.monotonic() + limit_s

    def remaining_s(self) -> float:
        """Seconds left, 0 when the limit has passed."""
        return max(0.0, self._ends - time.monotonic())

    def passed(self) -> bool:
        """Whether the limit has been reached."""
        return self.remaining_s() == 0.0
