"""Runs a real ASL file in moto's interpreter with every task answered by a script.

What AWS would receive is recorded as evaluated by the interpreter, so that a test can look at
requests, at the states visited, and at the ending. Waits and back-off take no time. The private
names of moto that are needed are all in this file.
"""

import copy
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import boto3
import pytest
from moto import mock_aws
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_factory
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service as task_service,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_callback as callback,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

FOLDER = Path(__file__).parents[2] / "statemachines"
SUBSTITUTIONS = {
    name: f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    for name in ("RecordOutcomeFunctionArn", "JudgeModelFunctionArn")
}
EXECUTION_LIMIT_S = 30.0

# moto's grammar takes the key "RoleArn.$" for the one of a Credentials block and would hand on its
# path unread; in another case it is a key like any other.
_AS_WRITTEN = {"roleArn": "RoleArn"}

Answer = Callable[[dict[str, Any]], Any]


@dataclass
class TaskError(Exception):
    """What a task fails with, as Retry and Catch see it."""

    error: str
    cause: str = "a cause"


@dataclass(frozen=True)
class Call:
    """One task as the service would have received it."""

    action: str
    parameters: dict[str, Any]


@dataclass
class Ending:
    """How an execution ended and what it did on the way."""

    status: str
    output: Any
    error: str | None
    cause: str | None
    states: list[str]
    calls: list[Call]

    def requests(self, action: str) -> list[dict[str, Any]]:
        """The parameters of every call of one action, in order."""
        return [call.parameters for call in self.calls if call.action == action]


@dataclass
class Answers:
    """Scripted answers by action; every call is recorded before it is answered."""

    by_action: dict[str, Answer]
    calls: list[Call] = field(default_factory=list)

    def answer(self, action: str, parameters: dict[str, Any]) -> Any:
        request = {_AS_WRITTEN.get(name, name): value for name, value in parameters.items()}
        self.calls.append(Call(action, copy.deepcopy(request)))
        return self.by_action[action](request)


def in_turn(*answers: Any) -> Answer:
    """Answers with each value in its turn and with the last one for ever; errors are raised."""
    left = list(answers)

    def answer(parameters: dict[str, Any]) -> Any:
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, TaskError):
            raise one
        return one(parameters) if callable(one) else one

    return answer


def definition(name: str) -> dict[str, Any]:
    """One of the repository's machines, as committed."""
    parsed: dict[str, Any] = json.loads((FOLDER / f"{name}.asl.json").read_text())
    return parsed


def states_of(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every state of a machine, those inside a Map too."""
    for name, state in machine["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from states_of(state["ItemProcessor"])


def substituted(name: str) -> str:
    """The machine's text as it is deployed."""
    text = (FOLDER / f"{name}.asl.json").read_text()
    for key, value in SUBSTITUTIONS.items():
        text = text.replace(f"${{{key}}}", value)
    return text


class _ScriptedTask(callback.StateTaskServiceCallback):  # type: ignore[misc]
    """A task of any service, answered by the script of the running test."""

    # Of the running test; a machine is parsed once for all of them.
    answers: ClassVar[Answers]

    def __init__(self) -> None:
        super().__init__(supported_integration_patterns=set())

    def _validate_service_integration_is_supported(self) -> None:
        """Which integrations exist is checked by a table in the tests."""

    def _eval_service_task(self, env: Any, **task: Any) -> None:
        action = self.resource.resource_arn.removeprefix("arn:aws:states:::")
        env.stack.append(self.answers.answer(action, task["normalised_parameters"]))

    def _after_eval_execution(self, **task: Any) -> None:
        """As for a plain task: a scripted .sync task answers when the job has ended."""
        task_service.StateTaskService._after_eval_execution(self, **task)

    def _from_error(self, env: Any, ex: Exception) -> Any:
        if not isinstance(ex, TaskError):
            return super()._from_error(env=env, ex=ex)
        details = TaskFailedEventDetails(
            error=ex.error, cause=ex.cause, resource="scripted", resourceType="scripted"
        )
        return FailureEvent(
            env=env,
            error_name=ErrorName(ex.error),
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=details),
        )


_parse = AmazonStateLanguageParser.parse


@cache
def _parse_once(text: str) -> Any:
    """A machine as the interpreter's program, which keeps nothing of an execution."""
    return _parse(text)


@contextmanager
def _scripted(answers: Answers) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_ScriptedTask, "answers", answers, raising=False)
        patch.setattr(state_task_factory, "state_task_service_for", lambda **_: _ScriptedTask())
        patch.setattr(retrier_decl, "time", SimpleNamespace(sleep=lambda _: None))
        patch.setattr(AmazonStateLanguageParser, "parse", staticmethod(_parse_once))
        yield


@cache
def _client() -> Any:
    """One client for every execution: made inside the first mock, answered by each later one."""
    return boto3.client("stepfunctions", region_name="us-east-1")


def run(name: str, manifest: dict[str, Any], by_action: dict[str, Answer]) -> Ending:
    """Run one of the repository's machines to its end."""
    answers = Answers(by_action)
    config: Any = {"stepfunctions": {"execute_state_machine": True}}
    with mock_aws(config=config), _scripted(answers):
        client = _client()
        machine = client.create_state_machine(
            name=name,
            definition=_interpretable(substituted(name)),
            roleArn="arn:aws:iam::123456789012:role/machine",
        )
        started = client.start_execution(
            stateMachineArn=machine["stateMachineArn"], name="run", input=json.dumps(manifest)
        )
        return _ending(client, started["executionArn"], answers)


def _interpretable(text: str) -> str:
    machine = json.loads(text)
    for _, state in states_of(machine):
        if state["Type"] == "Wait":
            state["Seconds"] = 0
    return json.dumps(machine).replace('"RoleArn.$"', '"roleArn.$"')


def _ending(client: Any, execution: str, answers: Answers) -> Ending:
    described = _wait_for_end(client, execution)
    pages = client.get_paginator("get_execution_history").paginate(executionArn=execution)
    entered = [
        event["stateEnteredEventDetails"]["name"]
        for page in pages
        for event in page["events"]
        if "stateEnteredEventDetails" in event
    ]
    return Ending(
        status=described["status"],
        output=json.loads(described.get("output") or "null"),
        error=described.get("error"),
        cause=described.get("cause"),
        states=entered,
        calls=answers.calls,
    )


def _wait_for_end(client: Any, execution: str) -> Any:
    limit = time.monotonic() + EXECUTION_LIMIT_S
    while time.monotonic() < limit:
        described = client.describe_execution(executionArn=execution)
        if described["status"] != "RUNNING":
            return described
        time.sleep(0.005)
    raise TimeoutError(f"the execution did not end within {EXECUTION_LIMIT_S} s")
