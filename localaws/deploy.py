"""Deploys template.yaml to the laptop's AWS: `plan`, `deploy`, `destroy`.

    clients = aws_clients(boto3.Session(...), endpoint_url="http://localhost:4700")
    result = deploy(DeployRequest(Path("template.yaml"), "signalbox-dev"), clients)
    result.outputs["PipelineName"]

`clients` gives a boto3 client for a service name (localaws.clients.developer_client fits too);
everything is done through it, so IAM decides each call. The work is in localaws.deployer.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.deployer import plan as plans
from localaws.deployer import template
from localaws.deployer.blueprint import Blueprint, DeployRequest, Report, ResourceEvent, draw
from localaws.deployer.errors import (
    DeploymentError,
    DeploymentFailed,
    Problem,
    StackInUse,
    TemplateInvalid,
)
from localaws.deployer.execution import Execution
from localaws.deployer.plan import Action, Change, Plan
from localaws.deployer.removal import destroy_members
from localaws.deployer.resources.base import Clients, Site
from localaws.deployer.state import DeploymentBucket, Source
from localaws.deployer.template import Surroundings

__all__ = [
    "Action",
    "Change",
    "Clients",
    "DeployRequest",
    "DeployResult",
    "DeploymentError",
    "DeploymentFailed",
    "Plan",
    "Problem",
    "ResourceEvent",
    "StackInUse",
    "TemplateInvalid",
    "aws_clients",
    "declared_parameters",
    "deploy",
    "destroy",
    "plan",
    "prepare",
]


_SERVICES = (
    *("sts", "s3", "iam", "kms", "lambda", "logs", "stepfunctions", "codepipeline"),
    *("events", "scheduler", "sns", "sqs", "ssm", "cloudwatch", "codedeploy"),
)


@dataclass(frozen=True)
class DeployResult:
    """What a deployment left: the stack's outputs, and what it changed."""

    stack_id: str
    outputs: Mapping[str, str]
    changes: tuple[Change, ...]


def _ignore(_event: ResourceEvent) -> None:
    """Report to nobody."""


def plan(request: DeployRequest, clients: Clients) -> Plan:
    """What `deploy` would do; reads the stack's state and changes nothing."""
    blueprint, bucket = _prepared(request, clients)
    return plans.draw_plan(blueprint, bucket.read_state())


def deploy(request: DeployRequest, clients: Clients, report: Report = _ignore) -> DeployResult:
    """Create or update the stack.

    Raises TemplateInvalid before anything is made, DeploymentFailed after taking everything back.
    """
    blueprint, bucket = _prepared(request, clients)
    state = bucket.read_state()
    plans.draw_plan(blueprint, state)
    bucket.upload(blueprint.artifacts)
    site = Site(clients, blueprint.surroundings, request.tags)
    after, changes = Execution(blueprint, state, site, report).run()
    if after != state:
        source = Source(blueprint.template, request.parameters, request.tags)
        bucket.write_state(after, source)
    effective = tuple(change for change in changes if change.action is not Action.KEEP)
    return DeployResult(blueprint.surroundings.stack_id, after.outputs, effective)


def destroy(
    stack_name: str,
    clients: Clients,
    *,
    empty_buckets: bool = False,
    retained: bool = False,
    report: Report = _ignore,
) -> bool:
    """Delete a stack, False when there is none.

    Refuses (StackInUse) while a bucket holds objects, unless `empty_buckets`. What the template
    retains stays, unless `retained`.
    """
    surroundings = _surroundings(stack_name, clients)
    bucket = DeploymentBucket(clients, surroundings)
    state = bucket.read_state()
    if not state.exists:
        return False
    site = Site(clients, surroundings)
    rest = destroy_members(state, site, report, empty_buckets=empty_buckets, retained=retained)
    bucket.write_state(rest)
    return True


def aws_clients(session: Any, *, endpoint_url: str, **credentials: str) -> Clients:
    """Clients of `session` by service name, each made once; may be used by several threads.

    `credentials` as boto3 names them (`aws_access_key_id` ...) stand in for those of the session.
    """
    made: dict[str, Any] = {}
    lock = threading.Lock()

    def client(service: str) -> Any:
        with lock:
            if service not in made:
                made[service] = session.client(service, endpoint_url=endpoint_url, **credentials)
            return made[service]

    return client


def prepare(request: DeployRequest, session: Any, *, account: str, region: str) -> None:
    """Do ahead, while the server still starts, what needs no server.

    Builds layers, expands the template (kept on disk) and loads the descriptions of the services
    into `session`; raises TemplateInvalid as `deploy` would.
    """
    draw(request, Surroundings(request.stack_name, account, region))
    for service in _SERVICES:
        session.client(service, region_name=region, endpoint_url="http://localhost:1")


def declared_parameters(path: Path) -> frozenset[str]:
    """Names of the parameters that a template declares."""
    return frozenset(template.read(path).get("Parameters", {}))


def _prepared(request: DeployRequest, clients: Clients) -> tuple[Blueprint, DeploymentBucket]:
    surroundings = _surroundings(request.stack_name, clients)
    return draw(request, surroundings), DeploymentBucket(clients, surroundings)


def _surroundings(stack_name: str, clients: Clients) -> Surroundings:
    sts = clients("sts")
    account = sts.get_caller_identity()["Account"]
    region = sts.meta.region_name
    return Surroundings(stack_name, account, region, sts.meta.partition)
