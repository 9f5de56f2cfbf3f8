"""Stacks, events, resources and changes as CloudFormation's API describes them. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from localaws.cloudformation.model import ChangeSet, Stack, StackEvent, Status, Wanted
from localaws.cloudformation.templates import is_hidden
from localaws.deployer.plan import Action, Change, Plan

Answer = dict[str, Any]
_HIDDEN = "****"
_NO_DRIFT: Answer = {"StackDriftStatus": "NOT_CHECKED"}
_NO_RESOURCE_DRIFT: Answer = {"StackResourceDriftStatus": "NOT_CHECKED"}


def parameters(wanted: Wanted, template: Mapping[str, Any]) -> list[Answer]:
    """Parameters with their values; those that nobody shall see are hidden."""
    declared = template.get("Parameters", {})
    return [
        {
            "ParameterKey": name,
            "ParameterValue": _HIDDEN if is_hidden(declared.get(name, {})) else value,
        }
        for name, value in wanted.parameters.items()
    ]


def tags(wanted: Wanted) -> list[Answer]:
    """A stack's tags."""
    return [{"Key": key, "Value": value} for key, value in wanted.tags.items()]


def stack(one: Stack, template: Mapping[str, Any]) -> Answer:
    """A stack as DescribeStacks shows it."""
    return {
        "StackId": one.id,
        "StackName": one.name,
        "ChangeSetId": one.change_set_arn or None,
        "Description": template.get("Description"),
        "Parameters": parameters(one.wanted, template),
        "CreationTime": one.created,
        "DeletionTime": one.deleted,
        "LastUpdatedTime": one.updated,
        "RollbackConfiguration": {},
        "StackStatus": one.status,
        "StackStatusReason": one.reason or None,
        "DisableRollback": not one.wanted.roll_back,
        "NotificationARNs": [],
        "Capabilities": list(one.wanted.capabilities),
        "Outputs": list(_outputs(one, template)),
        "RoleARN": one.role_arn or None,
        "Tags": tags(one.wanted),
        "EnableTerminationProtection": one.protected,
        "DriftInformation": _NO_DRIFT,
    }


def _outputs(one: Stack, template: Mapping[str, Any]) -> Iterator[Answer]:
    if one.status in (Status.DELETE_COMPLETE, Status.ROLLBACK_COMPLETE):
        return
    described = template.get("Outputs", {})
    for name, value in one.state.outputs.items():
        yield {
            "OutputKey": name,
            "OutputValue": value,
            "Description": described.get(name, {}).get("Description"),
            "ExportName": one.state.exports.get(name),
        }


def summary(one: Stack, template: Mapping[str, Any]) -> Answer:
    """A stack as ListStacks shows it."""
    return {
        "StackId": one.id,
        "StackName": one.name,
        "TemplateDescription": template.get("Description"),
        "CreationTime": one.created,
        "LastUpdatedTime": one.updated,
        "DeletionTime": one.deleted,
        "StackStatus": one.status,
        "StackStatusReason": one.reason or None,
        "DriftInformation": _NO_DRIFT,
    }


def event(one: Stack, happened: StackEvent) -> Answer:
    """One event as DescribeStackEvents shows it."""
    return {
        "StackId": one.id,
        "EventId": happened.id,
        "StackName": one.name,
        "LogicalResourceId": happened.logical_id,
        "PhysicalResourceId": happened.physical_id,
        "ResourceType": happened.type_name,
        "Timestamp": happened.time,
        "ResourceStatus": happened.status,
        "ResourceStatusReason": happened.reason or None,
        "ClientRequestToken": happened.token or None,
    }


def resource_summary(last: StackEvent) -> Answer:
    """A resource as ListStackResources shows it."""
    return {
        "LogicalResourceId": last.logical_id,
        "PhysicalResourceId": last.physical_id,
        "ResourceType": last.type_name,
        "LastUpdatedTimestamp": last.time,
        "ResourceStatus": last.status,
        "ResourceStatusReason": last.reason or None,
        "DriftInformation": _NO_RESOURCE_DRIFT,
    }


def resource(one: Stack, last: StackEvent) -> Answer:
    """A resource as DescribeStackResources shows it."""
    shown = resource_summary(last)
    shown["Timestamp"] = shown.pop("LastUpdatedTimestamp")
    return {"StackName": one.name, "StackId": one.id, **shown}


def resource_detail(one: Stack, last: StackEvent, template: Mapping[str, Any]) -> Answer:
    """A resource as DescribeStackResource shows it."""
    stated = template.get("Resources", {}).get(last.logical_id, {}).get("Metadata")
    metadata = {"Metadata": json.dumps(stated)} if stated else {}
    return {"StackName": one.name, "StackId": one.id, **resource_summary(last), **metadata}


def changes(plan: Plan, types: Mapping[str, Any]) -> list[Answer]:
    """A plan as the changes of a change set; `types` are the resource types by name."""
    return [
        {"Type": "Resource", "ResourceChange": _change(change, types)} for change in plan.effective
    ]


_ACTIONS = {
    Action.CREATE: "Add",
    Action.UPDATE: "Modify",
    Action.REPLACE: "Modify",
    Action.DELETE: "Remove",
    Action.RETAIN: "Remove",
}


def _change(change: Change, types: Mapping[str, Any]) -> Answer:
    shown: Answer = {
        "Action": _ACTIONS[change.action],
        "LogicalResourceId": change.logical_id,
        "PhysicalResourceId": change.physical_id or None,
        "ResourceType": change.type_name,
        "Scope": [],
        "Details": [],
    }
    if change.action in (Action.DELETE, Action.RETAIN):
        shown["PolicyAction"] = "Delete" if change.action is Action.DELETE else "Retain"
    if shown["Action"] == "Modify":
        shown["Replacement"] = "True" if change.action is Action.REPLACE else "False"
        kinds = {_attribute(name) for name in change.properties}
        shown["Scope"] = sorted(kinds)
        shown["Details"] = [_detail(name, change, types) for name in change.properties]
    return shown


def _attribute(name: str) -> str:
    """What of a resource a change is of; its tags are told apart from other properties."""
    return "Tags" if name == "Tags" else "Properties"


def _detail(name: str, change: Change, types: Mapping[str, Any]) -> Answer:
    replaces = types[change.type_name].replaces(frozenset({name}))
    return {
        "Target": {
            "Attribute": _attribute(name),
            "Name": None if name == "Tags" else name,
            "RequiresRecreation": "Always" if replaces else "Never",
        },
        "Evaluation": "Static",
        "ChangeSource": "DirectModification",
    }


def policy_change(logical_id: str, type_name: str, physical_id: str) -> Answer:
    """A change of nothing but a resource's DeletionPolicy."""
    target = {"Attribute": "DeletionPolicy", "RequiresRecreation": "Never"}
    detail = {"Target": target, "Evaluation": "Static", "ChangeSource": "DirectModification"}
    return {
        "Type": "Resource",
        "ResourceChange": {
            "Action": "Modify",
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id,
            "ResourceType": type_name,
            "Replacement": "False",
            "Scope": ["DeletionPolicy"],
            "Details": [detail],
        },
    }


def change_set_summary(one: Stack, proposal: ChangeSet) -> Answer:
    """A change set as ListChangeSets shows it."""
    return {
        "StackId": one.id,
        "StackName": one.name,
        "ChangeSetId": proposal.arn,
        "ChangeSetName": proposal.name,
        "ExecutionStatus": proposal.execution_status,
        "Status": proposal.status,
        "StatusReason": proposal.reason or None,
        "CreationTime": proposal.created,
        "Description": proposal.description or None,
        "IncludeNestedStacks": False,
    }
