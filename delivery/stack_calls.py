"""CloudFormation's change sets over boto3: create and look, execute and wait, and say what failed.

For both who deploy: `python -m delivery.change_sets` with an environment's roles, and `signalbox
bootstrap` with a person's. Rules: CloudFormation API Reference, CreateChangeSet, DescribeChangeSet,
DeleteChangeSet, ExecuteChangeSet; User Guide, "Stack status codes" (read 2026-11-21).
"""

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.exceptions import ClientError

CAPABILITIES = ("CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND")
# Of a change set that has nothing to do, in StatusReason: CloudFormation has no code for it.
_UNCHANGED = ("didn't contain changes", "no updates are to be performed")
NEVER_WHOLE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")
"""Of a stack whose creation failed: it is kept to be looked at, and can only be deleted."""
_BEING_MADE = ("CREATE_PENDING", "CREATE_IN_PROGRESS")
_NOT_EXECUTED = ("AVAILABLE", "UNAVAILABLE", "OBSOLETE")
_WELL = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
_SHOWN_EVENTS = 10
_LONGEST_S = 3 * 3600


class StackError(Exception):
    """The stack cannot be changed, or has not been; the message says why."""


@dataclass(frozen=True)
class Stack:
    """A stack, where it is, the role that its resources are made under, and where templates lie.

    Without a bucket the template travels in the request: 51,200 bytes at most. `connect` makes a
    client of a service; without it they have the credentials that boto3 finds.
    """

    name: str
    region: str
    role_arn: str
    bucket: str
    poll_s: float
    connect: Callable[[str], Any] | None = None
    _memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def client(self, service: str) -> Any:
        """A client of the stack's region, made once."""
        if self.connect is not None:
            return self.connect(service)
        if service not in self._memo:
            self._memo[service] = boto3.client(service, region_name=self.region)  # type: ignore[call-overload]
        return self._memo[service]


@dataclass(frozen=True)
class Package:
    """A packaged template and what it is deployed with."""

    template: bytes
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    capabilities: Sequence[str] = CAPABILITIES


@dataclass(frozen=True)
class Change:
    """What a change set does to one resource.

    `replacement` is True, Conditional, False or ""; `policy` (Delete, Retain, ReplaceAndRetain, or
    "") says what becomes of what goes.
    """

    action: str
    type: str
    logical_id: str
    replacement: str
    policy: str = ""


def create(stack: Stack, name: str, package: Package) -> list[Change] | None:
    """Make a change set and look at it; None when there is nothing to change. Raises StackError.

    A fault or an interruption leaves no change set behind.
    """
    request = {**_request(stack, package), "ChangeSetType": _kind_of_change(stack)}
    with _taken_back_on_a_fault(stack, name):
        _call(stack, "create_change_set", StackName=stack.name, ChangeSetName=name, **request)
        changes = look(stack, name)
    if changes is None:
        delete(stack, name)
    return changes


def look(stack: Stack, name: str) -> list[Change] | None:
    """The changes of a change set; None when it has nothing to do. Raises StackError."""
    made = _await_change_set(stack, name)
    if made["Status"] == "FAILED":
        reason = str(made.get("StatusReason", "no reason given"))
        if any(words in reason.lower() for words in _UNCHANGED):
            return None
        raise StackError(f"{stack.name}: no change set could be made: {reason}")
    return _changes(stack, name, made)


def _request(stack: Stack, package: Package) -> dict[str, Any]:
    """What a change set is made of."""
    request: dict[str, Any] = {"RoleARN": stack.role_arn} if stack.role_arn else {}
    if stack.bucket:
        folder = "templates" if stack.role_arn else "previews"
        request["TemplateURL"] = _upload(stack, package.template, folder)
    else:
        request["TemplateBody"] = package.template.decode()
    return {
        **request,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in package.parameters.items()
        ],
        "Tags": [{"Key": key, "Value": value} for key, value in package.tags.items()],
        "Capabilities": list(package.capabilities),
    }


@contextmanager
def _taken_back_on_a_fault(stack: Stack, name: str) -> Iterator[None]:
    try:
        yield
    except BaseException:  # also Ctrl-C, also while CreateChangeSet's answer is awaited
        with suppress(StackError):
            take_back(stack, name)
        raise


def _kind_of_change(stack: Stack) -> str:
    found = status(stack)
    if found in ("", "REVIEW_IN_PROGRESS"):
        return "CREATE"
    if found.endswith("_IN_PROGRESS"):
        raise StackError(f"{stack.name} is {found}: somebody else changes it; try again later")
    if found in NEVER_WHOLE:
        raise StackError(
            f"{stack.name} is {found}: it was never created whole and cannot be updated. Look at "
            "its events, delete the stack, and deploy again"
        )
    if found == "DELETE_FAILED":
        raise StackError(
            f"{stack.name} is DELETE_FAILED: what is left of it may hold data, and it cannot be "
            "updated. Look at its events, delete the stack once more, and deploy again"
        )
    return "UPDATE"


def status(stack: Stack) -> str:
    """The stack's status; empty when there is none."""
    return str((_described(stack) or {"StackStatus": ""})["StackStatus"])


def outputs(stack: Stack) -> dict[str, str]:
    """The stack's outputs by name; none when there is no such stack."""
    listed = (_described(stack) or {}).get("Outputs", [])
    return {one["OutputKey"]: one["OutputValue"] for one in listed}


def _described(stack: Stack) -> dict[str, Any] | None:
    try:
        found = stack.client("cloudformation").describe_stacks(StackName=stack.name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise _explained(stack, error) from error
    return dict(found[0])


def _upload(stack: Stack, template: bytes, folder: str) -> str:
    """The URL of the template: larger than the 51,200 bytes that a request may hold.

    What is only looked at lies apart from what is deployed: who previews may write there only.
    """
    account = stack.client("sts").get_caller_identity()["Account"]
    key = f"packages/{account}/{folder}/{hashlib.sha256(template).hexdigest()}.yaml"
    s3 = stack.client("s3")
    try:
        s3.put_object(Bucket=stack.bucket, Key=key, Body=template)
    except ClientError as error:
        raise _explained(stack, error) from error
    address = s3.generate_presigned_url(
        "get_object", Params={"Bucket": stack.bucket, "Key": key}, ExpiresIn=60
    )
    return str(address).partition("?")[0]


def _call(stack: Stack, operation: str, **parameters: Any) -> Any:
    try:
        return getattr(stack.client("cloudformation"), operation)(**parameters)
    except ClientError as error:
        raise _explained(stack, error) from error


def _explained(stack: Stack, error: ClientError) -> StackError:
    said = error.response["Error"]
    return StackError(
        f"{stack.name}: AWS refused {error.operation_name}: {said['Code']}: {said.get('Message')}"
    )


def _await_change_set(stack: Stack, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + _LONGEST_S
    while True:
        found: dict[str, Any] = _call(
            stack, "describe_change_set", StackName=stack.name, ChangeSetName=name
        )
        if found["Status"] not in _BEING_MADE:
            return found
        _wait(stack, deadline, f"change set {name} is {found['Status']}")


def _wait(stack: Stack, deadline: float, what: str) -> None:
    if time.monotonic() > deadline:
        raise StackError(f"{stack.name}: {what} after {_LONGEST_S // 3600} h; look at it by hand")
    time.sleep(stack.poll_s)


def _changes(stack: Stack, name: str, first: dict[str, Any]) -> list[Change]:
    found, page = list(first["Changes"]), first
    while page.get("NextToken"):
        page = _call(
            stack,
            "describe_change_set",
            StackName=stack.name,
            ChangeSetName=name,
            NextToken=page["NextToken"],
        )
        found += page["Changes"]
    resources = [one["ResourceChange"] for one in found if "ResourceChange" in one]
    return [
        Change(
            action=one["Action"],
            type=one["ResourceType"],
            logical_id=one["LogicalResourceId"],
            replacement=one.get("Replacement", ""),
            policy=one.get("PolicyAction", ""),
        )
        for one in resources
    ]


def delete(stack: Stack, name: str) -> None:
    """Take a change set away again."""
    _call(stack, "delete_change_set", StackName=stack.name, ChangeSetName=name)


def take_back(stack: Stack, name: str) -> None:
    """Delete a change set that was not executed, if it is there. Raises StackError.

    One that is still being made cannot be deleted (InvalidChangeSetStatus) and is waited for.
    """
    try:
        found = _await_change_set(stack, name)
    except StackError as error:
        if "ChangeSetNotFound" in str(error) or "does not exist" in str(error):
            return
        raise
    if found.get("ExecutionStatus") in _NOT_EXECUTED:
        delete(stack, name)


def is_empty(stack: Stack) -> bool:
    """Whether the stack stands for change sets only, and there is none. Raises StackError."""
    if status(stack) != "REVIEW_IN_PROGRESS":
        return False
    return not _call(stack, "list_change_sets", StackName=stack.name)["Summaries"]


def delete_stack(stack: Stack) -> None:
    """Delete the stack and wait until it is gone. Raises StackError with what could not go."""
    newest = _newest_event(stack)
    _call(stack, "delete_stack", StackName=stack.name)
    deadline = time.monotonic() + _LONGEST_S
    while (found := status(stack)) not in ("", "DELETE_FAILED"):
        _wait(stack, deadline, f"the stack is {found}")
    if found:
        told = [f"{stack.name} could not be deleted:", *_failures(stack, newest)]
        raise StackError("\n".join(told))


def execute(stack: Stack, name: str) -> str:
    """Carry a change set out and wait; the stack's status. Raises StackError with what failed."""
    newest = _newest_event(stack)
    _call(stack, "execute_change_set", StackName=stack.name, ChangeSetName=name)
    deadline = time.monotonic() + _LONGEST_S
    found = status(stack)
    while found.endswith("_IN_PROGRESS"):
        _wait(stack, deadline, f"the stack is {found}")
        found = status(stack)
    if found not in _WELL:
        raise StackError("\n".join([f"{stack.name} is {found}:", *_failures(stack, newest)]))
    return found


def _events(stack: Stack) -> Iterator[dict[str, Any]]:
    """Newest first, as CloudFormation tells them."""
    pages = stack.client("cloudformation").get_paginator("describe_stack_events")
    return (e for page in pages.paginate(StackName=stack.name) for e in page["StackEvents"])


def _newest_event(stack: Stack) -> str:
    return next((str(event["EventId"]) for event in _events(stack)), "")


def _failures(stack: Stack, newest_before: str) -> list[str]:
    """What failed first: the rest is CloudFormation cancelling what was under way."""
    new = itertools.takewhile(lambda e: e["EventId"] != newest_before, _events(stack))
    failed = [
        f"  {e['LogicalResourceId']} ({e['ResourceType']}): {e.get('ResourceStatusReason', '')}"
        for e in reversed(list(new))
        if e.get("ResourceStatus", "").endswith("_FAILED")
    ]
    return failed[:_SHOWN_EVENTS] or ["  its events name no resource that failed"]
