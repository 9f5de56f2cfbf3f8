"""Tells EventBridge what happens in pipelines: the events of source `aws.codepipeline`.

Shapes from the CodePipeline user guide, "Monitoring CodePipeline events" (read 2026-11-21); all
keys of the detail are hyphenated.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from localaws.events import service as events
from localaws.pipelines.model import ActionRun, Artifact, Execution, Pipeline, StageRun


class EventReporter:
    """Sends an event for each change."""

    def pipeline(self, pipeline: Pipeline, execution: Execution, state: str) -> None:
        """`CodePipeline Pipeline Execution State Change`."""
        trigger = {
            "trigger-type": execution.trigger_type,
            "trigger-detail": execution.trigger_detail,
        }
        detail = {**_common(pipeline, execution, execution.started), "execution-trigger": trigger}
        if execution.stop_reason:
            detail["stop-execution-comments"] = execution.stop_reason
        _emit(pipeline, "Pipeline", {**detail, "state": state})

    def stage(self, pipeline: Pipeline, execution: Execution, stage: StageRun, state: str) -> None:
        """`CodePipeline Stage Execution State Change`."""
        started = stage.runs[0].started if stage.runs else execution.updated
        detail = {**_common(pipeline, execution, started), "stage": stage.name, "state": state}
        _emit(pipeline, "Stage", detail)

    def action(self, pipeline: Pipeline, execution: Execution, run: ActionRun, state: str) -> None:
        """`CodePipeline Action Execution State Change`."""
        detail = {
            **_common(pipeline, execution, run.started),
            "stage": run.stage,
            "action": run.spec.name,
            "action-execution-id": run.id,
            "state": state,
            "region": pipeline.region,
            "type": run.spec.type_id,
            "input-artifacts": _artifacts(run.inputs),
            "output-artifacts": [] if state == "STARTED" else _artifacts(run.outputs),
        }
        if run.result is not None:
            detail["execution-result"] = _result(run)
        _emit(pipeline, "Action", detail)


def _emit(pipeline: Pipeline, level: str, detail: dict[str, Any]) -> None:
    events.emit(
        "aws.codepipeline",
        f"CodePipeline {level} Execution State Change",
        detail,
        resources=[pipeline.arn],
        account=pipeline.account,
        region=pipeline.region,
    )


def _common(pipeline: Pipeline, execution: Execution, started: datetime) -> dict[str, Any]:
    attempts = sum(stage.retries for stage in execution.stages.values()) + 1
    return {
        "pipeline": pipeline.name,
        "execution-id": execution.id,
        "start-time": started.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
        "version": execution.version,
        "pipeline-execution-attempt": attempts,
    }


def _artifacts(artifacts: Iterable[Artifact]) -> list[dict[str, Any]]:
    return [
        {"name": item.name, "s3location": {"bucket": item.bucket, "key": item.key}}
        for item in artifacts
    ]


def _result(run: ActionRun) -> dict[str, str]:
    result = run.result
    failure = result.failure if result is not None else None
    told = {
        "external-execution-url": run.external_url,
        "external-execution-summary": (failure.message if failure else "")
        or (result.summary if result else ""),
        "external-execution-id": run.external_id,
        "error-code": failure.code if failure else "",
    }
    return {name: value for name, value in told.items() if value}
