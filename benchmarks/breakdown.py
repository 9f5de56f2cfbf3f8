"""Where the time of a whole run goes, by what the services say of their own beginnings and ends."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from benchmarks.warm_laptop import Run, WarmLaptop
from signalbox_cli.runs import GATES, ActionView, read_run

_MACHINES = ("Train", "Inference")
_KINDS = {"lambda": "functions called by state machines", "sagemaker": "jobs"}
_CALLS = "other calls by state machines"
ROWS = (
    "jobs",
    "functions called by state machines",
    "functions called by the pipeline",
    _CALLS,
    "state machines between their tasks",
    "automatic gates",
    "pipeline: source, and between stages",
    "client: packing, upload, start, noticing the end",
)
"""Every part of a run once, in the order they are shown."""


def seconds_by_part(served: WarmLaptop, run: Run) -> dict[str, float]:
    """Seconds of each of `ROWS`, and `job NAME` for each job's state; ROWS add up to the run."""
    actions = read_run(served.target, run.execution_id).actions
    spent: dict[str, float] = defaultdict(float)
    for action in actions:
        if action.stage in _MACHINES:
            _add_machine(spent, served, action)
        elif action.stage in GATES:
            spent["automatic gates"] += action.duration_s
        elif action.stage.startswith("Prepare"):
            spent["functions called by the pipeline"] += action.duration_s
    whole = _span(actions)
    known = sum(spent[name] for name in ROWS)
    spent["pipeline: source, and between stages"] = whole - known
    spent["client: packing, upload, start, noticing the end"] = run.seconds - whole
    return spent


def _span(actions: tuple[ActionView, ...]) -> float:
    first, last = min(a.started_at for a in actions), max(a.updated_at for a in actions)
    return (last - first).total_seconds()


def _add_machine(spent: dict[str, float], served: WarmLaptop, action: ActionView) -> None:
    history = served.target.client("stepfunctions").get_execution_history(
        executionArn=action.external_id, maxResults=1000
    )["events"]
    in_tasks = 0.0
    for name, kind, seconds in _tasks(history):
        spent[kind] += seconds
        in_tasks += seconds
        if kind == "jobs":
            spent[f"job {name}"] += seconds
    spent["state machines between their tasks"] += action.duration_s - in_tasks


def _tasks(history: list[dict[str, Any]]) -> Iterator[tuple[str, str, float]]:
    """Name, kind and seconds of each task; the machines here run one after the other."""
    entered: datetime | None = None
    kind = _CALLS
    for event in history:
        if event["type"] == "TaskStateEntered":
            entered, kind = event["timestamp"], _CALLS
        elif event["type"] == "TaskScheduled":
            kind = _kind(event["taskScheduledEventDetails"])
        elif event["type"] == "TaskStateExited" and entered is not None:
            name = event["stateExitedEventDetails"]["name"]
            yield name, kind, (event["timestamp"] - entered).total_seconds()


def _kind(scheduled: dict[str, str]) -> str:
    waits = scheduled["resource"].endswith(".sync")
    if scheduled["resourceType"] == "sagemaker" and not waits:
        return _CALLS
    return _KINDS.get(scheduled["resourceType"], _CALLS)
