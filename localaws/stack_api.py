"""The operations on stacks; the decisions on them are IAM's, made before.

Each operation takes the call as plain values and returns the answer; refusals are AwsError with the
code and in the words of CloudFormation.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localaws import clients, stack_templates
from localaws import stack_views as views
from localaws.deployer.resources.catalogue import CATALOGUE
from localaws.errors import UnsupportedByLocalAws
from localaws.iam_identity import Principal
from localaws.iam_requirement import Place
from localaws.stack_model import Stack, StackEvent, Status, Wanted
from localaws.stack_proposals import differences
from localaws.stack_runs import CLOUDFORMATION, Runs, refuse_while_moving
from localaws.stack_templates import (
    LONGEST_BODY_BYTES,
    LONGEST_OBJECT_BYTES,
    invalid,
    parsed,
)
from localaws.wire import AwsError

Answer = dict[str, Any]
_PAGE = 100
_HOLD_S = 20.0

_REFUSED = (
    *("NotificationARNs", "TimeoutInMinutes", "ResourceTypes", "StackPolicyBody"),
    *("StackPolicyURL", "StackPolicyDuringUpdateBody", "StackPolicyDuringUpdateURL"),
    *("ResourcesToImport", "DeploymentMode", "DeploymentConfig", "RetainExceptOnCreate"),
    *("IncludeNestedStacks", "ImportExistingResources"),
)


@dataclass(frozen=True)
class Call:
    """One accepted request: who asks, where, for what."""

    runs: Runs
    place: Place
    principal: Principal
    request: Mapping[str, Any]
    from_service: bool = False
    """Whether a service of the laptop asks: CodePipeline hands over a template of an artifact."""

    def find(self, name: str = "") -> Stack | None:
        """The stack that the request (or `name`) names."""
        return self.runs.store.find(self.place, name or str(self.request["StackName"]))

    def stack(self, name: str = "") -> Stack:
        """The same; raises AwsError when there is none."""
        found = self.find(name)
        if found is None:
            asked = name or self.request["StackName"]
            raise invalid(f"Stack with id {asked} does not exist")
        return found

    def template(self) -> str:
        """The text of the request's template, "" for none."""

        def s3() -> Any:
            return clients.clients_for(self.principal, CLOUDFORMATION, self.place.region)("s3")

        longest = LONGEST_OBJECT_BYTES if self.from_service else LONGEST_BODY_BYTES
        return stack_templates.text_of(self.request, s3, longest_bytes=longest)


def refuse_unsupported(operation: str, request: Mapping[str, Any]) -> None:
    """Raise for what the laptop's CloudFormation would otherwise leave out in silence."""
    for name in _REFUSED:
        if request.get(name):
            raise UnsupportedByLocalAws("cloudformation", operation, name)
    if (request.get("RollbackConfiguration") or {}).get("RollbackTriggers"):
        raise UnsupportedByLocalAws("cloudformation", operation, "RollbackTriggers")


def wanted_of(call: Call, stack: Stack | None) -> Wanted:
    """What a request wants a stack to be; `stack` is what there is to keep values of."""
    request = call.request
    text = call.template()
    if not text and request.get("UsePreviousTemplate") and stack is not None:
        text = stack.wanted.template
    previous = stack.wanted if stack is not None else None
    given = request.get("Parameters") or []
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags") or []}
    if previous is not None and "Tags" not in request:
        tags = dict(previous.tags)
    return Wanted(
        template=text,
        parameters=stack_templates.values(
            parsed(text), given, previous.parameters if previous else None
        ),
        tags=tags,
        capabilities=tuple(request.get("Capabilities") or ()),
        role_arn=request.get("RoleARN") or (stack.role_arn if stack else ""),
        roll_back=not request.get("DisableRollback") and request.get("OnFailure") != "DO_NOTHING",
        on_failure=request.get("OnFailure") or "ROLLBACK",
        token=request.get("ClientRequestToken") or "",
    )


def create_stack(call: Call) -> Answer:
    """CreateStack."""
    refuse_unsupported("CreateStack", call.request)
    known, name = call.find(), str(call.request["StackName"])
    if known is not None:
        raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists")
    wanted = wanted_of(call, None)
    stack = Stack(call.place, name, protected=bool(call.request.get("EnableTerminationProtection")))
    blueprint = call.runs.draw(stack, wanted)
    stack_templates.check_capabilities(
        parsed(wanted.template), blueprint.resources, wanted.capabilities, direct=True
    )
    acting = call.runs.acting(stack, wanted.role_arn, call.principal)
    stack.wanted = wanted
    call.runs.store.add(stack)
    call.runs.deploy(stack, wanted, acting)
    return {"StackId": stack.id}


def update_stack(call: Call) -> Answer:
    """UpdateStack; refuses an update that changes nothing."""
    refuse_unsupported("UpdateStack", call.request)
    stack = call.stack()
    refuse_update(stack)
    wanted = wanted_of(call, stack)
    blueprint = call.runs.draw(stack, wanted)
    stack_templates.check_capabilities(
        parsed(wanted.template), blueprint.resources, wanted.capabilities, direct=True
    )
    if differences(stack, wanted, blueprint) is None:
        raise invalid("No updates are to be performed.")
    call.runs.deploy(stack, wanted, call.runs.acting(stack, wanted.role_arn, call.principal))
    return {"StackId": stack.id}


def refuse_update(stack: Stack) -> None:
    """Raise AwsError when a stack is in no state to be updated."""
    refuse_while_moving(stack)
    if not stack.status.may_be_updated:
        raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def delete_stack(call: Call) -> Answer:
    """DeleteStack; a stack that is not there is deleted already."""
    refuse_unsupported("DeleteStack", call.request)
    if call.request.get("DeletionMode") == "FORCE_DELETE_STACK":
        raise UnsupportedByLocalAws("cloudformation", "DeleteStack", "FORCE_DELETE_STACK")
    stack = call.find()
    if stack is None or stack.status is Status.DELETE_COMPLETE:
        return {}
    if stack.protected:
        raise invalid(
            f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
        )
    kept = frozenset(call.request.get("RetainResources") or ())
    if kept and stack.status is not Status.DELETE_FAILED:
        raise invalid(
            f"Invalid operation on stack [{stack.id}]. When you delete a stack, specify which "
            "resources to retain only when the stack is in the DELETE_FAILED state."
        )
    role = call.request.get("RoleARN") or stack.role_arn
    acting = call.runs.acting(stack, role, call.principal)
    token = call.request.get("ClientRequestToken") or ""
    call.runs.delete(stack, acting, kept=kept, token=token)
    return {}


def describe_stacks(call: Call) -> Answer:
    """DescribeStacks: one stack, or all that are not deleted.

    parity: the answer about one stack waits (20 s at most) for an operation that goes on, because
    the waiters of AWS's tools look only every 30 s; DescribeStackEvents and ListStacks never wait.
    """
    if call.request.get("StackName"):
        stack = call.stack()
        stack.settled(_HOLD_S)
        return {"Stacks": [views.stack(stack, _template(stack))]}
    found = [one for one in _all(call) if one.status is not Status.DELETE_COMPLETE]
    return _paged(call, "Stacks", [views.stack(one, _template(one)) for one in found])


def _all(call: Call) -> list[Stack]:
    """The stacks of the place, the newest first."""
    return call.runs.store.all(call.place)[::-1]


def _template(stack: Stack) -> Mapping[str, Any]:
    return parsed(stack.wanted.template) if stack.wanted.template else {}


def _paged(call: Call, name: str, items: list[Any]) -> Answer:
    token = call.request.get("NextToken") or "0"
    if not token.isdigit():
        raise invalid(f"The next token {token!r} is not valid")
    first = int(token)
    answer: Answer = {name: items[first : first + _PAGE]}
    if first + _PAGE < len(items):
        answer["NextToken"] = str(first + _PAGE)
    return answer


def list_stacks(call: Call) -> Answer:
    """ListStacks, the deleted ones too."""
    wanted = call.request.get("StackStatusFilter") or []
    found = [one for one in _all(call) if not wanted or one.status in wanted]
    return _paged(call, "StackSummaries", [views.summary(one, _template(one)) for one in found])


def describe_stack_events(call: Call) -> Answer:
    """DescribeStackEvents, the newest first."""
    stack = call.stack()
    with stack.turn:
        happened = [views.event(stack, event) for event in reversed(stack.events)]
    return _paged(call, "StackEvents", happened)


def list_stack_resources(call: Call) -> Answer:
    """ListStackResources."""
    found = [views.resource_summary(last) for last in _resources(call.stack())]
    return _paged(call, "StackResourceSummaries", found)


def describe_stack_resources(call: Call) -> Answer:
    """DescribeStackResources: of a stack, or of the stack a physical id belongs to."""
    stack = call.stack() if call.request.get("StackName") else _owner(call)
    logical = call.request.get("LogicalResourceId")
    found = [last for last in _resources(stack) if logical in (None, last.logical_id)]
    if logical and not found:
        raise _no_resource(stack, logical)
    return {"StackResources": [views.resource(stack, last) for last in found[:_PAGE]]}


def _owner(call: Call) -> Stack:
    physical = call.request.get("PhysicalResourceId")
    if not physical:
        raise invalid("Either StackName or PhysicalResourceId must be specified.")
    for stack in _all(call):
        if any(member.physical_id == physical for member in stack.state.members.values()):
            return stack
    raise invalid(f"Stack for {physical} does not exist")


def _no_resource(stack: Stack, logical_id: str) -> AwsError:
    return invalid(f"Resource {logical_id} does not exist for stack {stack.name}")


def describe_stack_resource(call: Call) -> Answer:
    """DescribeStackResource."""
    stack, logical = call.stack(), call.request["LogicalResourceId"]
    last = stack.resources.get(logical)
    if last is None:
        raise _no_resource(stack, logical)
    return {"StackResourceDetail": views.resource_detail(stack, last, _template(stack))}


def _resources(stack: Stack) -> list[StackEvent]:
    with stack.turn:
        return [stack.resources[name] for name in sorted(stack.resources)]


def get_template(call: Call) -> Answer:
    """GetTemplate, of a stack or of a change set."""
    stack = call.stack()
    name = call.request.get("ChangeSetName")
    proposals = [c for c in stack.change_sets.values() if name in (c.name, c.arn)]
    if name and not proposals:
        raise AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)
    wanted = proposals[0].wanted if name else stack.wanted
    body = wanted.template
    if call.request.get("TemplateStage") == "Processed":
        source, drawn = parsed(body), call.runs.draw(stack, wanted)
        expanded = {**source, "Resources": dict(drawn.resources)}
        expanded.pop("Transform", None)
        body = json.dumps(expanded)
    return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}


def _source(call: Call) -> Mapping[str, Any]:
    if call.request.get("StackName"):
        return _template(call.stack())
    return parsed(call.template())


def get_template_summary(call: Call) -> Answer:
    """GetTemplateSummary, of a text, an address or a stack."""
    return stack_templates.summary(_source(call))


def validate_template(call: Call) -> Answer:
    """ValidateTemplate; a resource type that the laptop does not know is told here, too."""
    template = parsed(call.template())
    unknown = sorted(
        {
            str(item.get("Type"))
            for item in template["Resources"].values()
            if item.get("Type") not in CATALOGUE
            and not str(item.get("Type")).startswith("AWS::Serverless::")
        }
    )
    if unknown:
        raise invalid(f"Template format error: Unrecognized resource types: {unknown}")
    said = stack_templates.summary(template)
    parameters = [
        {key: item[key] for key in ("ParameterKey", "DefaultValue", "NoEcho", "Description")}
        for item in said["Parameters"]
    ]
    kept = ("Description", "Capabilities", "CapabilitiesReason", "DeclaredTransforms")
    return {"Parameters": parameters, **{key: said[key] for key in kept}}


def list_exports(call: Call) -> Answer:
    """ListExports."""
    found = [
        {"ExportingStackId": stack.id, "Name": export, "Value": stack.state.outputs[output]}
        for stack in call.runs.store.all(call.place)
        for output, export in stack.state.exports.items()
    ]
    return _paged(call, "Exports", found)


def list_imports(call: Call) -> Answer:
    """ListImports."""
    export = str(call.request["ExportName"])
    found = [name for _, name in call.runs.store.importing(call.place, frozenset({export}))]
    if not found:
        raise invalid(f"Export '{export}' is not imported by any stack.")
    return _paged(call, "Imports", found)


def update_termination_protection(call: Call) -> Answer:
    """UpdateTerminationProtection."""
    stack = call.stack()
    stack.protected = bool(call.request["EnableTerminationProtection"])
    return {"StackId": stack.id}


def continue_update_rollback(call: Call) -> Answer:
    """ContinueUpdateRollback: deploys again what was there before the failed update."""
    stack = call.stack()
    if stack.status is not Status.UPDATE_ROLLBACK_FAILED:
        raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not continue.")
    raise UnsupportedByLocalAws("cloudformation", "ContinueUpdateRollback")


Operation = Callable[[Call], Answer]
OPERATIONS: Mapping[str, Operation] = {
    "CreateStack": create_stack,
    "UpdateStack": update_stack,
    "DeleteStack": delete_stack,
    "DescribeStacks": describe_stacks,
    "ListStacks": list_stacks,
    "DescribeStackEvents": describe_stack_events,
    "DescribeStackResource": describe_stack_resource,
    "DescribeStackResources": describe_stack_resources,
    "ListStackResources": list_stack_resources,
    "GetTemplate": get_template,
    "GetTemplateSummary": get_template_summary,
    "ValidateTemplate": validate_template,
    "ListExports": list_exports,
    "ListImports": list_imports,
    "UpdateTerminationProtection": update_termination_protection,
    "ContinueUpdateRollback": continue_update_rollback,
}
