"""The states that an execution of a machine has visited, as its history tells them."""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from signalbox_cli.target import Target


@dataclass(frozen=True)
class StateView:
    """One visit of one state of a machine; only a task does something."""

    name: str
    is_task: bool
    entered_at: datetime
    exited_at: datetime | None
    job_name: str


def read_states(target: Target, execution_arn: str) -> list[StateView]:
    """The states an execution has visited at its top level, in order."""
    pages = (
        target.client("stepfunctions")
        .get_paginator("get_execution_history")
        .paginate(executionArn=execution_arn)
    )
    states: list[StateView] = []
    for event in (e for page in pages for e in page["events"]):
        _advance(states, event)
    return states


def _advance(states: list[StateView], event: dict[str, Any]) -> None:
    if "stateEnteredEventDetails" in event:
        name = event["stateEnteredEventDetails"]["name"]
        is_task = event["type"] == "TaskStateEntered"
        states.append(StateView(name, is_task, event["timestamp"], None, ""))
    elif "taskScheduledEventDetails" in event and states:
        states[-1] = replace(states[-1], job_name=_job_name(event))
    elif "stateExitedEventDetails" in event:
        _close(states, event)


def _close(states: list[StateView], event: dict[str, Any]) -> None:
    name = event["stateExitedEventDetails"]["name"]
    for index in range(len(states) - 1, -1, -1):
        if states[index].name == name and states[index].exited_at is None:
            states[index] = replace(states[index], exited_at=event["timestamp"])
            return


def _job_name(event: dict[str, Any]) -> str:
    given = json.loads(event["taskScheduledEventDetails"].get("parameters") or "{}")
    names = ("ProcessingJobName", "TrainingJobName", "TransformJobName")
    return next((str(given[name]) for name in names if name in given), "")
