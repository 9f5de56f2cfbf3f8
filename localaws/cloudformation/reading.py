"""The operations that read stacks, their events, resources, templates and exports."""

import json
from collections.abc import Mapping
from typing import Any

from localaws.cloudformation import templates as stack_templates
from localaws.cloudformation import views
from localaws.cloudformation.call import Answer, Call, Operation, paged
from localaws.cloudformation.model import Stack, StackEvent, Status
from localaws.cloudformation.templates import invalid, parsed
from localaws.deployer.resources.catalogue import CATALOGUE
from localaws.wire import AwsError

_PAGE = 100
_HOLD_S = 20.0


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
    return paged(call, "Stacks", [views.stack(one, _template(one)) for one in found])


def _all(call: Call) -> list[Stack]:
    """The stacks of the place, the newest first."""
    return call.runs.store.all(call.place)[::-1]


def _template(stack: Stack) -> Mapping[str, Any]:
    return parsed(stack.wanted.template) if stack.wanted.template else {}


def list_stacks(call: Call) -> Answer:
    """ListStacks, the deleted ones too."""
    wanted = call.request.get("StackStatusFilter") or []
    found = [one for one in _all(call) if not wanted or one.status in wanted]
    return paged(call, "StackSummaries", [views.summary(one, _template(one)) for one in found])


def describe_stack_events(call: Call) -> Answer:
    """DescribeStackEvents, the newest first."""
    stack = call.stack()
    with stack.turn:
        happened = [views.event(stack, event) for event in reversed(stack.events)]
    return paged(call, "StackEvents", happened)


def list_stack_resources(call: Call) -> Answer:
    """ListStackResources."""
    found = [views.resource_summary(last) for last in _resources(call.stack())]
    return paged(call, "StackResourceSummaries", found)


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
    return paged(call, "Exports", found)


def list_imports(call: Call) -> Answer:
    """ListImports."""
    export = str(call.request["ExportName"])
    found = [name for _, name in call.runs.store.importing(call.place, frozenset({export}))]
    if not found:
        raise invalid(f"Export '{export}' is not imported by any stack.")
    return paged(call, "Imports", found)


OPERATIONS: Mapping[str, Operation] = {
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
}
