"""What is examined: a deployed stack with its template, every value of it worked out.

CloudFormation tells what it deployed: the processed template, the parameters, the names that the
resources got. What a resource should be like is worked out from these; what it is like, each
service is asked itself.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from localaws.deployer import template
from localaws.deployer.intrinsics import Pending, is_pending, resolve
from localaws.deployer.template import Surroundings
from signalbox_cli.errors import NotFoundError
from signalbox_cli.target import Target


@dataclass(frozen=True)
class Resource:
    """One resource of a stack, as its template wants it; a value that AWS makes up is Pending."""

    logical_id: str
    type_name: str
    physical_id: str
    properties: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The last part of the physical id: the name without ARN or address."""
        return self.physical_id.rpartition("/")[2].rpartition(":")[2]

    def text(self, name: str) -> str:
        """A property as text; "" where it is missing or not known."""
        value = self.properties.get(name, "")
        return "" if is_pending(value) else str(value)


@dataclass(frozen=True)
class Stack:
    """A deployed stack."""

    name: str
    status: str
    reason: str
    parameters: Mapping[str, str]
    resources: Mapping[str, Resource]


@dataclass(frozen=True)
class Patient:
    """An environment to look at, and what is wanted of it."""

    target: Target
    stacks: tuple[Stack, ...]
    workloads: tuple[Path, ...] = ()
    quotas: Mapping[str, float] = field(default_factory=dict)
    """What the environment's own settings ask for, by the quota's name."""
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What more than one check reads, read once."""

    def client(self, service: str) -> Any:
        """The client of a service."""
        return self.target.client(service)

    def of_type(self, *type_names: str) -> Iterator[Resource]:
        """The resources of some types, in all stacks."""
        for stack in self.stacks:
            yield from (one for one in stack.resources.values() if one.type_name in type_names)

    def every(self) -> Iterator[Resource]:
        """All resources of all stacks."""
        for stack in self.stacks:
            yield from stack.resources.values()

    def parameter(self, name: str) -> str:
        """A parameter of the first stack that has it; "" when none has."""
        return next((s.parameters[name] for s in self.stacks if name in s.parameters), "")


def read_stack(target: Target, name: str) -> Stack:
    """A stack as CloudFormation has it; raises NotFoundError when there is none."""
    client = target.client("cloudformation")
    try:
        described = client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as fault:
        if "does not exist" in str(fault):
            raise NotFoundError(
                f"there is no stack {name} in {target.describe()}: deploy it, or name another "
                "with --stack"
            ) from None
        raise
    body = client.get_template(StackName=name, TemplateStage="Processed")["TemplateBody"]
    pages = client.get_paginator("list_stack_resources").paginate(StackName=name)
    physical = {
        one["LogicalResourceId"]: one.get("PhysicalResourceId", "")
        for page in pages
        for one in page["StackResourceSummaries"]
    }
    given = {p["ParameterKey"]: p["ParameterValue"] for p in described.get("Parameters", [])}
    _, _, _, region, account, _ = described["StackId"].split(":", 5)
    place = Surroundings(name, account, region, described["StackId"].split(":")[1])
    return Stack(
        name,
        described["StackStatus"],
        described.get("StackStatusReason", ""),
        given,
        worked_out(document_of(body), given, physical, place),
    )


def document_of(body: Any) -> dict[str, Any]:
    """A template as GetTemplate gives it: JSON is parsed already, YAML is text."""
    if isinstance(body, Mapping):
        found: dict[str, Any] = json.loads(json.dumps(body))
        return found
    return template.parse(str(body), "the stack's template")


def worked_out(
    document: Mapping[str, Any],
    given: Mapping[str, str],
    physical: Mapping[str, str],
    place: Surroundings,
) -> dict[str, Resource]:
    """The resources of an expanded template, their properties resolved with the names they got."""
    values = template.parameters(
        document, {k: v for k, v in given.items() if k in _names(document)}
    )
    scope = template.scope(document, values, place)
    types = {name: document["Resources"][name]["Type"] for name in scope.resources}

    def ref(logical_id: str) -> Any:
        return physical.get(logical_id) or Pending(logical_id)

    def attribute(logical_id: str, name: str) -> Any:
        known = _attributes(types[logical_id], physical.get(logical_id, ""), place)
        return known.get(name) or Pending(logical_id, name)

    whole = template.with_values(scope, ref, attribute)
    return {
        name: Resource(
            name,
            kind,
            physical.get(name, ""),
            resolve(document["Resources"][name].get("Properties", {}), whole),
        )
        for name, kind in types.items()
    }


def _names(document: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(document.get("Parameters", {}))


_ARNS = {
    "AWS::IAM::Role": "arn:{p}:iam::{a}:role/{id}",
    "AWS::Lambda::Function": "arn:{p}:lambda:{r}:{a}:function:{id}",
    "AWS::Logs::LogGroup": "arn:{p}:logs:{r}:{a}:log-group:{id}:*",
    "AWS::S3::Bucket": "arn:{p}:s3:::{id}",
    "AWS::KMS::Key": "arn:{p}:kms:{r}:{a}:key/{id}",
    "AWS::SQS::Queue": "arn:{p}:sqs:{r}:{a}:{name}",
    "AWS::CodeBuild::Project": "arn:{p}:codebuild:{r}:{a}:project/{id}",
}


def _attributes(kind: str, physical_id: str, place: Surroundings) -> dict[str, str]:
    """What GetAtt gives of a resource, as far as its name tells."""
    name = physical_id.rpartition("/")[2].rpartition(":")[2]
    if not physical_id:
        return {}
    if physical_id.startswith("arn:"):
        return {"Arn": physical_id, "Name": name, "TopicArn": physical_id, "TopicName": name}
    pattern = _ARNS.get(kind)
    if pattern is None:
        return {}
    place_of = {"p": place.partition, "r": place.region, "a": place.account}
    arn = pattern.format(**place_of, id=physical_id, name=name)
    return {"Arn": arn, "QueueName": name}
