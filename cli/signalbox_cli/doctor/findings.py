"""What a look at something brings: findings, by check. Values, and the loop over the checks."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from botocore.exceptions import ClientError

Subject = TypeVar("Subject")


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    FAULT = "fault"
    UNKNOWN = "unknown"
    """It could not be looked at; why is in the result's note."""
    SKIPPED = "skipped"
    """There is nothing to look at here."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    subject: str
    """The resource or setting, by its name."""
    what: str
    """A sentence: what is wrong, and what comes of it."""
    remedy: str
    """What to do."""


class NothingToLookAt(Exception):
    """Raised by a check that does not apply; the message says why."""


@dataclass(frozen=True)
class Check(Generic[Subject]):
    """One question, and how to answer it without changing anything."""

    name: str
    about: str
    look: Callable[[Subject], Iterator[Finding]]


@dataclass(frozen=True)
class Result:
    """The answer to one question."""

    check: str
    about: str
    status: Status
    findings: tuple[Finding, ...] = ()
    note: str = ""

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        return {**asdict(self), "status": self.status.value}


def examine(checks: Iterable[Check[Subject]], subject: Subject) -> Iterator[Result]:
    """The results one by one; a check that AWS does not let us make ends as unknown."""
    for check in checks:
        yield _result(check, subject)


def _result(check: Check[Subject], subject: Subject) -> Result:
    try:
        found = tuple(check.look(subject))
    except NothingToLookAt as reason:
        return Result(check.name, check.about, Status.SKIPPED, note=str(reason))
    except ClientError as fault:
        note = f"{fault.operation_name}: {fault.response['Error'].get('Message') or fault}"
        return Result(check.name, check.about, Status.UNKNOWN, note=note)
    return Result(check.name, check.about, Status.FAULT if found else Status.OK, found)


def error_code(fault: ClientError) -> str:
    """AWS's code of a refusal."""
    return str(fault.response["Error"]["Code"])


def differing(subject: str, differences: Iterable[str], remedy: str) -> Iterator[Finding]:
    """One finding for all the ways in which something is not as the template has it."""
    found = list(differences)
    if found:
        yield Finding(subject, "; ".join(found), remedy)


REDEPLOY = "deploy the stack again: CloudFormation puts back what the template says"
REDELIVER = (
    "wait for the shift that is under way; if there is none, `make deploy ENV=...`: sam alone "
    "publishes no version for a parameter that changed (docs/decisions/0020)"
)
