"""Faults on request: a test's way to every ending that AWS has and a laptop has not.

`PUT /_localaws/faults` with `{"faults": [...]}` replaces the list, `GET` shows it with what has
happened, `DELETE` clears it. Not part of AWS; see docs/parity.md. Two kinds of entries:

    {"operation": "sagemaker:CreateEndpoint", "nth": 1, "times": 1, "code": "ThrottlingException",
     "message": "...", "status": 400, "role": "promotion", "when": "before"}

refuses `times` calls (0: all) of an operation, beginning with the `nth`, with an error of AWS's.
`operation` may be `*` or `s3:*`; `role` counts only calls of principals whose ARN holds the text;
`when` `after` carries the call out and then loses the answer.

    {"deployment": "Failed", "endpoint": "name", "times": 1, "seconds": 60, "reason": "..."}

ends an endpoint's next creation or update so; see `Ending`.
"""

import threading
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from localaws.wire import AwsError

_CALL_KEYS = frozenset({"operation", "nth", "times", "code", "message", "status", "role", "when"})
_ENDING_KEYS = frozenset({"deployment", "endpoint", "times", "seconds", "reason"})


class Ending(Enum):
    """How a deployment of an endpoint can be made to end."""

    FAILED = "Failed"
    """The endpoint is Failed; only DeleteEndpoint helps."""
    SILENT_ROLLBACK = "SilentRollback"
    """InService with the old configuration, without a FailureReason."""
    ROLLBACK = "Rollback"
    """InService with the old configuration and a FailureReason."""
    UPDATE_ROLLBACK_FAILED = "UpdateRollbackFailed"
    """The rollback failed, too: both fleets serve."""
    SYSTEM_UPDATING = "SystemUpdating"
    """The update succeeds; then AWS patches the endpoint for `seconds` of AWS's."""
    STUCK = "Stuck"
    """The change goes on for `seconds` of AWS's before it does anything."""


@dataclass
class CallFault:
    """Calls that are refused."""

    operation: str
    nth: int = 1
    times: int = 1
    code: str = "InternalFailure"
    message: str = "refused by /_localaws/faults"
    status: int = 400
    role: str = ""
    when: str = "before"
    seen: int = 0
    fired: int = 0

    def meets(self, operation: str, principal: str) -> bool:
        """Count one call; whether it is to fail."""
        service = self.operation.partition(":")[0]
        every = self.operation in ("*", operation)
        if not every and self.operation != f"{operation.partition(':')[0]}:*":
            return False
        if self.role not in principal or not service:
            return False
        self.seen += 1
        due = self.seen >= self.nth and (self.times == 0 or self.fired < self.times)
        self.fired += due
        return due

    def error(self) -> AwsError:
        """What the caller is told."""
        return AwsError(self.code, self.message, self.status)


@dataclass
class EndingFault:
    """A deployment that ends otherwise than it would."""

    deployment: Ending
    endpoint: str = ""
    times: int = 1
    seconds: float = 60.0
    reason: str = "ended so by /_localaws/faults"
    fired: int = 0


@dataclass
class _Faults:
    calls: list[CallFault] = field(default_factory=list)
    endings: list[EndingFault] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


_faults = _Faults()


def put(document: Any) -> None:
    """Replace all faults; raises ValueError for what is not understood."""
    entries = document.get("faults") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError('expected {"faults": [{...}, ...]}')
    made = [_made(entry) for entry in entries]
    with _faults.lock:
        _faults.calls = [fault for fault in made if isinstance(fault, CallFault)]
        _faults.endings = [fault for fault in made if isinstance(fault, EndingFault)]


def clear() -> None:
    """Let everything end as it does."""
    put({"faults": []})


def shown() -> dict[str, Any]:
    """All faults with how often they were met."""
    with _faults.lock:
        endings = [{**asdict(f), "deployment": f.deployment.value} for f in _faults.endings]
        return {"faults": [*(asdict(fault) for fault in _faults.calls), *endings]}


def meets(operation: str, principal: str) -> CallFault | None:
    """The fault that the call of `service:Operation` by the principal meets, if any."""
    if not _faults.calls:
        return None
    with _faults.lock:
        met = [fault for fault in _faults.calls if fault.meets(operation, principal)]
    return met[0] if met else None


def ending(endpoint: str) -> EndingFault | None:
    """How the deployment that begins now is to end, if it was asked for; counts it."""
    with _faults.lock:
        for fault in _faults.endings:
            if fault.endpoint in ("", endpoint) and (fault.times == 0 or fault.fired < fault.times):
                fault.fired += 1
                return fault
    return None


def _made(entry: dict[str, Any]) -> CallFault | EndingFault:
    if "operation" in entry:
        _only(entry, _CALL_KEYS)
        if entry.get("when", "before") not in ("before", "after"):
            raise ValueError(f"when must be before or after, got {entry['when']!r}")
        return CallFault(**entry)
    if "deployment" in entry:
        _only(entry, _ENDING_KEYS)
        return EndingFault(**{**entry, "deployment": Ending(entry["deployment"])})
    raise ValueError(f"a fault needs an operation or a deployment: {entry!r}")


def _only(entry: dict[str, Any], known: frozenset[str]) -> None:
    if unknown := sorted(set(entry) - known):
        raise ValueError(f"{', '.join(unknown)} is not known; known: {', '.join(sorted(known))}")
