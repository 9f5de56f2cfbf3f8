"""The repository's own template, whole, on the laptop's AWS."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localaws import clients
from localaws.deploy import DeployRequest, DeployResult, deploy, plan
from localaws.server import Config, LaptopServer

ROOT = Path(__file__).parents[2]


class Stack:
    """The deployed environment, and the calls made since."""

    def __init__(self, request: DeployRequest) -> None:
        self.request = request
        self.calls: list[str] = []
        self._watched: set[int] = set()
        self.result: DeployResult = deploy(request, self.client)

    def client(self, service: str) -> Any:
        client = clients.developer_client(service)
        if id(client) not in self._watched:
            self._watched.add(id(client))
            client.meta.events.register("before-call", self._record)
        return client

    def _record(self, model: Any, **_: Any) -> None:
        self.calls.append(model.name)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("state")
    build = ROOT / ".signalbox" / "build"
    with LaptopServer(Config(port=0, state_dir=folder)):
        yield Stack(DeployRequest(ROOT / "template.yaml", "signalbox-dev", build_dir=build))


def test_the_wiring_holds_what_the_command_looks_for(stack: Stack) -> None:
    found = stack.client("ssm").get_parameters_by_path(Path="/signalbox/dev/", MaxResults=10)
    more = stack.client("ssm").get_parameters_by_path(
        Path="/signalbox/dev/", MaxResults=10, NextToken=found["NextToken"]
    )
    names = {item["Name"].split("/")[-1] for item in found["Parameters"] + more["Parameters"]}

    assert names == {
        "pipeline-name",
        "source-bucket",
        "source-key",
        "workflow-bucket",
        "artifact-bucket",
        "training-state-machine-arn",
        "inference-state-machine-arn",
        "promotion-state-machine-arn",
        "promotion-path",
        "image-uri",
        "notification-topic-arn",
        "two-person-rule",
        "job-role-arn",
        "hosting-role-arn",
        "kms-key-arn",
    }


def test_the_machines_have_no_substitution_left(stack: Stack) -> None:
    for output in ("TrainingStateMachineArn", "InferenceStateMachineArn"):
        machine = stack.client("stepfunctions").describe_state_machine(
            stateMachineArn=stack.result.outputs[output]
        )
        assert "${" not in machine["definition"]
        assert machine["loggingConfiguration"]["level"] == "ALL"


def test_every_function_starts_with_its_layers(stack: Stack) -> None:
    """An empty event is refused by the handlers themselves, so each one was imported."""
    listed = stack.client("lambda").list_functions()["Functions"]
    assert len(listed) >= 5

    for function in listed:
        answer = stack.client("lambda").invoke(FunctionName=function["FunctionName"], Payload=b"{}")
        failure = json.loads(answer["Payload"].read())
        assert not failure["errorType"].startswith("Runtime."), failure


def test_a_second_deployment_makes_no_changing_call(stack: Stack) -> None:
    stack.calls.clear()

    again = deploy(stack.request, stack.client)

    assert again.changes == ()
    assert again.outputs == stack.result.outputs
    assert set(stack.calls) == {"GetCallerIdentity", "GetObject", "ListObjectsV2"}


def test_the_plan_of_a_change_names_it(stack: Stack) -> None:
    request = DeployRequest(
        stack.request.template,
        stack.request.stack_name,
        {"LogRetentionDays": "30"},
        build_dir=stack.request.build_dir,
    )

    effective = plan(request, stack.client).effective

    assert {change.action.value for change in effective} == {"update"}
    assert {change.type_name for change in effective} == {"AWS::Logs::LogGroup"}
    assert {change.properties for change in effective} == {("RetentionInDays",)}
