"""How the records of pipelines look in the answers of the API.

Pure: reads records, returns plain values in botocore's shapes. Call under the pipeline's lock.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from localaws.pipelines.model import (
    ActionRun,
    Artifact,
    Execution,
    Pipeline,
    Revision,
    Slot,
    Status,
)

_LATEST_STATUS = {Status.SUPERSEDED: "Cancelled"}


def epoch(moment: datetime) -> float:
    """Seconds since 1970, to the millisecond, as JSON protocols write times."""
    return round(moment.timestamp(), 3)


def trimmed(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what has no value."""
    return {name: value for name, value in fields.items() if value not in (None, "")}


def summary_of_pipeline(pipeline: Pipeline) -> dict[str, Any]:
    """PipelineSummary."""
    return {
        "name": pipeline.name,
        "version": pipeline.version,
        "pipelineType": pipeline.declaration["pipelineType"],
        "executionMode": pipeline.spec.mode,
        "created": epoch(pipeline.created),
        "updated": epoch(pipeline.updated),
    }


def trigger(execution: Execution) -> dict[str, str]:
    """ExecutionTrigger."""
    return {"triggerType": execution.trigger_type, "triggerDetail": execution.trigger_detail}


def execution_detail(pipeline: Pipeline, execution: Execution) -> dict[str, Any]:
    """PipelineExecution."""
    return trimmed(
        {
            "pipelineName": pipeline.name,
            "pipelineVersion": execution.version,
            "pipelineExecutionId": execution.id,
            "status": execution.status.value,
            "statusSummary": execution.summary,
            "artifactRevisions": [_revision(found) for found in execution.revisions.values()],
            "variables": [
                {"name": name, "resolvedValue": value}
                for name, value in execution.variables.items()
            ],
            "trigger": trigger(execution),
            "executionMode": pipeline.spec.mode,
            "executionType": "STANDARD",
        }
    )


def _revision(found: Revision) -> dict[str, Any]:
    return {
        "name": found.artifact,
        "revisionId": found.revision_id,
        "revisionChangeIdentifier": found.revision_id,
        "revisionSummary": found.summary,
        "created": epoch(found.created),
        "revisionUrl": found.url,
    }


def execution_summary(pipeline: Pipeline, execution: Execution) -> dict[str, Any]:
    """PipelineExecutionSummary."""
    stop = {"reason": execution.stop_reason} if execution.stop_reason is not None else None
    return trimmed(
        {
            "pipelineExecutionId": execution.id,
            "status": execution.status.value,
            "statusSummary": execution.summary,
            "startTime": epoch(execution.started),
            "lastUpdateTime": epoch(execution.updated),
            "sourceRevisions": [
                {
                    "actionName": found.action,
                    "revisionId": found.revision_id,
                    "revisionSummary": found.summary,
                    "revisionUrl": found.url,
                }
                for found in execution.revisions.values()
            ],
            "trigger": trigger(execution),
            "stopTrigger": stop,
            "executionMode": pipeline.spec.mode,
            "executionType": "STANDARD",
        }
    )


def action_detail(pipeline: Pipeline, execution: Execution, run: ActionRun) -> dict[str, Any]:
    """ActionExecutionDetail."""
    return trimmed(
        {
            "pipelineExecutionId": execution.id,
            "actionExecutionId": run.id,
            "pipelineVersion": execution.version,
            "stageName": run.stage,
            "actionName": run.spec.name,
            "startTime": epoch(run.started),
            "lastUpdateTime": epoch(run.updated),
            "updatedBy": run.result.updated_by if run.result is not None else None,
            "status": run.status.value,
            "input": _input(pipeline, run),
            "output": _output(run),
        }
    )


def _input(pipeline: Pipeline, run: ActionRun) -> dict[str, Any]:
    return trimmed(
        {
            "actionTypeId": run.spec.type_id,
            "configuration": dict(run.spec.configuration),
            "resolvedConfiguration": dict(run.resolved),
            "roleArn": run.spec.role_arn,
            "region": run.spec.region or pipeline.region,
            "inputArtifacts": _artifacts(run.inputs),
            "namespace": run.spec.namespace,
        }
    )


def _output(run: ActionRun) -> dict[str, Any]:
    result = run.result
    told = {
        # The only place where an approval's token is found in every execution mode.
        "externalExecutionId": run.external_id or run.token,
        "externalExecutionSummary": result.summary if result is not None else None,
        "externalExecutionUrl": run.external_url,
        "errorDetails": _error(run),
    }
    return {
        "outputArtifacts": _artifacts(run.outputs) if result is not None else [],
        "executionResult": trimmed(told),
        "outputVariables": dict(result.variables) if result is not None else {},
    }


def _artifacts(artifacts: Iterable[Artifact]) -> list[dict[str, Any]]:
    return [
        {"name": item.name, "s3location": {"bucket": item.bucket, "key": item.key}}
        for item in artifacts
    ]


def _error(run: ActionRun) -> dict[str, str] | None:
    failure = run.result.failure if run.result is not None else None
    return {"code": failure.code, "message": failure.message} if failure is not None else None


def state(pipeline: Pipeline) -> dict[str, Any]:
    """The answer of GetPipelineState."""
    return {
        "pipelineName": pipeline.name,
        "pipelineVersion": pipeline.version,
        "stageStates": [_stage_state(slot) for slot in pipeline.slots],
        "created": epoch(pipeline.created),
        "updated": epoch(pipeline.updated),
    }


def _stage_state(slot: Slot) -> dict[str, Any]:
    inbound = [_inbound(execution) for execution in slot.inbound]
    return trimmed(
        {
            "stageName": slot.spec.name,
            "inboundExecution": inbound[0] if inbound else None,
            "inboundExecutions": inbound,
            "inboundTransitionState": _transition(slot),
            "actionStates": _action_states(slot),
            "latestExecution": _latest(slot),
            "retryStageMetadata": _retries(slot),
        }
    )


def _inbound(execution: Execution) -> dict[str, str]:
    return {
        "pipelineExecutionId": execution.id,
        "status": execution.status.value,
        "type": "STANDARD",
    }


def _transition(slot: Slot) -> dict[str, Any]:
    told = {
        "enabled": slot.disabled_reason is None,
        "lastChangedBy": slot.changed_by,
        "lastChangedAt": epoch(slot.changed_at) if slot.changed_at is not None else None,
        "disabledReason": slot.disabled_reason,
    }
    return trimmed(told)


def _latest(slot: Slot) -> dict[str, str] | None:
    if slot.latest is None:
        return None
    inside = slot.latest.stages[slot.spec.name].status
    stopping = slot.occupant is slot.latest and slot.latest.status is Status.STOPPING
    status = Status.STOPPING if stopping else inside
    return {
        "pipelineExecutionId": slot.latest.id,
        "status": _LATEST_STATUS.get(status, status.value),
        "type": "STANDARD",
    }


def _retries(slot: Slot) -> dict[str, Any] | None:
    stage = slot.latest.stages[slot.spec.name] if slot.latest is not None else None
    if stage is None or not stage.retries:
        return None
    return {"manualStageRetryAttempt": stage.retries, "latestRetryTrigger": "ManualStageRetry"}


def _action_states(slot: Slot) -> list[dict[str, Any]]:
    stage = slot.latest.stages[slot.spec.name] if slot.latest is not None else None
    runs = stage.latest() if stage is not None else {}
    return [_action_state(action.name, runs.get(action.name)) for action in slot.spec.actions]


def _action_state(name: str, run: ActionRun | None) -> dict[str, Any]:
    if run is None:
        return {"actionName": name}
    revision = run.result.revision if run.result is not None else None
    current = None
    if revision is not None:
        current = {
            "revisionId": revision.revision_id,
            "revisionChangeId": revision.revision_id,
            "created": epoch(revision.created),
        }
    return trimmed(
        {
            "actionName": name,
            "currentRevision": current,
            "latestExecution": _action_execution(run),
            "revisionUrl": revision.url if revision is not None else None,
        }
    )


def _action_execution(run: ActionRun) -> dict[str, Any]:
    result = run.result
    return trimmed(
        {
            "actionExecutionId": run.id,
            "status": run.status.value,
            "summary": result.summary if result is not None else None,
            "lastStatusChange": epoch(run.updated),
            "token": run.token if run.is_running else None,
            "lastUpdatedBy": result.updated_by if result is not None else None,
            "externalExecutionId": run.external_id,
            "externalExecutionUrl": run.external_url,
            "percentComplete": run.percent,
            "errorDetails": _error(run),
        }
    )
