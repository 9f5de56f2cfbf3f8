"""What waits for a decision: which gate, of which run, on whom, since when, until when."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from signalbox_cli.runs import GATES, RunView, read_manifest, read_run
from signalbox_cli.target import Target

_DEFAULT_TIMEOUT = timedelta(days=7)  # CodePipeline quotas: a manual approval


@dataclass(frozen=True)
class WaitingGate:
    """One gate that waits."""

    gate: str
    run: RunView
    workload: str
    since: datetime
    deadline: datetime
    on: str

    def document(self) -> dict[str, str]:
        """The gate as JSON."""
        return {
            "gate": self.gate,
            "runId": self.run.run_id,
            "executionId": self.run.execution_id,
            "workload": self.workload,
            "waitsFor": self.on,
            "since": self.since.isoformat(),
            "deadline": self.deadline.isoformat(),
        }


def waiting_gates(target: Target) -> list[WaitingGate]:
    """Every gate that waits now, the earliest deadline first."""
    pipeline = target.wiring().pipeline
    state = target.client("codepipeline").get_pipeline_state(name=pipeline)
    held = [
        stage["latestExecution"]["pipelineExecutionId"]
        for stage in state["stageStates"]
        if stage["stageName"] in GATES
        for action in stage["actionStates"]
        if action.get("latestExecution", {}).get("status") == "InProgress"
    ]
    limits = _timeouts(target, pipeline)
    found = [gate_of(target, read_run(target, execution), limits) for execution in held]
    return sorted((gate for gate in found if gate), key=lambda gate: gate.deadline)


def gate_of(
    target: Target, run: RunView, limits: dict[str, timedelta] | None = None
) -> WaitingGate | None:
    """The gate at which a run waits; None when it waits at none."""
    action = run.action(run.waiting_gate) if run.waiting_gate else None
    if action is None:
        return None
    known = _timeouts(target, target.wiring().pipeline) if limits is None else limits
    manifest = read_manifest(target, run)
    return WaitingGate(
        gate=action.stage,
        run=run,
        workload=run.workload,
        since=action.started_at,
        deadline=action.started_at + known.get(action.stage, _DEFAULT_TIMEOUT),
        on=_on_whom(action.stage, manifest, two_people=target.wiring().two_person_rule),
    )


def _timeouts(target: Target, pipeline: str) -> dict[str, timedelta]:
    declared = target.client("codepipeline").get_pipeline(name=pipeline)["pipeline"]
    return {
        action["name"]: timedelta(minutes=action["timeoutInMinutes"])
        for stage in declared["stages"]
        for action in stage["actions"]
        if "timeoutInMinutes" in action
    }


def _on_whom(gate: str, manifest: dict[str, Any], *, two_people: bool) -> str:
    author = str(manifest["run"].get("releasedBy", ""))
    if gate == "UploadSourceData":
        return f"training data under {manifest['locations']['source']}/"
    if gate == "UploadInferenceData":
        return f"rows to predict under {manifest['locations']['inference']}/"
    if two_people and author:
        return f"a reviewer other than {author}"
    return "a reviewer"


def left(deadline: datetime, now: datetime | None = None) -> str:
    """Time to a deadline, in its two largest units.

    >>> left(datetime(2026, 11, 28, tzinfo=UTC), datetime(2026, 11, 21, 1, tzinfo=UTC))
    '6 d 23 h'
    """
    seconds = int((deadline - (now or datetime.now(UTC))).total_seconds())
    if seconds <= 0:
        return "over"
    days, rest = divmod(seconds, 86_400)
    hours, minutes = rest // 3600, rest % 3600 // 60
    return f"{days} d {hours} h" if days else f"{hours} h {minutes:02d} min"
