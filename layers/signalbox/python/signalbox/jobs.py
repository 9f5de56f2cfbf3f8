"""SageMaker jobs as a state machine's history tells of them: which ran, how long, on what.

Rules only: imports no AWS client.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from signalbox.json_documents import JsonObject

_ENDS_TASK = {
    "TaskSucceeded": "taskSucceededEventDetails",
    "TaskFailed": "taskFailedEventDetails",
    "TaskTimedOut": "taskTimedOutEventDetails",
    "ExecutionAborted": "executionAbortedEventDetails",
    "ExecutionFailed": "executionFailedEventDetails",
    "ExecutionTimedOut": "executionTimedOutEventDetails",
}
_CUT_LINE = 200


class JobKind(StrEnum):
    """The word that the members of a kind's descriptions begin with."""

    PROCESSING = "Processing"
    TRAINING = "Training"
    TRANSFORM = "Transform"

    @property
    def log_group(self) -> str:
        """Where SageMaker writes (Developer Guide, "Log groups and streams", read 2026-11-21)."""
        return f"/aws/sagemaker/{self}Jobs"


@dataclass(frozen=True)
class JobName:
    """A job; its log streams begin with its name and a slash."""

    kind: JobKind
    name: str


@dataclass(frozen=True)
class Job:
    """A job that has ended; every one of its instances is billed for `seconds`."""

    named: JobName
    state: str
    instance_type: str
    instance_count: int
    seconds: float
    is_completed: bool


@dataclass(frozen=True)
class _Task:
    state: str
    parameters: JsonObject
    submitted_at: datetime | None = None


def in_history(events: Iterable[Mapping[str, Any]]) -> tuple[Job, ...]:
    """The jobs in the history of one execution, oldest event first, that have ended.

    A job is counted once SageMaker has taken it (`TaskSubmitted`). Jobs that run beside each
    other are not told apart: Signalbox's machines run one after another.
    """
    found: list[Job] = []
    state, task = "", None
    for event in events:
        state = event.get("stateEnteredEventDetails", {}).get("name", state)
        scheduled = event.get("taskScheduledEventDetails")
        if scheduled is not None:
            task = _Task(state, _object(scheduled.get("parameters")))
        elif event.get("type") == "TaskSubmitted" and task is not None:
            task = replace(task, submitted_at=event["timestamp"])
        elif event.get("type") in _ENDS_TASK and task is not None:
            found += _ended(task, event)
            task = None
    return tuple(found)


def _ended(task: _Task, event: Mapping[str, Any]) -> list[Job]:
    named = _name(task.parameters)
    if named is None or task.submitted_at is None:
        return []
    details = event.get(_ENDS_TASK[event["type"]], {})
    described = _object(details.get("output") or details.get("cause"))
    passed = (event["timestamp"] - task.submitted_at).total_seconds()
    instance_type, count = _instances(task.parameters)
    billed = _billed_s(named.kind, described)
    return [
        Job(
            named=named,
            state=task.state,
            instance_type=instance_type,
            instance_count=count,
            seconds=passed if billed is None else billed,
            is_completed=event["type"] == "TaskSucceeded",
        )
    ]


def _name(parameters: JsonObject) -> JobName | None:
    found = ((kind, parameters.get(f"{kind}JobName")) for kind in JobKind)
    return next((JobName(kind, str(name)) for kind, name in found if name), None)


def _instances(parameters: JsonObject) -> tuple[str, int]:
    """Instance type and count, under the member that each kind of job has for them."""
    processing = _object(parameters.get("ProcessingResources")).get("ClusterConfig")
    wanted = parameters.get("ResourceConfig") or parameters.get("TransformResources")
    resources = _object(processing or wanted)
    count = resources.get("InstanceCount")
    return str(resources.get("InstanceType", "")), count if isinstance(count, int) else 1


def _billed_s(kind: JobKind, described: JsonObject) -> float | None:
    """What SageMaker says of a job's time; Step Functions gives moments as epoch milliseconds.

    Source: API reference, DescribeTrainingJob, BillableTimeInSeconds: wall-clock time of one
    instance, to be multiplied by their number (read 2026-11-21).
    """
    billable = described.get("BillableTimeInSeconds")
    if isinstance(billable, int | float):
        return float(billable)
    start, end = described.get(f"{kind}StartTime"), described.get(f"{kind}EndTime")
    if isinstance(start, int | float) and isinstance(end, int | float):
        return (end - start) / 1000
    return None


def _object(value: Any) -> JsonObject:
    """A JSON object, parsed where it is a text; empty for anything else, such as half a text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


def shown_log(messages: Iterable[str]) -> list[str]:
    r"""Log messages as lines of a message to people: without control characters, cut at 200.

    >>> shown_log(["epoch 1\repoch 2\n", "\x1b[31mno\tcolumn"])
    ['epoch 2', ' [31mno column']
    """
    lines = (line for text in messages for line in text.rstrip().split("\n"))
    return [_cut(line.rstrip("\r").rpartition("\r")[2]) for line in lines]


def _cut(line: str) -> str:
    plain = "".join(char if char.isprintable() else " " for char in line)
    return plain if len(plain) <= _CUT_LINE else f"{plain[: _CUT_LINE - 3]}..."
