"""Runs a real ASL file in the laptop's interpreter with every task answered by a script.

What AWS would receive is recorded as evaluated by the interpreter, so that a test can look at
requests, at the states visited, and at the ending. Nothing is called: no server, no role, no
SageMaker. Waits and back-off take no time.
"""

import copy
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from localaws import clock
from localaws.machines import calls as machine_calls
from localaws.machines import service as machines
from localaws.moto_seams import machines as seams
from localaws.moto_seams import patches as moto_patches

FOLDER = Path(__file__).parents[2] / "statemachines"
SUBSTITUTIONS = {
    name: f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    for name in (
        "RecordOutcomeFunctionArn",
        "JudgeModelFunctionArn",
        "BuildReportFunctionArn",
        "ProbeEndpointFunctionArn",
        "PromoteVersionFunctionArn",
    )
}
EXECUTION_LIMIT_S = 120.0
ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/machine"

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
    arn: str
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


class _ScriptedTask(seams.StateTaskServiceCallback):  # type: ignore[misc]
    """A task of any service, answered by the script of the running test."""

    # Of the running test; a machine is parsed once for all of them.
    answers: ClassVar[Answers]

    def __init__(self) -> None:
        super().__init__(supported_integration_patterns=set())

    def _validate_service_integration_is_supported(self) -> None:
        """Which integrations exist is checked by a table in the tests."""

    def _normalise_parameters(self, *_: Any, **__: Any) -> None:
        """Requests are looked at as the machine wrote them."""

    _normalise_response = _normalise_parameters

    def _eval_service_task(self, env: Any, **task: Any) -> None:
        action = self.resource.resource_arn.removeprefix("arn:aws:states:::")
        env.stack.append(self.answers.answer(action, task["normalised_parameters"]))

    def _after_eval_execution(self, **task: Any) -> None:
        """As for a plain task: a scripted .sync task answers when the job has ended."""
        seams.StateTaskService._after_eval_execution(self, **task)

    def _from_error(self, env: Any, ex: Exception) -> Any:
        if isinstance(ex, TaskError):
            return machine_calls.failure_event(self, env, ex.error, ex.cause)
        return super()._from_error(env=env, ex=ex)


@contextmanager
def _scripted(answers: Answers) -> Iterator[None]:
    machines.complete_interpreter()
    pace = clock.time_scale()
    clock.set_time_scale(1e9)
    moto_patches.add(_ScriptedTask, "answers", answers)
    seams.rebind(seams.state_task_factory, "state_task_service_for", lambda **_: _ScriptedTask())
    try:
        yield
    finally:
        moto_patches.restore()
        clock.set_time_scale(pace)


def run(name: str, manifest: dict[str, Any], by_action: dict[str, Answer]) -> Ending:
    """Run one of the repository's machines to its end."""
    answers = Answers(by_action)
    # An account of its own: the interpreter's state is that of the process.
    backend = seams.stepfunctions_parser_backends[ACCOUNT]["us-east-1"]
    with _scripted(answers):
        machine = backend.create_state_machine(
            name=f"{name}-{uuid.uuid4()}", definition=_interpretable(name), roleArn=ROLE
        )
        execution = backend.start_execution(machine.arn, "run", json.dumps(manifest))
        _wait_for_end(execution)
    return _ending(execution, answers)


def _interpretable(name: str) -> str:
    return substituted(name).replace('"RoleArn.$"', '"roleArn.$"')


def _wait_for_end(execution: Any) -> None:
    limit = time.monotonic() + EXECUTION_LIMIT_S
    while execution.exec_status in (None, "RUNNING"):
        if time.monotonic() > limit:
            raise TimeoutError(f"the execution did not end within {EXECUTION_LIMIT_S} s")
        time.sleep(0.002)


def _ending(execution: Any, answers: Answers) -> Ending:
    events = execution.to_history_output()["events"]
    entered = [e["stateEnteredEventDetails"] for e in events if "stateEnteredEventDetails" in e]
    return Ending(
        status=execution.exec_status,
        arn=execution.execution_arn,
        output=json.loads(execution.output or "null"),
        error=execution.error,
        cause=execution.cause,
        states=[state["name"] for state in entered],
        calls=answers.calls,
    )
