"""What is known of a function before it runs, and what an invocation leaves. Values only."""

from dataclasses import dataclass

INIT_LIMIT_S = 10.0  # Lambda Developer Guide, "Lambda execution environment lifecycle": Init phase
SYNC_LIMIT_BYTES = 6_291_556  # as the error message of the API states it
ASYNC_LIMIT_BYTES = 1_048_576  # Lambda Developer Guide, "Lambda quotas", read 2026-11-21


@dataclass(frozen=True)
class Archive:
    """A zip of code, by digest (hex SHA-256)."""

    digest: str
    content: bytes

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Archive) and other.digest == self.digest


@dataclass(frozen=True)
class FunctionSpec:
    """One version of a function as configured; two equal specs may share a process."""

    arn: str
    """Without a qualifier."""
    name: str
    version: str
    account: str
    region: str
    handler: str
    runtime: str
    role_arn: str
    timeout_s: float
    memory_mb: int
    environment: tuple[tuple[str, str], ...]
    code: Archive
    layers: tuple[Archive, ...]
    log_group: str
    log_format: str
    application_log_level: str = ""

    @property
    def qualified_arn(self) -> str:
        """The ARN with the version."""
        return f"{self.arn}:{self.version}"


@dataclass(frozen=True)
class Invocation:
    """One event on its way into a function."""

    request_id: str
    payload: bytes
    invoked_arn: str
    client_context: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came out: the answer or, with `failed`, the error's description; and the log."""

    payload: bytes
    failed: bool
    log: str
    error_type: str = ""
    duration_ms: float = 0.0
    """Without the init phase."""


@dataclass(frozen=True)
class AsyncPolicy:
    """How often and how long an asynchronous event is tried, and where a failed one goes."""

    retries: int = 2
    longest_age_s: float = 21_600.0
    on_failure: str = ""
    on_success: str = ""
    dead_letters: str = ""
