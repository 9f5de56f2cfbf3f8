"""CodePipeline: what started an execution, answers to its jobs, decisions at its gates."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from signalbox.aws import clients, failures
from signalbox.errors import EventError

if TYPE_CHECKING:
    from types_boto3_codepipeline.type_defs import ActionExecutionDetailTypeDef

# PutJobFailureResult and PutApprovalResult (API reference, read 2026-11-20).
FAILURE_MESSAGE_LIMIT = 5000
APPROVAL_SUMMARY_LIMIT = 512


class FailureType(StrEnum):
    """Why a job failed, in CodePipeline's words."""

    JOB_FAILED = "JobFailed"
    CONFIGURATION = "ConfigurationError"
    PERMISSION = "PermissionError"
    REVISION_UNAVAILABLE = "RevisionUnavailable"
    SYSTEM_UNAVAILABLE = "SystemUnavailable"


class Decision(StrEnum):
    """What became of a decision at a gate."""

    MADE = "made"
    MADE_BEFORE = "made before"


@dataclass(frozen=True)
class Revision:
    """The version of a source that an execution runs on."""

    id: str
    summary: str


@dataclass(frozen=True)
class Execution:
    """A pipeline execution as it was started."""

    variables: Mapping[str, str]
    revisions: Mapping[str, Revision]
    started_by: str
    """ARN of a person or role; empty when an event started the execution."""


def execution(pipeline: str, execution_id: str) -> Execution:
    """The variables of an execution, and its source revisions by artifact name."""
    answer = clients.codepipeline().get_pipeline_execution(
        pipelineName=pipeline, pipelineExecutionId=execution_id
    )["pipelineExecution"]
    return Execution(
        variables={v["name"]: v["resolvedValue"] for v in answer.get("variables", [])},
        revisions={
            r["name"]: Revision(r.get("revisionId", ""), r.get("revisionSummary", ""))
            for r in answer.get("artifactRevisions", [])
        },
        started_by=_starter(answer.get("trigger", {})),
    )


def _starter(trigger: Mapping[str, object]) -> str:
    """Only StartPipelineExecution names somebody; other triggers name a rule or a hook."""
    detail = str(trigger.get("triggerDetail", ""))
    return detail if trigger.get("triggerType") == "StartPipelineExecution" else ""


def started_at(pipeline: str, execution_id: str) -> datetime:
    """When the first action of an execution began; the same whenever it is asked."""
    times = [action["startTime"] for action in _actions(pipeline, execution_id)]
    if not times:
        raise EventError(
            f"pipeline {pipeline} knows no action of execution {execution_id}; "
            "the execution id in the event is wrong or older than 12 months"
        )
    return min(times)


def _actions(pipeline: str, execution_id: str) -> "Iterator[ActionExecutionDetailTypeDef]":
    pages = (
        clients.codepipeline()
        .get_paginator("list_action_executions")
        .paginate(pipelineName=pipeline, filter={"pipelineExecutionId": execution_id})
    )
    return (action for page in pages for action in page["actionExecutionDetails"])


def answer_success(
    job_id: str, *, summary: str, external_id: str, variables: Mapping[str, str]
) -> bool:
    """Tell the pipeline that a job succeeded; False when it had been answered before."""
    try:
        clients.codepipeline().put_job_success_result(
            jobId=job_id,
            executionDetails={"summary": summary[:2048], "externalExecutionId": external_id},
            outputVariables=dict(variables),
        )
    except ClientError as error:
        return _answered_before(error)
    return True


def answer_failure(job_id: str, kind: FailureType, message: str) -> bool:
    """Tell the pipeline that a job failed and why; False when it had been answered before."""
    try:
        clients.codepipeline().put_job_failure_result(
            jobId=job_id,
            failureDetails={"type": kind.value, "message": message[:FAILURE_MESSAGE_LIMIT]},
        )
    except ClientError as error:
        return _answered_before(error)
    return True


def _answered_before(error: ClientError) -> bool:
    """False for a job whose answer is in already; any other error goes on."""
    if failures.code_of(error) == "InvalidJobStateException":
        return False
    raise error


def approval_token(pipeline: str, execution_id: str, *, stage: str, action: str) -> str | None:
    """The token of a gate at which this execution waits now; None when it waits there no more.

    Raises EventError while the gate waits and its token is not to be seen yet: an event may be
    faster than the pipeline's state.
    """
    token = _published_token(pipeline, execution_id, stage=stage, action=action)
    if not token and _waits_at(pipeline, execution_id, stage=stage, action=action):
        raise EventError(
            f"gate {action} of {pipeline} waits, but its token is not published yet; try again"
        )
    return token or None


def _published_token(pipeline: str, execution_id: str, *, stage: str, action: str) -> str | None:
    state = clients.codepipeline().get_pipeline_state(name=pipeline)
    stages = [s for s in state["stageStates"] if s.get("stageName") == stage]
    held = [s for s in stages if _execution_in(s) == execution_id]
    actions = [a for s in held for a in s.get("actionStates", []) if a.get("actionName") == action]
    latest = [a["latestExecution"] for a in actions if "latestExecution" in a]
    tokens = [run.get("token") for run in latest if run.get("status") == "InProgress"]
    return tokens[0] if tokens else None


def _waits_at(pipeline: str, execution_id: str, *, stage: str, action: str) -> bool:
    here = (stage, action, "InProgress")
    return any(
        (done.get("stageName"), done.get("actionName"), done.get("status")) == here
        for done in _actions(pipeline, execution_id)
    )


def _execution_in(stage: Mapping[str, object]) -> object:
    latest = stage.get("latestExecution")
    return latest.get("pipelineExecutionId") if isinstance(latest, dict) else None


def approve(pipeline: str, token: str, *, stage: str, action: str, summary: str) -> Decision:
    """Open a gate; a decision that was made before stands."""
    return decide(pipeline, token, stage=stage, action=action, approved=True, summary=summary)


def decide(
    pipeline: str, token: str, *, stage: str, action: str, approved: bool, summary: str
) -> Decision:
    """Open a gate or end its run; a decision that was made before stands."""
    status: Literal["Approved", "Rejected"] = "Approved" if approved else "Rejected"
    try:
        clients.codepipeline().put_approval_result(
            pipelineName=pipeline,
            stageName=stage,
            actionName=action,
            token=token,
            result={"status": status, "summary": summary[:APPROVAL_SUMMARY_LIMIT]},
        )
    except ClientError as error:
        settled = {"ApprovalAlreadyCompletedException", "InvalidApprovalTokenException"}
        if failures.code_of(error) in settled:
            return Decision.MADE_BEFORE
        raise
    return Decision.MADE
