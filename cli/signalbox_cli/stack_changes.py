"""A stack of the account set-up brought to what its template says, by change sets.

How CloudFormation is called is delivery.stack_calls; here are the command's targets and errors.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from delivery import stack_calls
from delivery.stack_calls import NEVER_WHOLE, Change, Package, Stack, StackError
from signalbox_cli.errors import CommandError
from signalbox_cli.options import explain_fault
from signalbox_cli.target import Target
from signalbox_cli.template_bodies import body_of

__all__ = ["NEVER_WHOLE", "Change"]


@dataclass(frozen=True)
class Wanted:
    """A stack as it shall be."""

    name: str
    template: Path
    parameters: Mapping[str, str]
    capabilities: Sequence[str]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class ChangeSet:
    """What bringing a stack to its template changes; nothing at all when there are no changes."""

    stack: str
    name: str
    is_new: bool
    changes: tuple[Change, ...]
    made_stack: bool = False
    """Whether the stack, still empty, is there for this change set only."""


def status_of(target: Target, stack: str) -> str:
    """The stack's status, "" when there is none."""
    with _told():
        return stack_calls.status(_stack(target, stack))


def outputs_of(target: Target, stack: str) -> dict[str, str]:
    """The stack's outputs; none when there is no such stack."""
    with _told():
        return stack_calls.outputs(_stack(target, stack))


def prepare(target: Target, wanted: Wanted) -> ChangeSet:
    """A change set, made and not executed; one without changes is deleted again at once.

    After a fault or an interruption neither it nor a stack made for it is left.
    """
    stack, name = _stack(target, wanted.name), f"signalbox-{uuid.uuid4().hex[:12]}"
    package = Package(
        body_of(wanted.template).encode(), wanted.parameters, wanted.tags, wanted.capabilities
    )
    with _told():
        before = stack_calls.status(stack)
        try:
            changes = stack_calls.create(stack, name, package)
        except BaseException:  # also Ctrl-C
            with suppress(StackError):
                _delete_if_empty(stack, made=not before)
            raise
    if changes is None:
        return ChangeSet(wanted.name, "", is_new=False, changes=())
    is_new = before in ("", "REVIEW_IN_PROGRESS")
    return ChangeSet(wanted.name, name, is_new, tuple(changes), made_stack=not before)


def discard(target: Target, change_set: ChangeSet) -> None:
    """Take a change set back unless it was executed, and the stack that only exists for it."""
    if change_set.name:
        stack = _stack(target, change_set.stack)
        with _told():
            stack_calls.take_back(stack, change_set.name)
            _delete_if_empty(stack, made=change_set.made_stack)


def _delete_if_empty(stack: Stack, *, made: bool) -> None:
    """A stack that somebody else's change sets wait in stays, and so does one not made here."""
    if made and stack_calls.is_empty(stack):
        stack_calls.delete_stack(stack)


def execute(target: Target, change_set: ChangeSet) -> None:
    """Carry a change set out and wait; raises CommandError with what failed first."""
    with _told(
        "CloudFormation has put back what was; once the cause is gone, the same command goes"
        " on here"
    ):
        stack_calls.execute(_stack(target, change_set.stack), change_set.name)


def delete(target: Target, stack: str) -> None:
    """Delete a stack and wait until it is gone; raises CommandError with what could not go."""
    with _told():
        stack_calls.delete_stack(_stack(target, stack))


def _stack(target: Target, name: str) -> Stack:
    return Stack(name, str(target.region), "", "", target.poll_s, connect=target.client)


@contextmanager
def _told(what_now: str = "") -> Iterator[None]:
    """Turn what CloudFormation says into the command's own errors."""
    try:
        yield
    except StackError as fault:
        cause: Any = fault.__cause__
        explained = explain_fault(cause) if isinstance(cause, ClientError) else None
        if explained is not None:
            raise explained from None
        raise CommandError("\n".join([f"stack {fault}", *filter(None, [what_now])])) from None
