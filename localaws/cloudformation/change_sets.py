"""The operations on change sets: a stack's next state, proposed, looked at, then executed.

parity: a change set is complete when CreateChangeSet answers, and a template that cannot be
deployed is refused by that call; on AWS both may show later, in DescribeChangeSet.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from localaws.cloudformation import templates as stack_templates
from localaws.cloudformation import views
from localaws.cloudformation.api import refuse_update
from localaws.cloudformation.call import Call, Operation, refuse_unsupported, wanted_of
from localaws.cloudformation.model import ChangeSet, Stack, Status
from localaws.cloudformation.proposals import differences
from localaws.cloudformation.runs import enter
from localaws.cloudformation.templates import invalid, parsed
from localaws.wire import AwsError

Answer = dict[str, Any]
_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
_UNCHANGED = (
    "The submitted information didn't contain changes. "
    "Submit different information to create a change set."
)


def create_change_set(call: Call) -> Answer:
    """CreateChangeSet; for a new stack it makes one in REVIEW_IN_PROGRESS."""
    refuse_unsupported("CreateChangeSet", call.request)
    name = str(call.request["ChangeSetName"])
    if not _NAME.fullmatch(name):
        raise invalid(f"Value '{name}' at 'changeSetName' must satisfy {_NAME.pattern}")
    stack, kind = _subject(call)
    if any(proposal.name == name for proposal in stack.change_sets.values()):
        raise AwsError(
            "AlreadyExistsException", f"ChangeSet {name} cannot be created because it exists"
        )
    wanted = wanted_of(call, stack if kind == "UPDATE" else None)
    blueprint = call.runs.draw(stack, wanted)
    stack_templates.check_capabilities(
        parsed(wanted.template), blueprint.resources, wanted.capabilities, direct=False
    )
    if wanted.role_arn:
        call.runs.acting(stack, wanted.role_arn, call.principal)
    changes = differences(stack, wanted, blueprint)
    proposal = ChangeSet(
        arn=call.place.arn("cloudformation", f"changeSet/{name}/{uuid.uuid4()}"),
        name=name,
        kind=kind,
        wanted=wanted,
        description=call.request.get("Description") or "",
        changes=changes or [],
        on_failure=call.request.get("OnStackFailure") or "",
    )
    if changes is None:
        proposal.status, proposal.reason = "FAILED", _UNCHANGED
        proposal.execution_status = "UNAVAILABLE"
    _keep(call, stack, proposal)
    return {"Id": proposal.arn, "StackId": stack.id}


def _subject(call: Call) -> tuple[Stack, str]:
    """The stack of a new change set, and whether it creates or updates it."""
    kind = call.request.get("ChangeSetType") or "UPDATE"
    if kind not in ("CREATE", "UPDATE"):
        raise invalid(f"ChangeSetType {kind} is not supported by the laptop's AWS")
    known = call.find()
    name = str(call.request["StackName"])
    if kind == "CREATE":
        if known is not None and known.status is not Status.REVIEW_IN_PROGRESS:
            raise invalid(
                f"Stack [{name}] already exists and cannot be created again with the "
                f"changeSet [{call.request['ChangeSetName']}]."
            )
        return known or Stack(call.place, name), kind
    if known is None:
        raise invalid(f"Stack [{name}] does not exist")
    refuse_update(known)
    return known, kind


def _keep(call: Call, stack: Stack, proposal: ChangeSet) -> None:
    with stack.turn:
        stack.change_sets[proposal.arn] = proposal
    if call.runs.store.find(stack.place, stack.id) is None:
        call.runs.store.add(stack)
        enter(stack, Status.REVIEW_IN_PROGRESS, "User Initiated")


def _found(call: Call) -> tuple[Stack, ChangeSet]:
    """The change set that a request names; raises AwsError."""
    name, stack_name = str(call.request["ChangeSetName"]), call.request.get("StackName")
    if not name.startswith("arn:") and not stack_name:
        raise invalid("StackName must be specified if ChangeSetName is not specified as an ARN.")
    stacks = [call.stack(stack_name)] if stack_name else call.runs.store.all(call.place)
    for stack in stacks:
        for proposal in stack.change_sets.values():
            if name in (proposal.arn, proposal.name):
                return stack, proposal
    raise AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)


def describe_change_set(call: Call) -> Answer:
    """DescribeChangeSet."""
    stack, proposal = _found(call)
    token = call.request.get("NextToken") or "0"
    first, size = int(token) if token.isdigit() else 0, 100
    answer = {
        **views.change_set_summary(stack, proposal),
        "Parameters": views.parameters(proposal.wanted, parsed(proposal.wanted.template)),
        "NotificationARNs": [],
        "RollbackConfiguration": {},
        "Capabilities": list(proposal.wanted.capabilities),
        "Tags": views.tags(proposal.wanted),
        "Changes": proposal.changes[first : first + size],
        "OnStackFailure": proposal.on_failure or None,
    }
    if first + size < len(proposal.changes):
        answer["NextToken"] = str(first + size)
    return answer


def execute_change_set(call: Call) -> Answer:
    """ExecuteChangeSet: begins; the stack's other change sets are gone, as on AWS."""
    stack, proposal = _found(call)
    if proposal.execution_status != "AVAILABLE":
        raise AwsError(
            "InvalidChangeSetStatus",
            f"ChangeSet [{proposal.arn}] cannot be executed in its current status of "
            f"[{proposal.status}], execution status [{proposal.execution_status}]",
        )
    if proposal.kind == "UPDATE":
        refuse_update(stack)
    request = call.request
    wanted = replace(
        proposal.wanted,
        roll_back=not request.get("DisableRollback") and proposal.on_failure != "DO_NOTHING",
        on_failure=proposal.on_failure or "ROLLBACK",
        token=request.get("ClientRequestToken") or "",
    )
    acting = call.runs.acting(stack, wanted.role_arn, call.principal)
    with stack.turn:
        proposal.execution_status = "EXECUTE_IN_PROGRESS"
        stack.change_set_arn = proposal.arn
        stack.change_sets = {proposal.arn: proposal}
    call.runs.deploy(stack, wanted, acting)
    return {}


def delete_change_set(call: Call) -> Answer:
    """DeleteChangeSet; the stack that only waited for it stays in REVIEW_IN_PROGRESS."""
    try:
        stack, proposal = _found(call)
    except AwsError as error:
        if error.code == "ChangeSetNotFound":
            return {}
        raise
    if proposal.execution_status == "EXECUTE_IN_PROGRESS":
        message = f"ChangeSet [{proposal.arn}] is being executed and cannot be deleted"
        raise AwsError("InvalidChangeSetStatus", message)
    with stack.turn:
        del stack.change_sets[proposal.arn]
    return {}


def list_change_sets(call: Call) -> Answer:
    """ListChangeSets, the newest first."""
    stack = call.stack()
    found = [views.change_set_summary(stack, one) for one in stack.change_sets.values()]
    return {"Summaries": found[::-1]}


OPERATIONS: Mapping[str, Operation] = {
    "CreateChangeSet": create_change_set,
    "DescribeChangeSet": describe_change_set,
    "ExecuteChangeSet": execute_change_set,
    "DeleteChangeSet": delete_change_set,
    "ListChangeSets": list_change_sets,
}
