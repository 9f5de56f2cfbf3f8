"""The operations that people and functions steer executions with: approvals, jobs, stop, retry.

Same form as `pipeline_api`.
"""

from itertools import pairwise
from typing import Any

from localaws import clock
from localaws.errors import UnsupportedByLocalAws
from localaws.pipelines import views
from localaws.pipelines.api import Answer, Caller, Request, execution_of, pipeline_of
from localaws.pipelines.model import (
    ActionRun,
    ActionStatus,
    Execution,
    Pipeline,
    Result,
    Slot,
    Status,
    failed,
)
from localaws.pipelines.runtime import Runtime
from localaws.wire import AwsError

_MAX_TAGS = 50
_RETRYABLE = {Status.FAILED, Status.STOPPED}


def put_approval_result(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """PutApprovalResult: decides the open approval that the token belongs to, once."""
    pipeline = pipeline_of(runtime, caller, request["pipelineName"])
    with pipeline.lock:
        slot = _slot_of(pipeline, request["stageName"])
        if all(action.name != request["actionName"] for action in slot.spec.actions):
            message = f"Stage '{slot.spec.name}' has no action '{request['actionName']}'"
            raise AwsError("ActionNotFoundException", message)
        execution, run = _approval_of(pipeline, request)
        result = _decision(caller, request["result"])
        runtime.decide(pipeline, execution, run, result)
    return {"approvedAt": views.epoch(clock.now())}


def _approval_of(pipeline: Pipeline, request: Request) -> tuple[Execution, ActionRun]:
    for execution in reversed(pipeline.executions.values()):
        stage = execution.stages.get(request["stageName"])
        for run in stage.runs if stage is not None else ():
            if run.spec.name == request["actionName"] and run.token == request["token"]:
                _refuse_decided(run)
                return execution, run
    message = "The approval token is not that of an open approval of this action."
    raise AwsError("InvalidApprovalTokenException", message)


def _refuse_decided(run: ActionRun) -> None:
    if run.is_running:
        return
    if run.result is not None and run.result.updated_by:
        message = f"The approval has already been given or refused by {run.result.updated_by}."
        raise AwsError("ApprovalAlreadyCompletedException", message)
    raise AwsError("InvalidApprovalTokenException", "The approval has expired or was abandoned.")


def _decision(caller: Caller, given: dict[str, str]) -> Result:
    summary = given.get("summary") or ""
    if given["status"] == "Approved":
        return Result(ActionStatus.SUCCEEDED, summary=summary, updated_by=caller.arn)
    message = f"Approval was rejected by {caller.arn}" + (f": {summary}" if summary else "")
    return failed("JobFailed", message, summary=summary, updated_by=caller.arn)


def put_job_success_result(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """PutJobSuccessResult."""
    runtime.jobs.succeed(request)
    return {}


def put_job_failure_result(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """PutJobFailureResult."""
    runtime.jobs.fail(request)
    return {}


def get_job_details(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """GetJobDetails."""
    return {"jobDetails": runtime.jobs.details(request["jobId"])}


def stop_pipeline_execution(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """StopPipelineExecution."""
    pipeline = pipeline_of(runtime, caller, request["pipelineName"])
    abandon = bool(request.get("abandon"))
    with pipeline.lock:
        execution = execution_of(pipeline, request["pipelineExecutionId"])
        if not execution.is_active:
            message = f"The execution is {execution.status.value} and cannot be stopped"
            raise AwsError("PipelineExecutionNotStoppableException", message)
        if execution.status is Status.STOPPING and not abandon:
            raise AwsError("DuplicatedStopRequestException", "The execution is stopping already")
        execution.stop_reason = request.get("reason") or ""
        runtime.engine.stop(pipeline, execution, abandon=abandon)
    return {"pipelineExecutionId": execution.id}


def retry_stage_execution(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """RetryStageExecution: the execution keeps its id and goes on from the stage."""
    pipeline = pipeline_of(runtime, caller, request["pipelineName"])
    with pipeline.lock:
        slot = _slot_of(pipeline, request["stageName"])
        execution = execution_of(pipeline, request["pipelineExecutionId"])
        _refuse_retry(pipeline, execution, slot)
        whole = request["retryMode"] == "ALL_ACTIONS"
        runtime.engine.retry(pipeline, execution, slot, whole=whole)
    return {"pipelineExecutionId": execution.id}


def _refuse_retry(pipeline: Pipeline, execution: Execution, slot: Slot) -> None:
    stage = execution.stages.get(slot.spec.name)
    if execution.version != pipeline.version:
        raise _not_retryable("the pipeline's structure has changed since")
    if stage is None or stage.status not in _RETRYABLE or execution.is_active:
        raise _not_retryable(f"stage '{slot.spec.name}' has not failed in this execution")
    if slot.latest is not execution or slot.occupant is not None:
        message = "A newer execution has entered the stage; only the latest can be retried"
        raise AwsError("NotLatestPipelineExecutionException", message)


def _not_retryable(why: str) -> AwsError:
    return AwsError("StageNotRetryableException", f"Unable to retry: {why}")


def rollback_stage(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """RollbackStage is not done here."""
    raise UnsupportedByLocalAws("codepipeline", "RollbackStage", request["stageName"])


def disable_stage_transition(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """DisableStageTransition."""
    return _set_transition(runtime, caller, request, request["reason"])


def enable_stage_transition(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """EnableStageTransition: whoever waits goes in."""
    return _set_transition(runtime, caller, request, None)


def _set_transition(
    runtime: Runtime, caller: Caller, request: Request, reason: str | None
) -> Answer:
    pipeline = pipeline_of(runtime, caller, request["pipelineName"])
    with pipeline.lock:
        slot: Slot | None = _slot_of(pipeline, request["stageName"])
        if request["transitionType"] == "Outbound":
            slot = _slot_after(pipeline, slot)
        if slot is not None:
            slot.disabled_reason = reason
            slot.changed_by, slot.changed_at = caller.arn, clock.now()
            runtime.engine.admit(pipeline, slot)
    return {}


def _slot_of(pipeline: Pipeline, stage: str) -> Slot:
    slot = pipeline.slot(stage)
    if slot is None:
        message = f"Pipeline '{pipeline.name}' has no stage '{stage}'"
        raise AwsError("StageNotFoundException", message)
    return slot


def _slot_after(pipeline: Pipeline, slot: Slot | None) -> Slot | None:
    pairs = pairwise(pipeline.slots)
    return next((after for before, after in pairs if before is slot), None)


def list_tags_for_resource(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """ListTagsForResource."""
    tags = _tagged(runtime, caller, request).tags
    return {"tags": [{"key": key, "value": tags[key]} for key in sorted(tags)]}


def tag_resource(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """TagResource."""
    pipeline = _tagged(runtime, caller, request)
    given: dict[str, Any] = {tag["key"]: tag["value"] for tag in request["tags"]}
    if any(key.startswith("aws:") for key in given):
        raise AwsError("InvalidTagsException", "Tags that start with aws: are AWS's own")
    if len({*pipeline.tags, *given}) > _MAX_TAGS:
        raise AwsError("TooManyTagsException", f"A pipeline has at most {_MAX_TAGS} tags")
    pipeline.tags.update(given)
    return {}


def untag_resource(runtime: Runtime, caller: Caller, request: Request) -> Answer:
    """UntagResource."""
    pipeline = _tagged(runtime, caller, request)
    for key in request["tagKeys"]:
        pipeline.tags.pop(key, None)
    return {}


def _tagged(runtime: Runtime, caller: Caller, request: Request) -> Pipeline:
    arn = str(request["resourceArn"])
    if not arn.startswith("arn:") or arn.count(":") != 5:
        raise AwsError("InvalidArnException", f"{arn} is not the ARN of a pipeline")
    found = runtime.find(caller.account, caller.region, arn.rpartition(":")[2])
    if found is None:
        raise AwsError("ResourceNotFoundException", f"There is no pipeline {arn}")
    return found
