"""Which stacks and which projects a request to CloudFormation or CodeBuild is decided on.

Sources: Service Authorization Reference, the pages of AWS CloudFormation and AWS CodeBuild
(read 2026-11).
"""

from collections.abc import Mapping
from typing import Any

from localaws import stack_names
from localaws.iam_requirement import Place

Parameters = Mapping[str, Any]


def cloudformation(operation: str, parameters: Parameters, place: Place) -> list[str]:
    """Everything is decided on the stack, also what is done to its change sets."""
    if operation in ("ListStacks", "ListExports", "ListImports", "ValidateTemplate"):
        return []
    name = str(parameters.get("StackName", ""))
    change_set = str(parameters.get("ChangeSetName", ""))
    asked = name or change_set
    return [stack_names.stack_arn(place, asked)] if asked else []


def codebuild(operation: str, parameters: Parameters, place: Place) -> list[str]:
    """Builds are decided on their project; an id is `project:uuid`, maybe within an ARN."""
    given = [str(each) for each in parameters.get("ids") or parameters.get("names") or ()]
    if operation in ("StopBuild", "RetryBuild"):
        given = [str(parameters.get("id", ""))]
    names = (each.rpartition("/")[2].partition(":")[0] for each in given)
    return [place.arn("codebuild", f"project/{name}") for name in dict.fromkeys(names)]
