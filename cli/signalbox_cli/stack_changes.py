"""A CloudFormation stack brought to what its template says: by change sets, which show it first."""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from signalbox_cli.errors import CommandError
from signalbox_cli.target import Target
from signalbox_cli.template_bodies import body_of

_EMPTY = ("didn't contain changes", "No updates are to be performed")
_NOT_MADE = "REVIEW_IN_PROGRESS"
_TO_CLEAR_AWAY = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")


@dataclass(frozen=True)
class Wanted:
    """A stack as it shall be."""

    name: str
    template: Path
    parameters: Mapping[str, str]
    capabilities: Sequence[str]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """One resource of a change set."""

    action: str
    logical_id: str
    type_name: str
    replacement: str = ""

    def document(self) -> dict[str, Any]:
        """The change as JSON."""
        return {
            "action": self.action,
            "logicalId": self.logical_id,
            "type": self.type_name,
            "replacement": self.replacement or None,
        }


@dataclass(frozen=True)
class ChangeSet:
    """What bringing a stack to its template changes; nothing at all when there are no changes."""

    stack: str
    arn: str
    is_new: bool
    changes: tuple[Change, ...]


def status_of(target: Target, stack: str) -> str:
    """The stack's status, "" when there is none."""
    try:
        found = target.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as fault:
        if "does not exist" in str(fault):
            return ""
        raise
    return str(found[0]["StackStatus"])


def outputs_of(target: Target, stack: str) -> dict[str, str]:
    """The stack's outputs; none when there is no such stack."""
    if not status_of(target, stack):
        return {}
    found = target.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}


def prepare(target: Target, wanted: Wanted) -> ChangeSet:
    """A change set, made and not executed; one without changes is deleted again at once.

    A stack whose creation failed is deleted first: CloudFormation keeps it only to be looked at.
    """
    status = status_of(target, wanted.name)
    if status in _TO_CLEAR_AWAY:
        delete(target, wanted.name)
        status = ""
    is_new = status in ("", _NOT_MADE)
    client = target.client("cloudformation")
    name = f"signalbox-{uuid.uuid4().hex[:12]}"
    arn = str(
        client.create_change_set(
            StackName=wanted.name,
            ChangeSetName=name,
            ChangeSetType="CREATE" if is_new else "UPDATE",
            TemplateBody=body_of(wanted.template),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in wanted.parameters.items()
            ],
            Capabilities=list(wanted.capabilities),
            Tags=[{"Key": key, "Value": value} for key, value in wanted.tags.items()],
        )["Id"]
    )
    found = _settled(target, wanted.name, arn)
    if found["Status"] == "FAILED":
        discard(target, wanted.name, arn)
        if any(words in found.get("StatusReason", "") for words in _EMPTY):
            return ChangeSet(wanted.name, "", is_new=False, changes=())
        raise CommandError(
            f"stack {wanted.name}: no change set could be made: {found.get('StatusReason', '')}"
        )
    return ChangeSet(wanted.name, arn, is_new, tuple(_changes(target, wanted.name, arn)))


def _settled(target: Target, stack: str, arn: str) -> dict[str, Any]:
    client = target.client("cloudformation")
    while True:
        found: dict[str, Any] = client.describe_change_set(StackName=stack, ChangeSetName=arn)
        if not found["Status"].endswith(("_PENDING", "_IN_PROGRESS")):
            return found
        time.sleep(target.poll_s)


def _changes(target: Target, stack: str, arn: str) -> Iterator[Change]:
    pages = target.client("cloudformation").get_paginator("describe_change_set")
    for page in pages.paginate(StackName=stack, ChangeSetName=arn):
        for one in page["Changes"]:
            changed = one["ResourceChange"]
            yield Change(
                changed["Action"],
                changed["LogicalResourceId"],
                changed["ResourceType"],
                changed.get("Replacement", ""),
            )


def discard(target: Target, stack: str, arn: str) -> None:
    """Take a change set back, and the stack that only exists for it."""
    client = target.client("cloudformation")
    if arn:
        client.delete_change_set(StackName=stack, ChangeSetName=arn)
    if status_of(target, stack) == _NOT_MADE:
        delete(target, stack)


def execute(target: Target, change_set: ChangeSet) -> None:
    """Carry a change set out and wait; raises CommandError with what failed first."""
    client = target.client("cloudformation")
    client.execute_change_set(StackName=change_set.stack, ChangeSetName=change_set.arn)
    kind = "create" if change_set.is_new else "update"
    try:
        client.get_waiter(f"stack_{kind}_complete").wait(
            StackName=change_set.stack, WaiterConfig=_pace(target)
        )
    except WaiterError:
        raise CommandError(
            f"stack {change_set.stack} is {status_of(target, change_set.stack)}: "
            f"{first_failure(target, change_set.stack)}. CloudFormation has put back what was; "
            "once the cause is gone, the same command goes on here"
        ) from None


def _pace(target: Target) -> dict[str, Any]:
    return {"Delay": 1, "MaxAttempts": 600} if target.endpoint_url else {"Delay": 10}


def first_failure(target: Target, stack: str) -> str:
    """The first resource that failed in the last change of a stack, and why."""
    pages = target.client("cloudformation").get_paginator("describe_stack_events")
    failures = []
    for event in (e for page in pages.paginate(StackName=stack) for e in page["StackEvents"]):
        if event["ResourceStatus"].endswith("_FAILED"):
            failures.append(event)
        begun = event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
        if begun and event["LogicalResourceId"] == stack:
            break
    if not failures:
        return "no event says why"
    first = failures[-1]
    return f"{first['LogicalResourceId']}: {first.get('ResourceStatusReason', '')}"


def delete(target: Target, stack: str) -> None:
    """Delete a stack and wait until it is gone; raises CommandError with what could not go."""
    client = target.client("cloudformation")
    client.delete_stack(StackName=stack)
    try:
        client.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig=_pace(target))
    except WaiterError:
        raise CommandError(
            f"stack {stack} could not be deleted: {first_failure(target, stack)}"
        ) from None
