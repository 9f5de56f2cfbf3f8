"""One run as the services tell it: pipeline actions, state machine, jobs, manifest.

Everything here only reads. A run is named by its run id or by its pipeline execution id.
"""

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from signalbox_cli.errors import NotFoundError
from signalbox_cli.faults import readable
from signalbox_cli.target import Target

STAGES = (
    "Source",
    "Prepare",
    "UploadSourceData",
    "Train",
    "ApproveModel",
    "PrepareInference",
    "UploadInferenceData",
    "Inference",
)
GATES = ("UploadSourceData", "ApproveModel", "UploadInferenceData")
SCHEDULED = "scheduled-"
"""What the names of a scheduled batch's executions begin with (signalbox.schedules)."""
_MOST_EXECUTIONS = 1000  # those of pipelines are among them
_ROLE_OF_SCHEDULES = "-run-schedule-"
_MACHINE_STATUS = {
    "RUNNING": "InProgress",
    "PENDING_REDRIVE": "InProgress",
    "SUCCEEDED": "Succeeded",
    "FAILED": "Failed",
    "TIMED_OUT": "Failed",
    "ABORTED": "Stopped",
}
FINISHED = frozenset({"Succeeded", "Failed", "Stopped", "Cancelled", "Superseded"})


@dataclass(frozen=True)
class ActionView:
    """One pipeline action of one run."""

    stage: str
    status: str
    started_at: datetime
    updated_at: datetime
    summary: str
    external_id: str
    action_execution_id: str
    error: str
    output: dict[str, str]

    @property
    def duration_s(self) -> float:
        """Seconds it took, or has taken so far."""
        end = self.updated_at if self.status != "InProgress" else datetime.now(UTC)
        return (end - self.started_at).total_seconds()


@dataclass(frozen=True)
class ScheduledBatch:
    """A run that is one execution of the inference machine, and no pipeline's."""

    run_id: str
    workload: str


@dataclass(frozen=True)
class RunView:
    """One run at one moment."""

    execution_id: str
    status: str
    actions: tuple[ActionView, ...]
    started_by: str = ""
    """Who or what: a user or role, "event RULE", or a schedule."""
    batch: ScheduledBatch | None = None
    """What a schedule started without the pipeline."""

    def action(self, stage: str) -> ActionView | None:
        """The latest attempt at a stage, or None when the run has not come to it."""
        found = [a for a in self.actions if a.stage == stage]
        return max(found, key=lambda a: a.started_at) if found else None

    @property
    def run_id(self) -> str:
        """The run id, empty until create_schema has given one."""
        if self.batch:
            return self.batch.run_id
        prepared = self.action("Prepare")
        return prepared.output.get("run_id", "") if prepared else ""

    @property
    def name(self) -> str:
        """The run id, or the execution id while there is none."""
        return self.run_id or self.execution_id

    @property
    def place(self) -> str:
        """Where it stands, in words that follow its name."""
        if self.is_finished:
            return f"has ended: {self.headline}"
        if self.waiting_gate:
            return f"waits at {self.waiting_gate}"
        return f"is at {self.actions[-1].stage}" if self.actions else "has just started"

    @property
    def workload(self) -> str:
        """The workload's name, empty until create_schema has read it."""
        if self.batch:
            return self.batch.workload
        prepared = self.action("Prepare")
        return prepared.output.get("workload", "") if prepared else ""

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.status in FINISHED

    @property
    def is_refused(self) -> bool:
        """Whether the quality gates ended it."""
        train = self.action("Train")
        failed = train is not None and train.status == "Failed"
        return failed and train is not None and "QualityGateFailed" in train.error

    @property
    def waiting_gate(self) -> str:
        """The gate that waits for a decision, or an empty string."""
        open_gates = [a.stage for a in self.actions if a.status == "InProgress"]
        return next((gate for gate in GATES if gate in open_gates), "")

    @property
    def is_about_to_wait(self) -> bool:
        """Whether only short stages lie between here and a gate for data."""
        if not self.actions:
            return True
        latest = self.actions[-1]
        before = ("Source", "Prepare", "PrepareInference")
        return latest.stage in before and latest.status in ("InProgress", "Succeeded")

    @property
    def headline(self) -> str:
        """One word for where it stands: Waiting, Refused, or the pipeline's own status."""
        if self.is_refused:
            return "Refused"
        return "Waiting" if self.waiting_gate and not self.is_finished else self.status

    @property
    def started_at(self) -> datetime | None:
        """When its first action began."""
        return min((a.started_at for a in self.actions), default=None)

    @property
    def duration_s(self) -> float:
        """Seconds from the first action's start to the last update (or to now)."""
        if not self.actions or self.started_at is None:
            return 0.0
        end = max(a.updated_at for a in self.actions) if self.is_finished else datetime.now(UTC)
        return (end - self.started_at).total_seconds()

    @property
    def error(self) -> str:
        """What the failed action said."""
        return next((a.error or a.summary for a in self.actions if a.status == "Failed"), "")


def _action_view(detail: dict[str, Any]) -> ActionView:
    output = detail.get("output", {})
    result = output.get("executionResult", {})
    fault = result.get("errorDetails", {})
    return ActionView(
        stage=detail["stageName"],
        status=detail["status"],
        started_at=detail["startTime"].astimezone(UTC),
        updated_at=detail.get("lastUpdateTime", detail["startTime"]).astimezone(UTC),
        summary=result.get("externalExecutionSummary", ""),
        external_id=result.get("externalExecutionId", ""),
        action_execution_id=detail["actionExecutionId"],
        error=readable(" ".join(filter(None, (fault.get("code"), fault.get("message"))))),
        output=output.get("outputVariables", {}),
    )


def read_run(target: Target, execution_id: str) -> RunView:
    """The run of one pipeline execution (or of one scheduled batch), as it stands."""
    if execution_id.startswith(SCHEDULED):
        return read_scheduled(target, execution_id)
    pipeline = target.wiring().pipeline
    client = target.client("codepipeline")
    execution = client.get_pipeline_execution(
        pipelineName=pipeline, pipelineExecutionId=execution_id
    )["pipelineExecution"]
    pages = client.get_paginator("list_action_executions").paginate(
        pipelineName=pipeline, filter={"pipelineExecutionId": execution_id}
    )
    details = [d for page in pages for d in page["actionExecutionDetails"]]
    actions = sorted((_action_view(d) for d in details), key=lambda a: a.started_at)
    started_by = _started_by(execution.get("trigger", {}))
    return RunView(execution_id, execution["status"], tuple(actions), started_by)


def _started_by(trigger: dict[str, str]) -> str:
    """Whom a trigger's ARN names; a schedule where it is the function that schedules call."""
    arn = trigger.get("triggerDetail", "")
    if _ROLE_OF_SCHEDULES in arn:
        return "retrain schedule"
    name = arn.split("/")[1] if ":assumed-role/" in arn else arn.rpartition("/")[2]
    return f"event {name}" if trigger.get("triggerType") == "CloudWatchEvent" else name


def read_scheduled(target: Target, name: str) -> RunView:
    """The run of one scheduled batch by the name of its execution; raises NotFoundError."""
    machine = target.wiring().inference_machine_arn
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
    client = target.client("stepfunctions")
    try:
        found = client.describe_execution(executionArn=arn)
    except client.exceptions.ExecutionDoesNotExist:
        raise NotFoundError(f"no run '{name}' in {target.describe()}") from None
    status = _MACHINE_STATUS[found["status"]]
    action = ActionView(
        stage="Inference",
        status=status,
        started_at=found["startDate"].astimezone(UTC),
        updated_at=found.get("stopDate", found["startDate"]).astimezone(UTC),
        summary="",
        external_id=arn,
        action_execution_id=arn,
        error=readable(": ".join(filter(None, (found.get("error"), found.get("cause"))))),
        output={},
    )
    manifest = json.loads(found["input"])
    batch = ScheduledBatch(name.removeprefix(SCHEDULED), manifest["workload"]["name"])
    return RunView(name, status, (action,), "batch schedule", batch)


def scheduled_batches(target: Target) -> Iterator[RunView]:
    """The runs that a schedule started without the pipeline, newest first."""
    pages = (
        target.client("stepfunctions")
        .get_paginator("list_executions")
        .paginate(
            stateMachineArn=target.wiring().inference_machine_arn,
            PaginationConfig={"MaxItems": _MOST_EXECUTIONS},
        )
    )
    names = (one["name"] for page in pages for one in page["executions"])
    return (read_scheduled(target, name) for name in names if name.startswith(SCHEDULED))


def newest_runs(target: Target, limit: int) -> list[RunView]:
    """The newest runs however they were started, newest first."""
    every = (recent_runs(target, limit), scheduled_batches(target))
    return list(islice(heapq.merge(*every, key=_beginning, reverse=True), limit))


def _beginning(run: RunView) -> datetime:
    return run.started_at or datetime.now(UTC)


def recent_execution_ids(target: Target, limit: int = 100) -> list[str]:
    """Pipeline execution ids, newest first."""
    pages = (
        target.client("codepipeline")
        .get_paginator("list_pipeline_executions")
        .paginate(
            pipelineName=target.wiring().pipeline,
            PaginationConfig={"MaxItems": limit, "PageSize": min(limit, 100)},
        )
    )
    return [s["pipelineExecutionId"] for page in pages for s in page["pipelineExecutionSummaries"]]


def recent_runs(target: Target, limit: int = 10) -> Iterator[RunView]:
    """The newest runs, newest first."""
    for execution_id in recent_execution_ids(target, limit):
        yield read_run(target, execution_id)


def find_run(
    target: Target, name: str | None, *, waiting_at: str | tuple[str, ...] = ()
) -> RunView:
    """The run that `name` means; without a name the pipeline's newest (that waits at `waiting_at`).

    Raises NotFoundError that lists the runs there are.
    """
    gates = (waiting_at,) if isinstance(waiting_at, str) else waiting_at
    if name and not gates and (batch := _scheduled(target, name)):
        return batch
    runs = []
    for run in recent_runs(target, 100 if name else 20):
        runs.append(run)
        if _is_meant(run, name) and (not gates or run.waiting_gate in gates):
            return run
    raise NotFoundError(_not_found(target, runs[:5], name, gates))


def _scheduled(target: Target, name: str) -> RunView | None:
    try:
        return read_scheduled(target, f"{SCHEDULED}{name.removeprefix(SCHEDULED)}")
    except NotFoundError:
        return None


def _not_found(
    target: Target, newest: list[RunView], name: str | None, gates: tuple[str, ...]
) -> str:
    if not newest:
        return f"no run yet in {target.describe()}; `signalbox release FOLDER` starts one"
    what = f"no run '{name}'" if name else "no run"
    at = "a gate" if gates == GATES else " or ".join(gates)
    where = f" waits at {at}" if gates else ""
    stand = "; ".join(f"{run.name} {run.place}" for run in newest)
    return f"{what}{where} in {target.describe()}. The newest: {stand}"


def _is_meant(run: RunView, name: str | None) -> bool:
    return name is None or name in (run.run_id, run.execution_id)


def read_manifest(target: Target, run: RunView) -> dict[str, Any]:
    """The run's manifest from the workflow bucket."""
    if not run.run_id:
        raise NotFoundError(
            f"run {run.execution_id} has no manifest: CreateSchema has not finished"
            + (f" ({run.error})" if run.error else "")
        )
    body = target.client("s3").get_object(
        Bucket=target.wiring().workflow_bucket, Key=f"runs/{run.run_id}/manifest.json"
    )["Body"]
    manifest: dict[str, Any] = json.loads(body.read())
    return manifest


def machine_executions(run: RunView) -> list[str]:
    """ARNs of the state machine executions that the run started, oldest first."""
    machines = [a for a in run.actions if a.stage in ("Train", "Inference")]
    return [a.external_id for a in machines if a.external_id]
