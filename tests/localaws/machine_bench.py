"""What the tests of state machines share: a bench on the running laptop."""

import itertools
import json
import threading
from collections.abc import Callable
from typing import Any

from localaws import clients
from localaws.machines import executions as machine_executions

ACCOUNT = "123456789012"
REGION = "us-east-1"
STATES = "states.amazonaws.com"
_numbers = itertools.count(1)


def client(service: str) -> Any:
    """A client of the developer."""
    return clients.developer_client(service)


def unused_name(prefix: str) -> str:
    """A name no other test uses."""
    return f"{prefix}-{next(_numbers)}"


def make_role(service: str = STATES, statements: list[dict[str, Any]] | None = None) -> str:
    """A role that `service` may assume; may do everything unless `statements` are given."""
    name = unused_name("role")
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    allowed = statements or [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    iam = client("iam")
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document([trust]))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=_document(allowed))
    return str(role["Arn"])


def _document(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def make_machine(definition: dict[str, Any], role: str | None = None, **more: Any) -> str:
    """A new machine; its ARN."""
    made = client("stepfunctions").create_state_machine(
        name=unused_name("machine"),
        definition=json.dumps(definition),
        roleArn=role or make_role(),
        **more,
    )
    return str(made["stateMachineArn"])


def start(machine: str, document: Any = None, **more: Any) -> str:
    """Start an execution; its ARN."""
    text = json.dumps({} if document is None else document)
    started = client("stepfunctions").start_execution(stateMachineArn=machine, input=text, **more)
    return str(started["executionArn"])


def ended(execution: str, timeout_s: float = 120) -> dict[str, Any]:
    """The execution's description, once it has ended."""
    wake = threading.Event()
    with machine_executions.ending(execution, wake):
        if describe(execution)["status"] == "RUNNING":
            assert wake.wait(timeout_s), f"{execution} still runs: {describe(execution)}"
    return describe(execution)


def describe(execution: str) -> dict[str, Any]:
    """DescribeExecution."""
    described: dict[str, Any] = client("stepfunctions").describe_execution(executionArn=execution)
    return described


def run(definition: dict[str, Any], document: Any = None, **more: Any) -> dict[str, Any]:
    """Create, start and await; the description of the ended execution."""
    return ended(start(make_machine(definition, **more), document))


def output_of(definition: dict[str, Any], document: Any = None) -> Any:
    """Output of an execution that must succeed."""
    description = run(definition, document)
    assert description["status"] == "SUCCEEDED", description
    return json.loads(description["output"])


def one_state(**state: Any) -> dict[str, Any]:
    """A definition of a single state."""
    return {"StartAt": "Only", "States": {"Only": {"End": True, **state}}}


def history(execution: str) -> list[dict[str, Any]]:
    """All events of an execution."""
    answer = client("stepfunctions").get_execution_history(executionArn=execution)
    events: list[dict[str, Any]] = answer["events"]
    return events


def types_of(execution: str) -> list[str]:
    """Types of all events of an execution."""
    return [event["type"] for event in history(execution)]


def until(condition: Callable[[], bool]) -> None:
    """Wait for something of another thread or process; the test's own time limit bounds it."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.01)
