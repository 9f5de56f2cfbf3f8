"""One request to CloudFormation, accepted: who asks, where, for what; what it wants a stack to be.

Refusals are AwsError with the code and in the words of CloudFormation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from localaws import clients
from localaws.cloudformation import templates as stack_templates
from localaws.cloudformation.model import Stack, Wanted
from localaws.cloudformation.runs import CLOUDFORMATION, Runs
from localaws.cloudformation.templates import (
    LONGEST_BODY_BYTES,
    LONGEST_OBJECT_BYTES,
    invalid,
    parsed,
)
from localaws.errors import UnsupportedByLocalAws
from localaws.iam.identity import Principal
from localaws.iam.requirement import Place

Answer = dict[str, Any]
_PAGE = 100

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


def paged(call: Call, name: str, items: list[Any]) -> Answer:
    """One page of `items`; tokens are offsets."""
    token = call.request.get("NextToken") or "0"
    if not token.isdigit():
        raise invalid(f"The next token {token!r} is not valid")
    first = int(token)
    answer: Answer = {name: items[first : first + _PAGE]}
    if first + _PAGE < len(items):
        answer["NextToken"] = str(first + _PAGE)
    return answer


Operation = Callable[[Call], Answer]
