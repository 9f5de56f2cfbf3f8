"""What requests to CloudFormation need permission for. Source: Service Authorization Reference."""

from collections.abc import Mapping
from typing import Any

from localaws.cloudformation import names as stack_names
from localaws.iam.requirement import Place

_ON_NO_STACK = frozenset({"ListStacks", "ListExports", "ListImports", "ValidateTemplate"})
_KEYS = {
    "cloudformation:rolearn": "RoleARN",
    "cloudformation:changesetname": "ChangeSetName",
    "cloudformation:templateurl": "TemplateURL",
}
CONDITION_KEYS: Mapping[str, Mapping[str, str]] = {
    f"cloudformation:{operation}": _KEYS
    for operation in (
        *("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet"),
        *("DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet"),
    )
}


def resources(operation: str, parameters: Mapping[str, Any], place: Place) -> list[str]:
    """The stack: everything is decided on it, also what is done to its change sets."""
    if operation in _ON_NO_STACK:
        return []
    asked = str(parameters.get("StackName") or parameters.get("ChangeSetName") or "")
    return [stack_names.stack_arn(place, asked)] if asked else []


def named(key: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """A change set that is given by its ARN counts by its name."""
    if key != "cloudformation:changesetname":
        return values
    return tuple(value.split("/")[1] if "/" in value else value for value in values)
